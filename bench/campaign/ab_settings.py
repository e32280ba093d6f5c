"""Parse the sides of an A/B: words KEY=VALUE, of options and of the trainer's environment.

Only settings that leave the work the same may differ: times of two recipes, datasets or targets do not compare.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.containers import spec
from bench.errors import UsageError, one_line
from bench.launch import kernel_cache
from bench.record.experiment import A, B
from bench.system import container_flags, redaction
from bench.system.env_allowlist import PREFIXES
from bench.system.env_snapshot import WITHHELD, Identity, recorded

_PRECISIONS, _INPUTS = ("auto", "bf16", "fp16", "fp32"), ("auto", "host", "device")
#: The options that a side may set, with their values; empty if any value is allowed.
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "INPUT": _INPUTS,
    "PRECISION": _PRECISIONS,
    "THREADS": (),
    "CACHE": kernel_cache.KINDS,
    "TELEMETRY": ("on", "off"),
    "WHERE": ("auto", "container", "native"),
    "IMAGE": (),
    "DOCKER": (),
    "DOCKER_FLAGS": (),
}
#: What both sides share, given next to A and B.
_SHARED = (
    *("DATA", "SEEDS", "OUT", "WARMUP", "IDLE", "WATCH", "TIMEOUT"),
    *("AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"),
)
#: What a side may never set, why, and the advice.
_ELSEWHERE = {
    "RECIPE": ("another recipe is other work, whose time answers nothing here", "`make ablate` compares recipes"),
    "DEVICE": (
        "both sides run on one device",
        "give DEVICE next to A and B, and compare two devices by a campaign on each",
    ),
    "TRAINER": ("`bench ab` trains recipes", "compare two trainers by a campaign of each"),
    "TARGET": ("a recipe has its own target", "leave TARGET out"),
}


@dataclass(frozen=True)
class ArmSettings:
    """The settings of one side; ``variables`` go into the environment of its trainer only."""

    settings: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def threads(self) -> int | None:
        """Return THREADS as a number."""
        return int(self.settings["THREADS"]) if "THREADS" in self.settings else None

    def published(self, identity: Identity) -> ArmSettings:
        """Return the settings redacted: a path by its last part. Names of images stay."""
        settings = {key: _published(key, value, identity) for key, value in self.settings.items()}
        return ArmSettings(settings, recorded(self.variables, identity))


def _published(key: str, value: str, identity: Identity) -> str:
    if key == "DOCKER_FLAGS":
        value = shlex.join(container_flags.redacted_flags(container_flags.split(value)))
    return value if key == "IMAGE" else redaction.redact(value, identity)


def read_both(a: str | None, b: str | None, environ: Mapping[str, str]) -> dict[str, ArmSettings]:
    """Return the settings of each side, by the name of its folder. Raises UsageError where neither was given."""
    # click ignores an empty variable, as `make ab A= B=` passes it, but here it means no difference.
    if a is None and b is None and not {"A", "B"} & environ.keys():
        raise UsageError(
            "A and B are not given",
            "say how they differ, as in --a PRECISION=bf16 --b PRECISION=fp32; --a '' --b '' measures the method",
        )
    identity = Identity.of_this_process()
    return {A: read("A", a or "", identity), B: read("B", b or "", identity)}


def read(side: str, typed: str, identity: Identity) -> ArmSettings:
    """Return the settings ``typed`` for ``side`` (``A`` or ``B``), split as a shell does.

    Raises UsageError for a wrong word, or one that may not differ; ``identity`` is redacted in records.
    """
    try:
        words = shlex.split(typed)
    except ValueError:
        raise _refused(f"{side} has a quote that is not closed: {typed!r}.") from None
    settings: dict[str, str] = {}
    variables: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise _refused(f"{side} has the word {word!r}, which is not KEY=VALUE", "type such as PRECISION=fp32")
        if key in settings or key in variables:
            raise _refused(f"{side} has {key} twice", "leave one of them out")
        if key in SETTINGS:
            _check(side, key, value)
            settings[key] = value
        else:
            _check_variable(side, key, value, identity)
            variables[key] = value
    return ArmSettings(settings, variables)


def _check(side: str, key: str, value: str) -> None:
    known = SETTINGS[key]
    if key == "INPUT" and value == "memory":
        raise _refused(f"{side} has INPUT=memory, a control and no input", "type `make stalls`, which measures with it")
    if known and value not in known:
        raise _refused(f"{side} has {key}={value}, which is none of {', '.join(known)}.")
    if key == "THREADS" and not (value.isascii() and value.isdecimal() and len(value) < 5 and int(value) > 0):
        raise _refused(f"{side} has THREADS={value}, which is not a number of CPU threads from 1", "type THREADS=4")
    if key == "DOCKER_FLAGS":
        container_flags.split(value)
    if not value:
        raise _refused(f"{side} has {key}= and no value", f"name one, or leave {key} out")


def _check_variable(side: str, key: str, value: str, identity: Identity) -> None:
    if key in _ELSEWHERE:
        why, advice = _ELSEWHERE[key]
        raise _refused(f"{side} has {key}: {why}", advice)
    if key in _SHARED:
        raise _refused(f"{side} has {key}, which both sides share", "give it next to A and B")
    if not key.startswith(PREFIXES):
        close = difflib.get_close_matches(key.upper(), SETTINGS, n=1)
        meant = f"; did you mean {close[0]}?" if close else "."
        raise _refused(
            f"{side} has {key}, which is neither one of {', '.join(SETTINGS)} nor a variable that records keep "
            f"({', '.join(each + '*' for each in PREFIXES[:3])} and others){meant}"
        )
    if not spec.passed_on([key]):
        raise _refused(
            f"{side} has {key}, which says where a run is made and not how",
            "give DEVICE next to A and B, or CACHE",
        )
    if recorded({key: value}, identity).get(key, WITHHELD) == WITHHELD and value != WITHHELD:
        raise _refused(
            f"{side} has {key} with a value that must be redacted, so the comparison could not be published",
            "leave it out",
        )


def _refused(message: str, advice: str = "") -> UsageError:
    return UsageError(one_line(message), one_line(advice))
