"""The trainer's ``hello`` in a record: as fields of their own and as fingerprint keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench import protocol
from bench.record.event_lines import text
from bench.record.model import Record


def with_hello(record: Record, hello: protocol.Hello | None) -> Record:
    """Return the record with what its ``hello`` reports; unchanged where there was none."""
    if hello is None:
        return record
    return replace(
        record,
        trainer=hello.trainer,
        framework=hello.framework,
        runs=hello.runs,
        claimed_seed=hello.seed,
        recipe=hello.recipe,
        dataset=hello.dataset,
        precision=hello.precision,
        input=hello.input,
        device=hello.device,
        threads=hello.threads,
        xla=hello.xla,
        fingerprint={**record.fingerprint, **_fingerprint(hello)},
    )


def is_ours(record: Record) -> bool:
    """Return whether the built-in trainer made this run, by the name it reports."""
    return (record.trainer or "").partition(" ")[0] == "resnet9"


def _fingerprint(hello: protocol.Hello) -> dict[str, Any]:
    """Return the fingerprint keys that only the trainer knows; what it does not report is absent."""
    xla, build = hello.xla, hello.build or {}
    reported = {
        **{f"build.{name}": text(build, name) for name in build},
        "xla.on": xla["on"] if isinstance(xla["on"], bool) else None,
        "xla.flags": text(xla, "flags"),
        "xla.autotune_level": text(xla, "autotune_level"),
        "cache.xla": text(xla, "persistent_cache"),
        "cache.kernels": text(xla, "kernel_cache"),
        "dataset.sha256": text(hello.dataset, "sha256"),
        "dataset.state": text(hello.dataset, "state"),
    }
    return {name: value for name, value in reported.items() if value is not None}
