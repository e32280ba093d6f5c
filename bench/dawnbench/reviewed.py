"""Checks of what the board's reviewers sent entries back for, beyond their form.

Facts of the reviews in stanford-futuredata/dawn-bench-entries: a code address without a commit (pull 122, issue 16), an
empty misc (57, 60, 122), a framework without a version (66, issue 29), hardware that names no machine type or device
(111), a price without its source (90), a date that is not that of submission (113).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from urllib.parse import urlsplit

#: The most of an untrusted text that is searched, as these patterns are not linear in it.
_SEARCHED_CHARACTERS = 500
#: The year of the first entries.
_FIRST_YEAR = 2017
_COMMIT = re.compile(r"(?<![0-9A-Za-z])(?=[a-z]*[0-9])[0-9a-f]{7,64}(?![0-9A-Za-z])")
#: The name of a gist in its address looks like a commit.
_GIST_HOST = "gist.github.com"
#: A number of its own: 2.17.0, v1.2, 0.3.1.post2; the 2 of Caffe2 is none.
_VERSION = re.compile(r"(?<![0-9A-Za-z.])v?[0-9]+(?:\.[0-9A-Za-z]+)*|[0-9]+\.[0-9]+")
#: What clouds call their machines: p3.2xlarge, ecs.gn6v-c8g1.2xlarge, n1-standard-16, a2-highgpu-1g, Standard_NC6,
#: NC24rs_v3, BM.GPU4.8, np9g1, a TPU's v3-8.
_MACHINE_TYPE = re.compile(
    r"\b[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:[0-9]*x?large|metal|medium|small|micro)\b"
    r"|\b[a-z][0-9][a-z]?-(?:standard|highmem|highcpu|highgpu|megagpu|ultragpu|custom)\b"
    r"|\bstandard_[a-z0-9_]+|\bn[cdv][0-9]+[a-z0-9_]*\b|\b(?:vm|bm)\.[a-z0-9.]+|\bnp[0-9]+g[0-9]+\b|\bv[0-9]-[0-9]+\b",
    re.IGNORECASE,
)
#: V100, A100, K80, MI300X, AC922, EPYC, 1080 Ti with its GTX: a maker, a family or a number of a model.
_DEVICE = re.compile(
    r"(?<![A-Za-z])(?:[A-Z]{1,3}[0-9]{1,4}[A-Z]{0,3}|(?:GTX|RTX)\s?[0-9]+|TITAN|[GTI]PUs?|DGX|Tesla|Volta|GeForce|Quadro|"
    r"Radeon|Instinct|Gaudi|Habana|Ascend|Inferentia|Trainium|Xeon|EPYC|Ryzen|Threadripper|Core i[0-9]|Apple|Graviton|"
    r"POWER[0-9]*|Jetson|v?CPUs?|CPU cores?|cores?)(?![A-Za-z])",
    re.IGNORECASE,
)
#: How many: `1 V100`, `8xV100`, `V100 * 8`, `8V100`, `two K80`; not amounts of memory or numbers of models.
_COUNT = re.compile(
    r"(?<![\w.-])(?<!GTX )(?<!RTX )(?<!Core )(?:[0-9]{1,3}(?:\s*[x×*]\s*|\s+|(?=[A-Z]))(?![KMGT]i?B\b)(?=[A-Za-z])"
    r"|(?:one|two|four|eight|sixteen|single|dual|quad)\b)"
    r"|[\w)]\s*[x×*]\s*[0-9]{1,3}(?![0-9.])",
    re.IGNORECASE,
)
#: A provider: one that is known, an address, or whatever stands in brackets behind the machine.
_PROVIDER = re.compile(
    r"\b(?:\w*cloud\w*|aws|amazon|ec2|google|gcp|gce|azure|alibaba|aliyun|baidu|tencent|huawei|ibm|oracle|ovh\w*|"
    r"paperspace|floydhub|lambda|vast\.?ai|runpod|coreweave|nimbix|nebius|scaleway|hetzner|crusoe|jarvislabs|linode|"
    r"digitalocean|colab)\b|https?://|\([^)]*[a-z]{2}[^)]*\)",
    re.IGNORECASE,
)


def names_commit(code_url: str) -> bool:
    """Return whether a part of an address is a commit: 7 hexadecimal digits or more, in lower case."""
    address = urlsplit(code_url)
    found = _COMMIT.findall(f"{address.path}?{address.query}#{address.fragment}"[:_SEARCHED_CHARACTERS])
    return len(found) > (address.hostname == _GIST_HOST)


def is_commit(value: object) -> bool:
    """Return whether a value is a commit's hash of 7 digits or more."""
    return isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{7,64}", value.strip()) is not None


def names_version(framework: str) -> bool:
    """Return whether a framework is given with a version or a commit."""
    searched = framework[:_SEARCHED_CHARACTERS]
    return _VERSION.search(searched) is not None or _COMMIT.search(searched) is not None


def names_device(hardware: str) -> bool:
    """Return whether hardware is a number of some device (`1 V100`, `16 CPU`) or a cloud's machine type."""
    searched = hardware[:_SEARCHED_CHARACTERS]
    return bool(_MACHINE_TYPE.search(searched) or (_DEVICE.search(searched) and _COUNT.search(searched)))


def names_price_source(hardware: object, misc: object) -> bool:
    """Return whether a price has a source: a cloud or machine type in ``hardware``, or `price` or `cost` in ``misc``"""
    text = hardware[:_SEARCHED_CHARACTERS] if isinstance(hardware, str) else ""
    if _PROVIDER.search(text) or _MACHINE_TYPE.search(text):
        return True
    searched = misc if isinstance(misc, Mapping) else {}
    return any(
        isinstance(value, str) and value.strip() != "" and re.search("price|cost", name, re.IGNORECASE)
        for name, value in searched.items()
    )


def has_content(misc: object) -> bool:
    """Return whether ``misc`` has content."""
    return isinstance(misc, Mapping) and any(value not in (None, "", [], {}) for value in misc.values())


def can_be_submission(day: date, today: date) -> bool:
    """Return whether an entry can have been submitted on a day, in any time zone."""
    return day.year >= _FIRST_YEAR and day <= today + timedelta(days=1)
