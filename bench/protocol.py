"""The wire protocol between harness and trainer: events as JSON lines, version 1.

A trainer is any program, in any language, that writes these events. The harness starts it with these variables:

``BENCH_EVENTS``
    path of a FIFO in the run's folder; the trainer opens it for writing and writes one JSON object per line.
``BENCH_SEED``
    the seed of the run, a whole number.
``BENCH_TARGET_PERCENT``
    the accuracy that counts as reached, for example ``94.0``.
``BENCH_STARTED_NS``
    when the harness started the process: where its first phase begins.

A custom trainer (``bench run --trainer``) receives the rest of the request in variables; the built-in one as arguments:

``BENCH_DATA``
    absolute path of the archive or folder that the harness has checked, or ``synthetic``.
``BENCH_DATA_STATE``
    ``canonical``, ``unverified`` or ``synthetic``: what the check found, and what ``hello`` has to repeat.
``BENCH_DATA_FLAT``
    absolute path of one file with the same data: all labels (training, then test; one byte each), then all pixels in
    the same order (1024 bytes of red, of green, of blue an image, row by row). Its sha256 is the content hash.
``BENCH_TEST_IMAGES``
    how many of its images are for testing: 10000, or 2000 of the synthetic dataset.
``BENCH_DEVICE``
    ``cpu`` or the UUID of the GPU to train on; ``CUDA_VISIBLE_DEVICES`` shows that GPU alone, or none.
``BENCH_THREADS``
    the number of CPU threads to use.

Every line has ``v`` (1), ``event``, ``run`` (index within the process, usually 0) and ``t_ns``. All times are
nanoseconds of ``CLOCK_MONOTONIC``, which on Linux is one clock for every process of a machine, containers included.
The fields of each event are the fields of the dataclasses below. Before the evaluation that crosses the target is
announced, and again before the last one, the trainer writes ``predictions.u8`` (one class byte per test image) next to
the FIFO.

Only the standard library is used here, so that a trainer can import this file inside any image.
"""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Union

VERSION = 1
EVENTS_VARIABLE = "BENCH_EVENTS"
SEED_VARIABLE = "BENCH_SEED"
TARGET_VARIABLE = "BENCH_TARGET_PERCENT"
STARTED_VARIABLE = "BENCH_STARTED_NS"
DATA_VARIABLE = "BENCH_DATA"
DATA_STATE_VARIABLE = "BENCH_DATA_STATE"
DATA_FLAT_VARIABLE = "BENCH_DATA_FLAT"
TEST_IMAGES_VARIABLE = "BENCH_TEST_IMAGES"
DEVICE_VARIABLE = "BENCH_DEVICE"
THREADS_VARIABLE = "BENCH_THREADS"
PREDICTIONS_FILE = "predictions.u8"

#: Phases that happen once, in the order a trainer usually passes through them.
ONCE_PHASES = ("import", "device_init", "data_load", "compile", "build", "preprocess", "final_eval", "exit")
#: Phases that happen once an epoch and carry its number.
EPOCH_PHASES = ("train_k", "eval_k", "checkpoint_k")
VIEWS = ("plain", "flip", "six")
DEVICE_KINDS = ("cpu", "gpu")
#: A longer line is refused: no honest event comes near it, and the harness must stay small whatever it is sent.
MAX_LINE_BYTES = 1 << 20


#: No seed, time or loss is beyond these, and such a number would not fit the tables.
_WHOLE_END, _NUMBER_END = 2**63, 1e300


class ProtocolError(ValueError):
    """A line that is not an event of this protocol; the message says in one sentence what is wrong with it."""


def _require(good: bool, sentence: str) -> None:
    if not good:
        raise ProtocolError(sentence)


def _shown(value: object) -> str:
    """The value as it may stand in a sentence, cut short."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number of over 40 digits"
    return text if len(text) <= 80 else text[:77] + "..."


def _whole(value: object, name: str, low: int = 0) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProtocolError(f"`{name}` must be a whole number, not {_shown(value)}")
    if not low <= value < _WHOLE_END:
        raise ProtocolError(f"`{name}` must be at least {low} and fit 63 bits, not {_shown(value)}")


def _number(value: object, name: str) -> None:
    good = (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < _NUMBER_END
        and math.isfinite(value)
    )
    if not good:
        raise ProtocolError(f"`{name}` must be a finite number, not {_shown(value)}")


def _at_least_0(value: object, name: str) -> None:
    _number(value, name)
    assert isinstance(value, (int, float))
    if value < 0:
        raise ProtocolError(f"`{name}` must be at least 0, not {_shown(value)}")


def _text(value: object, name: str) -> None:
    if not isinstance(value, str):
        raise ProtocolError(f"`{name}` must be text, not {_shown(value)}")


def _one_of(value: object, allowed: tuple[str, ...], name: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ProtocolError(f"`{name}` must be one of {', '.join(allowed)}, not {_shown(value)}")


def _table(value: object, name: str, keys: tuple[str, ...]) -> None:
    _require(isinstance(value, dict), f"`{name}` must be an object, not {_shown(value)}")
    missing = [key for key in keys if key not in value]  # type: ignore[operator]
    _require(not missing, f"`{name}` lacks {', '.join(missing)}")


@dataclass(frozen=True)
class Hello:
    """Who trains what on which device; the first event of a run. ``runs`` above 1 announces several runs in one
    process. ``build`` (optional) says what the framework was built with: short texts by name, such as ``cuda_version``.
    """

    kind: ClassVar[str] = "hello"
    trainer: str
    framework: str
    runs: int
    seed: int
    recipe: dict[str, Any]
    dataset: dict[str, Any]
    precision: str
    input: str
    device: dict[str, Any]
    threads: int
    xla: dict[str, Any]
    build: dict[str, Any] | None = None
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        for name in ("trainer", "framework", "precision", "input"):
            _text(getattr(self, name), name)
        _whole(self.runs, "runs", 1)
        _whole(self.seed, "seed")
        _whole(self.threads, "threads")
        _table(self.recipe, "recipe", ("name", "sha256", "target_percent", "epochs", "steps_per_epoch", "batch"))
        _text(self.recipe["name"], "recipe.name")
        _number(self.recipe["target_percent"], "recipe.target_percent")
        _number(self.recipe["epochs"], "recipe.epochs")
        _whole(self.recipe["steps_per_epoch"], "recipe.steps_per_epoch", 1)
        _whole(self.recipe["batch"], "recipe.batch", 1)
        _table(self.dataset, "dataset", ("name", "sha256", "state"))
        for key in ("name", "sha256", "state"):
            _text(self.dataset[key], f"dataset.{key}")
        _table(self.device, "device", ("kind", "name", "uuid"))
        _one_of(self.device["kind"], DEVICE_KINDS, "device.kind")
        _table(self.xla, "xla", ("on", "flags"))
        if self.build is not None:
            _table(self.build, "build", ())
            for key, value in self.build.items():
                _text(value, f"build.{key}")


@dataclass(frozen=True)
class Phase:
    """A stretch of the process's life that has ended; on a device it ends when its result has reached the host."""

    kind: ClassVar[str] = "phase"
    name: str
    begin_ns: int
    end_ns: int
    epoch: float | None = None
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        _one_of(self.name, ONCE_PHASES + EPOCH_PHASES, "name")
        _whole(self.begin_ns, "begin_ns")
        _whole(self.end_ns, "end_ns")
        _require(
            self.end_ns >= self.begin_ns, f"phase {self.name} ends {self.begin_ns - self.end_ns} ns before it begins"
        )
        if self.name in EPOCH_PHASES:
            _require(self.epoch is not None, f"phase {self.name} needs `epoch`")
            _number(self.epoch, "epoch")
        else:
            _require(self.epoch is None, f"phase {self.name} has no `epoch`")


@dataclass(frozen=True)
class Epoch:
    """The result of one epoch: ``steps`` and ``images`` trained since the last one, mean ``loss``, and an evaluation
    in whole numbers.
    """

    kind: ClassVar[str] = "epoch"
    epoch: float
    steps: int
    images: int
    loss: float
    correct: int
    total: int
    view: str
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        _number(self.epoch, "epoch")
        _whole(self.steps, "steps")
        _whole(self.images, "images")
        _number(self.loss, "loss")
        _whole(self.correct, "correct")
        _whole(self.total, "total", 1)
        _require(self.correct <= self.total, f"`correct` ({self.correct}) is more than `total` ({self.total})")
        _one_of(self.view, VIEWS, "view")


#: The fields for the level of the prefetch buffer in one epoch.
_LEVEL = ("level_samples", "level_mean", "level_capacity", "level_empty_share")


@dataclass(frozen=True)
class Waits:
    """How long the steps of an epoch waited for input: ``counts[i]`` waits fell below ``edges_us[i]``, the last above
    all.

    ``floor_us`` is what a wait costs when nothing has to be waited for. ``sum_us`` (optional) is the sum of all
    waits, which the histogram alone cannot give. The level of the prefetch buffer (optional), where it can be seen:
    ``level_samples`` looks found ``level_mean`` batches ready of ``level_capacity``, and ``level_empty_share`` of the
    looks none: all four are given, or none. No time is below 0.
    """

    kind: ClassVar[str] = "waits"
    epoch: float
    edges_us: list[float]
    counts: list[int]
    floor_us: float
    sum_us: float | None = None
    level_samples: int | None = None
    level_mean: float | None = None
    level_capacity: int | None = None
    level_empty_share: float | None = None
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        _number(self.epoch, "epoch")
        _at_least_0(self.floor_us, "floor_us")
        if self.sum_us is not None:
            _at_least_0(self.sum_us, "sum_us")
        self._check_level()
        _require(
            isinstance(self.edges_us, list) and isinstance(self.counts, list), "`edges_us` and `counts` must be lists"
        )
        for edge in self.edges_us:
            _at_least_0(edge, "edges_us")
        for count in self.counts:
            _whole(count, "counts")
        _require(len(self.counts) == len(self.edges_us) + 1, "`counts` must have one entry more than `edges_us`")
        _require(list(self.edges_us) == sorted(self.edges_us), "`edges_us` must increase")

    def _check_level(self) -> None:
        given = [name for name in _LEVEL if getattr(self, name) is not None]
        if not given:
            return
        missing = [name for name in _LEVEL if name not in given]
        _require(not missing, f"`{given[0]}` without {', '.join(missing)}: give all fields of the level or none")
        assert self.level_mean is not None and self.level_capacity is not None and self.level_empty_share is not None
        _whole(self.level_samples, "level_samples")
        _whole(self.level_capacity, "level_capacity")
        _at_least_0(self.level_mean, "level_mean")
        _at_least_0(self.level_empty_share, "level_empty_share")
        mean, capacity, share = self.level_mean, self.level_capacity, self.level_empty_share
        _require(mean <= capacity, f"`level_mean` ({mean}) is more than `level_capacity` ({capacity})")
        _require(share <= 1, f"`level_empty_share` is a share of the looks, so at most 1, not {_shown(share)}")


@dataclass(frozen=True)
class _Remark:
    message: str
    hint: str = ""
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        _text(self.message, "message")
        _text(self.hint, "hint")


@dataclass(frozen=True)
class Warning(_Remark):
    """Something a reader of the result should know."""

    kind: ClassVar[str] = "warning"


@dataclass(frozen=True)
class Error(_Remark):
    """Why the trainer gives up, in one sentence, and what to do about it; ``code`` (optional) names the kind of error.

    The harness knows ``no-gpu``: the device that was asked for is not there, or TensorFlow cannot use it.
    """

    kind: ClassVar[str] = "error"
    code: str | None = None

    def check(self) -> None:
        super().check()
        if self.code is not None:
            _text(self.code, "code")


@dataclass(frozen=True)
class Done:
    """The last event. ``emit_ns`` (optional) is the time the trainer spent writing its ``events`` events, its own
    account.
    """

    kind: ClassVar[str] = "done"
    status: str
    events: int | None = None
    emit_ns: int | None = None
    run: int = 0
    t_ns: int = 0

    def check(self) -> None:
        _text(self.status, "status")
        for name in ("events", "emit_ns"):
            if getattr(self, name) is not None:
                _whole(getattr(self, name), name)


Event = Union[Hello, Phase, Epoch, Waits, Warning, Error, Done]
KINDS: dict[str, type[Event]] = {cls.kind: cls for cls in (Hello, Phase, Epoch, Waits, Warning, Error, Done)}
_FIELDS = {name: frozenset(f.name for f in fields(cls)) for name, cls in KINDS.items()}


def to_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object: ``v`` and ``event`` first, optional fields that are not given left out."""
    body = {f.name: getattr(event, f.name) for f in fields(event)}
    return {"v": VERSION, "event": event.kind, **{key: value for key, value in body.items() if value is not None}}


def encode(event: Event) -> str:
    """One line, without its newline. Raises ProtocolError where the event breaks a rule, NaN and infinity among
    them.
    """
    event.check()
    return json.dumps(to_json(event), separators=(",", ":"), allow_nan=False)


def _no_constant(name: str) -> None:
    raise ProtocolError(f"a number is {name}, which is no JSON number")


def from_json(body: object) -> Event:
    """The event in a decoded JSON object. Raises ProtocolError with one sentence; fields it does not know are
    ignored.
    """
    if not isinstance(body, dict):
        raise ProtocolError(f"an event must be a JSON object, not {type(body).__name__}")
    if body.get("v") != VERSION:
        raise ProtocolError(f"`v` must be {VERSION}, not {_shown(body.get('v'))}")
    name = body.get("event")
    if not isinstance(name, str) or name not in KINDS:
        raise ProtocolError(f"`event` must be one of {', '.join(KINDS)}, not {_shown(name)}")
    cls = KINDS[name]
    for key in ("run", "t_ns"):
        _require(key in body, f"event {name} lacks `{key}`")
        _whole(body[key], key)
    known = _FIELDS[name]
    required = (f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)
    missing = [f"`{name}`" for name in required if name not in body]
    _require(not missing, f"event {name} lacks {', '.join(missing)}")
    event = cls(**{key: value for key, value in body.items() if key in known})
    event.check()
    return event


def decode(line: str | bytes) -> Event:
    """The event in one line. Raises ProtocolError with one sentence for anything that is not an event of this
    version.
    """
    _require(len(line) <= MAX_LINE_BYTES, f"a line of {len(line)} bytes is longer than {MAX_LINE_BYTES}")
    try:
        body = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8, or an integer of thousands of digits
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError(f"not a line of JSON ({type(error).__name__})") from None
    return from_json(body)


@dataclass
class Writer:
    """Writes events to the harness; without one (``path`` None) it does nothing, so a trainer can be used alone.

    Stamps ``t_ns`` and ``run``, counts its events and the nanoseconds it spent on them.
    """

    path: Path | None = None
    run: int = 0
    events: int = 0
    emit_ns: int = 0
    _stream: Any = field(default=None, repr=False)

    @classmethod
    def from_environment(cls) -> Writer:
        """The writer for ``BENCH_EVENTS``, or one that does nothing where the variable is not set."""
        name = os.environ.get(EVENTS_VARIABLE)
        return cls(Path(name)) if name else cls(None)

    def __enter__(self) -> Writer:
        if self.path is not None:
            self._stream = open(self.path, "w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    @property
    def predictions_path(self) -> Path | None:
        """Where ``predictions.u8`` belongs, or None without a harness."""
        return None if self.path is None else self.path.parent / PREDICTIONS_FILE

    def write_predictions(self, classes: bytes) -> None:
        """Put ``predictions.u8`` in place whole: a reader sees the old file or the new one, never half of one."""
        path = self.predictions_path
        if path is None:
            return
        part = path.with_name(f".{path.name}.{os.urandom(8).hex()}.part")
        with open(part, "xb") as stream:  # A new file under an unguessable name: no link in its place is followed.
            stream.write(classes)
        part.replace(path)

    def emit(self, event: Event) -> None:
        """Stamp and write one event at once."""
        if self._stream is None:
            return
        began = time.monotonic_ns()
        self._stream.write(encode(replace(event, run=self.run, t_ns=began)) + "\n")
        self._stream.flush()
        self.events += 1
        self.emit_ns += time.monotonic_ns() - began
