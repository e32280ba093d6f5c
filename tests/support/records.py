"""Runs as ``events.jsonl`` tells them, made to measure, for tests of everything that reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.record import (
    TELEMETRY_FILE,
    Configuration,
    Record,
    StoredAblation,
    Variant,
    build_record,
    seed_folder,
    write_experiment,
)
from bench.record.ticks import TelemetrySample
from resnet9.recipe import load_all
from tests.support.machines import Machine, telemetry_text

NS = 1_000_000_000
ONCE_SECONDS = {"import": 3.0, "device_init": 1.0, "data_load": 0.5, "compile": 20.0, "build": 0.25, "preprocess": 0.75}


@dataclass(frozen=True)
class Run:
    """What happens in one run; ``lines()`` are its events, ``record()`` their fold.

    Phases follow each other ``pause_seconds`` apart (0: contiguous), each epoch being train, eval and a
    checkpoint where it has one.
    ``status`` other than done cuts the events after the last epoch given.
    """

    seed: int = 0
    correct: Sequence[int] = (4000, 9000, 9399, 9400, 9500)
    total: int = 10_000
    epochs: int = 5
    train_seconds: float = 10.0
    eval_seconds: float = 2.0
    checkpoint_seconds: float = 0.0
    final_eval_seconds: float = 0.0
    exit_seconds: float = 0.5
    pause_seconds: float = 0.0
    once_seconds: dict[str, float] = field(default_factory=lambda: dict(ONCE_SECONDS))
    target_percent: float = 94.0
    recipe: str = "page24"
    dataset: str = "cifar10"
    dataset_state: str = "canonical"
    runs: int = 1
    status: str = "done"
    git_dirty: bool = False
    spawned_ns: int = 1_000 * NS
    delay_ns: int = 1_000_000
    recounted: bool = True
    machine: Machine | None = None
    hello: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)

    def lines(self) -> list[dict[str, Any]]:
        """The lines of ``events.jsonl``, decoded."""
        return _Teller(self).tell()

    def text(self) -> str:
        """``events.jsonl`` as it is on disk."""
        return "".join(json.dumps(line) + "\n" for line in self.lines())

    def ticks(self) -> list[TelemetrySample] | None:
        """The rows of ``telemetry.csv``; None without a machine that was watched."""
        if self.machine is None:
            return None
        lines = self.lines()
        phases = [line for line in lines if line["event"] == "phase" and line["name"] == "train_k"]
        exited_ns = next(line["exited_ns"] for line in lines if line["event"] == "harness_end")
        training = [(line["begin_ns"], line["end_ns"]) for line in phases]
        return self.machine.ticks(self.spawned_ns, exited_ns, training)

    def record(self) -> Record:
        """The record of the run, without a verdict."""
        return build_record(self.lines(), telemetry=self.ticks())


class _Teller:
    """Tells a run's events in order while a clock of its own goes on."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.now_ns = run.spawned_ns
        self.told: list[dict[str, Any]] = []
        self.training: list[tuple[int, int]] = []

    def tell(self) -> list[dict[str, Any]]:
        run = self.run
        if run.machine is not None:
            self._own("harness_sampler", **run.machine.sampler_line())
        self._own("harness_start", **self._start())
        self._edge("spawn")
        first = True
        for name, seconds in run.once_seconds.items():
            self._phase(name, seconds)
            if first:
                self._event("hello", **self._hello())
                self._edge("hello")
            first = False
        crossed = False
        for index, correct in enumerate(run.correct):
            epoch = index + 1
            self._phase("train_k", run.train_seconds, epoch=epoch)
            self._phase("eval_k", run.eval_seconds, epoch=epoch)
            last = epoch == run.epochs
            if last and run.final_eval_seconds:
                self._phase("final_eval", run.final_eval_seconds)
            self._event(
                "epoch",
                epoch=epoch,
                steps=97,
                images=49_664,
                loss=2.0 / epoch,
                correct=correct,
                total=run.total,
                view="plain",
            )
            crosses = not crossed and 100 * correct >= run.target_percent * run.total
            crossed = crossed or crosses
            if run.recounted and (crosses or last):
                self._own("harness_recount", epoch=epoch, correct=correct, total=run.total)
            if run.checkpoint_seconds:
                self._phase("checkpoint_k", run.checkpoint_seconds, epoch=epoch)
        if run.status == "done":
            self._phase("exit", run.exit_seconds)
            self._event("done", status="done", events=len(self.told), emit_ns=len(self.told) * 40_000)
            self._edge("done")
        self._edge("exit")
        self._own("harness_end", **self._end())
        return self.told

    def _phase(self, name: str, seconds: float, **more: Any) -> None:
        begin_ns, self.now_ns = self.now_ns, self.now_ns + round(seconds * NS)
        self._event("phase", name=name, begin_ns=begin_ns, end_ns=self.now_ns, **more)
        self.training += [(begin_ns, self.now_ns)] if name == "train_k" else []
        self._edge(name, **more)
        self.now_ns += round(self.run.pause_seconds * NS)

    def _edge(self, name: str, **more: Any) -> None:
        if self.run.machine is not None:
            read = self.run.machine.edge(self.now_ns, self.run.spawned_ns, self.training)
            self._own("harness_edge", edge=name, t_ns=self.now_ns, **more, **read)

    def _event(self, kind: str, **body: Any) -> None:
        received_ns = self.now_ns + self.run.delay_ns
        self.told.append({"v": 1, "event": kind, "run": 0, "t_ns": self.now_ns, **body, "received_ns": received_ns})

    def _own(self, kind: str, **body: Any) -> None:
        self.told.append({"event": kind, **body, "received_ns": self.now_ns + self.run.delay_ns})

    def _hello(self) -> dict[str, Any]:
        run = self.run
        recipe = {"name": run.recipe, "sha256": "ab" * 32, "target_percent": run.target_percent, "epochs": run.epochs}
        return {
            "trainer": "resnet9 0.1.0",
            "framework": "tensorflow 2.21.0",
            "runs": run.runs,
            "seed": run.seed,
            "recipe": {**recipe, "steps_per_epoch": 97, "batch": 512},
            "dataset": {"name": run.dataset, "sha256": "cd" * 32, "state": run.dataset_state},
            "precision": "bf16",
            "input": "host",
            "device": {"kind": "cpu", "name": "Some CPU", "uuid": ""},
            "threads": 2,
            "xla": {"on": False, "flags": ""},
            **run.hello,
        }

    def _start(self) -> dict[str, Any]:
        run = self.run
        return {
            "v": 1,
            "seed": run.seed,
            "argv": ["python", "-m", "resnet9", "train", "--seed", str(run.seed)],
            "spawned_ns": run.spawned_ns,
            "utc": "2026-03-04T05:06:07+00:00",
            "fingerprint": {"git.commit": "c" * 40, "git.dirty": run.git_dirty},
            "target_percent": run.target_percent,
            "test_images": run.total,
            **run.start,
        }

    def _end(self) -> dict[str, Any]:
        run, done = self.run, self.run.status == "done"
        return {
            "exit_code": 0 if done else 5,
            "signal": None,
            "status": run.status,
            "reason": "" if done else "the trainer left with exit code 5",
            "exited_ns": self.now_ns,
            "trainer_cpu_seconds": 120.5,
            "peak_memory_bytes": 2_000_000_000,
            "harness_cpu_seconds": 0.05,
            "harness_voluntary_switches": 40,
            "harness_involuntary_switches": 3,
            "events": sum(1 for line in self.told if not line["event"].startswith("harness_")),
            **run.end,
        }


def changed(lines: list[dict[str, Any]], event: str, nth: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """The lines with fields of the ``nth`` event of a kind changed."""
    index = [i for i, line in enumerate(lines) if line["event"] == event][nth]
    return [*lines[:index], {**lines[index], **changes}, *lines[index + 1 :]]


CONFIGURATION = Configuration(
    recipe="page24", recipe_sha256="", dataset="cifar10", dataset_sha256="", dataset_state="canonical", input="host",
    precision="bf16", device="cpu", trainer="resnet9", target_percent=94.0, threads=2,
)  # fmt: skip


def write_campaign(
    folder: Path, runs: Sequence[Run], configuration: Mapping[str, Any] = MappingProxyType({}), **changes: Any
) -> Path:
    """A finished campaign's folder with these runs, as the harness leaves it before any table is made."""
    folder.mkdir(parents=True)
    one = runs[0] if runs else Run()
    shipped = load_all().get(one.recipe)
    own = {"recipe": one.recipe, "dataset": one.dataset, "dataset_state": one.dataset_state}
    own["recipe_sha256"] = "" if shipped is None else shipped.sha256
    body = {
        "schema": 1,
        "configuration": {
            **asdict(CONFIGURATION), **own, "target_percent": one.target_percent, **configuration,
        },
        "seeds": [run.seed for run in runs],
        "created_utc": "2026-03-04T05:06:07+00:00",
        "claims": dict.fromkeys(("author", "email", "hardware", "cost_per_hour", "code_url")),
        "status": "finished",
        **changes,
    }  # fmt: skip
    (folder / "campaign.json").write_text(json.dumps(body))
    for run in runs:
        place = seed_folder(folder, run.seed)
        place.mkdir()
        (place / "events.jsonl").write_text(run.text())
        ticks = run.ticks()
        if ticks is not None:
            (place / TELEMETRY_FILE).write_text(telemetry_text(ticks))
    return folder


def variant(name: str, against: str = "", **changes: Any) -> Variant:
    """A variant of an ablation, called as its recipe; one that is ``against`` nothing is the base."""
    one = Variant(
        name=name, technique=f"with {name}" if against else "base", recipe=f"mine:{name}", recipe_sha256="ab" * 32,
        input="host", epochs=5.0, view="plain", decides="accuracy", against=against,
        changes=(f"{name} true instead of false",) if against else (),
    )  # fmt: skip
    return replace(one, **changes)


def ablation(*variants: Variant, seeds: Sequence[int] = (0, 1, 2, 3), **changes: Any) -> StoredAblation:
    """What an ablation of these variants declares."""
    stored = StoredAblation(
        schema=1, set="mine", sha256="ef" * 32, title="Mine", question="What does it buy?", proxy="A small one.",
        spread_percent=0.3, spread_source="assumed", throughput_spread=0.03, variants=variants, seeds=tuple(seeds),
        configuration={"dataset": "cifar10", "dataset_state": "canonical", "device": "cpu", "threads": 2},
        created_utc="2026-03-04T05:06:07Z",
    )  # fmt: skip
    return replace(stored, **changes)


def ablation_folder(folder: Path, stored: StoredAblation, runs: Mapping[str, Sequence[Run]]) -> Path:
    """The folder of an ablation with these runs of its variants, as the harness leaves it before any table is made."""
    folder.mkdir(parents=True)
    for name, each in runs.items():
        write_campaign(folder / name, each)
    write_experiment(stored, folder)
    return folder


def finals(*percents: float, **changes: Any) -> list[Run]:
    """Runs with seeds 0, 1, ... that end with these accuracies."""
    return [
        replace(Run(), seed=seed, correct=(4000, 8000, 9000, 9100, round(100 * percent)), **changes)
        for seed, percent in enumerate(percents)
    ]


def five_seeds() -> list[Run]:
    """Five seeds as a good card gives them: four reach the target, one misses by an image, times close together."""
    finals = (9408, 9421, 9399, 9415, 9402)
    return [
        replace(Run(), seed=seed, correct=(4000, 8000, 9000, 9300, final), train_seconds=10.0 + seed / 10)
        for seed, final in enumerate(finals)
    ]
