"""The board task of an entry: only CIFAR-10 training is validated here."""

from __future__ import annotations

import os
import re

from bench.dawnbench.findings import Finding, printable
from bench.dawnbench.pair import TASK_FOLDER, Pair, body_of

RULE = "other-task"
_TASKS = {"cifar10": "CIFAR-10", "imagenet": "ImageNet", "squad": "SQuAD"}
_KINDS = ("train", "inference")
#: Score columns of other tasks' tables, and of inference entries, which have none.
_SCORES = {"top5accuracy": "ImageNet", "f1score": "SQuAD"}
_LATENCY, _OWN_SCORE = "latency", "top1accuracy"


def other(pair: Pair) -> Finding | None:
    """Return the finding of an entry of another task, by its folder and content; None for CIFAR-10 training.

    A table in a folder `CIFAR10/train` is one of ours, whatever its columns are.
    """
    found = _by_content(pair) or _by_folder(pair)
    if found is None:
        return None
    task, kind, evidence = found
    article = "an" if task[:1] in "AEIOU" else "a"
    named = f"{article} {task} {kind} entry" if task else f"an {kind} entry"
    return Finding(
        "compat",
        RULE,
        printable(pair.json_path.name),
        f"This looks like {named} ({evidence}); only CIFAR-10 training is validated here.",
        "Leave it as it is, and name an entry of CIFAR-10 training: a .json with its .tsv.",
    )


def _by_content(pair: Pair) -> tuple[str, str, str] | None:
    if not os.path.lexists(pair.tsv_path):
        body = body_of(pair.json_bytes)
        keys = {str(key).lower(): str(key) for key in body} if isinstance(body, dict) else {}
        named = [name for name in (_LATENCY, *_SCORES, _OWN_SCORE) if name in keys]
        if not named:
            return None
        task = next((task for score, task in _SCORES.items() if score in keys), "")
        task = task or ("CIFAR-10" if _OWN_SCORE in keys else "")
        return task, "inference", f"{keys[named[0]]}, no TSV"
    if _folder(pair) == tuple(each.lower() for each in TASK_FOLDER) or pair.tsv_bytes is None:
        return None
    header = re.split(rb"[\r\n]", pair.tsv_bytes, maxsplit=1)[0].decode("utf-8", "replace").lstrip("\ufeff")
    names = {name.lower(): name for name in re.split(r"[\s,]+", header[:1000])}
    return next(((task, "training", names[score]) for score, task in _SCORES.items() if score in names), None)


def _by_folder(pair: Pair) -> tuple[str, str, str] | None:
    name, kind = _folder(pair)
    if name not in _TASKS or kind not in _KINDS or (name, kind) == tuple(each.lower() for each in TASK_FOLDER):
        return None
    where = "/".join(pair.json_path.absolute().parent.parts[-2:])
    return _TASKS[name], "training" if kind == "train" else kind, f"its folder is {printable(where)}"


def _folder(pair: Pair) -> tuple[str, ...]:
    parts = ("", "", *pair.json_path.absolute().parent.parts)
    return tuple(each.lower() for each in parts[-2:])
