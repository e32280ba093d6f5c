"""The harness killed at any moment: the same command again finishes the campaign and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.record import load_campaign
from tests.support.scripted_process import PRELUDE

ROOT = Path(__file__).parents[2]
#: `python -m bench run` with a trainer that takes a third of a second and a dataset of 2,000 labels.
PROGRAM = (
    PRELUDE
    + """
table = {"name": "smoke", "sha256": smoke.sha256, "target_percent": 94.0, "epochs": 3, "steps_per_epoch": 5, "batch": 4}
steps = [["hello", {"recipe": table}], ["phase", {"name": "import"}]]
for number, right in ((1, 100), (2, 1880), (3, 1881)):
    steps += [["sleep", 0.1], ["phase", {"name": "train_k", "epoch": number}]]
    steps += [["predict", str(folder / "labels.u8"), right]]
    steps += [["epoch", {"epoch": number, "correct": right, "total": 2000}]]
(folder / "script.json").write_text(json.dumps([*steps, ["done"]]))
script = [sys.executable, "-I", "-S", root + "/tests/support/scripted_trainer.py", str(folder / "script.json")]
trainers.TRAINERS["resnet9"] = lambda request: script
sys.exit(main(["run", "--device", "cpu", "--seeds", "3", "--out", str(folder / "campaign")]))
"""
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    with open(folder / "said", "ab") as said:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(ROOT), str(folder)], env=env, stdout=said, stderr=said
        )


def finished(campaign: Path) -> dict[str, str]:
    """The events of the runs that are done, by folder, as a hash."""
    ends = {path: path.read_bytes() for path in campaign.glob("seed-???/events.jsonl")}
    return {
        str(path): hashlib.sha256(text).hexdigest()
        for path, text in ends.items()
        if b'"status":"done","reason":""' in text
    }


def trainers_of(folder: Path) -> list[int]:
    """Processes whose command line names this folder's script."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder / "script.json").encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def kill_and_continue(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    number = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    campaign, kept = folder / "campaign", dict[str, str]()
    for _ in range(3):
        harness = start(folder)
        time.sleep(chance.uniform(0, 4))
        harness.send_signal(number)
        code = harness.wait(30)
        assert code in (0, 130, -number), (folder / "said").read_text()

        now = finished(campaign)
        assert kept.items() <= now.items(), "a finished run was lost or changed"
        kept = now
        if (campaign / "campaign.json").exists():
            assert json.loads((campaign / "campaign.json").read_text())["seeds"] == [0, 1, 2]
            load_campaign(campaign)
        deadline = time.monotonic() + 10
        while trainers_of(folder):
            assert time.monotonic() < deadline, "a trainer outlived its harness"
            time.sleep(0.02)

    assert start(folder).wait(60) == 0, (folder / "said").read_text()
    assert "Traceback" not in (folder / "said").read_text()
    assert kept.items() <= finished(campaign).items()
    records = load_campaign(campaign).records
    assert [(record.seed, record.status, record.crossing_index) for record in records] == [
        (seed, "done", 1) for seed in range(3)
    ]
    assert all((campaign / f"seed-{seed:03d}" / "record.json").exists() for seed in range(3))
    assert len((campaign / "runs.csv").read_text().splitlines()) == 4
    assert not list(campaign.glob("**/*.part"))
    assert not list(campaign.glob("seed-???/events.fifo"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_harness_killed_at_some_moments_loses_nothing(tmp_path: Path, seed: int) -> None:
    kill_and_continue(tmp_path, seed)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(3, 60))
def test_a_harness_killed_at_any_moment_loses_nothing(tmp_path: Path, seed: int) -> None:
    kill_and_continue(tmp_path, seed)
