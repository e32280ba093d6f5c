"""The project's own images and a whole campaign in a container of a real Docker engine, without a GPU."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from bench.containers import catalog, launch_spec, registry, spec
from bench.containers.launch_spec import ContainerTarget
from bench.containers.spec import Choice, Inspected, Mount
from tests.e2e.docker.conftest import DOCKER, REGISTRY, ROOT, Engine, build, make
from tests.support import fake_nvml

pytestmark = pytest.mark.slow

CPU = catalog.read().find("cpu")
SMOKE = ("--smoke", "--device", "cpu", "--warm-up", "0", "--docker", DOCKER)


def bench(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bench", *words]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True)


def started(out: Path, *words: str) -> subprocess.Popen[str]:
    """A campaign in a container, under way: it has greeted."""
    argv = [sys.executable, "-m", "bench", "run", *SMOKE, "--image", "cpu", "--seeds", "0,", "--out", str(out), *words]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    events, until = out / "seed-000" / "events.jsonl", time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if events.exists() and '"hello"' in events.read_text():
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[0])


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def record(out: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / "seed-000" / "record.json").read_text())
    return loaded


def placed(engine: Engine) -> ContainerTarget:
    """The place of runs in the image `cpu`, as the harness would make it."""
    inspected = Inspected(engine.docker("image", "inspect", "--format", "{{.Id}}", CPU.locator).stdout.strip())
    return ContainerTarget(spec.Engine(DOCKER, "test"), Choice(CPU, "a test"), inspected, spec.STANDIN, "test")


@pytest.fixture(scope="module")
def campaign(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One seed by `make bench`, in the container."""
    out = tmp_path_factory.mktemp("contained") / "campaign"
    words = ("RECIPE=smoke", "DEVICE=cpu", "SEEDS=0,", "WARMUP=0", "WHERE=container", "IMAGE=cpu", f"OUT={out}")
    done = make("bench", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_a_campaign_in_a_container_ends_well_and_leaves_no_container(engine: Engine, campaign: Path) -> None:
    (run,) = rows(campaign / "runs.csv")
    assert (run["status"], run["dataset"]) == ("done", "synthetic")
    assert float(run["final_accuracy_percent"]) > 94
    assert engine.containers() == []


def test_its_results_are_in_form_and_in_accuracy_those_of_a_native_run(campaign: Path, tmp_path: Path) -> None:
    done = bench("run", *SMOKE, "--seeds", "0,", "--where", "native", "--out", str(tmp_path / "native"))
    assert done.returncode == 0, done.stderr

    def files(out: Path) -> list[str]:
        return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())

    def filled(row: dict[str, str]) -> set[str]:
        return {column for column, cell in row.items() if cell != ""}

    assert files(campaign) == files(tmp_path / "native")
    for name in ("runs.csv", "epochs.csv", "summary.csv"):
        here, there = rows(campaign / name), rows(tmp_path / "native" / name)
        assert [filled(row) for row in here] == [filled(row) for row in there]
    accuracies = [[row["correct"] for row in rows(out / "epochs.csv")] for out in (campaign, tmp_path / "native")]
    assert accuracies[0] == accuracies[1]


def test_its_record_says_what_it_ran_in_and_that_it_is_not_to_be_published(campaign: Path) -> None:
    found = record(campaign)
    fingerprint = found["fingerprint"]
    assert fingerprint["image.pinning"] == "stand-in"
    assert fingerprint["image"].startswith("resnet9-bench:cpu@sha256:")
    assert f"{spec.BASE_LABEL}=standin-base:py311" in fingerprint["image.labels"]
    assert "image" in [reason["rule"] for reason in found["verdict"]["reasons"]]
    assert found["trainer_cpu_seconds"] > 5
    assert found["peak_memory_bytes"] > 200e6
    # All of its life is on a clock, the start of the container among it.
    assert "gaps" not in [reason["rule"] for reason in found["verdict"]["reasons"]]


def test_a_second_build_has_nothing_to_do(engine: Engine) -> None:
    assert engine.second_build_seconds < engine.first_build_seconds / 3


def test_term_ends_a_run_within_five_seconds_and_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    process = started(tmp_path / "campaign")
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "Stopped." in out
    assert engine.containers() == []


def test_a_harness_that_is_killed_leaves_a_container_that_the_next_command_removes(
    engine: Engine, tmp_path: Path
) -> None:
    process = started(tmp_path / "campaign")
    process.kill()
    process.communicate()
    (left,) = engine.containers()
    done = bench("run", *SMOKE, "--image", "cpu", "--seeds", "0,", "--out", str(tmp_path / "campaign"))
    assert done.returncode == 0, done.stderr
    assert f"Removed what an earlier command had left running: {left}." in done.stdout
    assert engine.containers() == []


def test_the_trainers_own_exit_code_comes_through(engine: Engine, tmp_path: Path) -> None:
    recipe = tmp_path / "my.json"
    # Refused by the trainer alone: the harness reads the recipe, and no CPU has fp16.
    recipe.write_text(json.dumps({"mine": {"extends": "smoke", "summary": "s"}}))
    words = ("run", "--recipe", f"{recipe}:mine", "--data", "synthetic", "--device", "cpu", "--precision", "fp16")
    done = bench(*words, "--warm-up", "0", "--image", "cpu", "--docker", DOCKER, "--out", str(tmp_path / "campaign"))
    assert done.returncode == 2
    assert "has no fp16 arithmetic" in done.stderr
    assert engine.containers() == []


def run_in_container(engine: Engine, script: str, uid: int, *mounts: Mount) -> subprocess.CompletedProcess[str]:
    """A shell script as a run would be started, by another user."""
    env = {"CUDA_CACHE_PATH": "/nowhere"}
    run = launch_spec.contained(placed(engine), ("sh", "-c", script), env, f"test-{os.getpid()}", mounts)
    argv = spec.argv(replace(run, uid=uid, gid=uid))
    return subprocess.run([*argv[:2], "--rm", *argv[2:]], capture_output=True, text=True)


def test_inside_is_the_calling_user_without_network_capabilities_or_a_way_to_write_but_the_runs_folder(
    engine: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    os.chown(folder, 10_001, 10_001)
    script = (
        "id -u; ls /sys/class/net; grep CapEff /proc/self/status; touch /bench/run-1/here /tmp/there; "
        "for place in /bench/checkout/x /opt/x /x; do touch $place 2>&1; done; id -un 2>/dev/null; echo $HOME"
    )
    mount = Mount(folder, PurePosixPath("/bench/run-1"), read_only=False)
    done = run_in_container(engine, script, 10_001, mount)
    lines = done.stdout.splitlines()
    assert lines[:3] == ["10001", "lo", "CapEff:\t0000000000000000"]
    assert sum("Read-only file system" in line for line in lines) == 3
    assert lines[-1] == "/tmp"
    assert (folder / "here").stat().st_uid == 10_001


def test_a_signal_inside_is_reported_as_a_shell_does(engine: Engine) -> None:
    assert run_in_container(engine, "kill -KILL $$", 10_001).returncode == 137
    assert run_in_container(engine, "exit 7", 10_001).returncode == 7


def test_the_engine_refuses_a_gpu_without_the_toolkit_and_that_is_one_sentence(engine: Engine, tmp_path: Path) -> None:
    library = fake_nvml.build(tmp_path)
    scenario = fake_nvml.scenario(tmp_path / "scenario", profile="A100")
    ctk = tmp_path / "nvidia-ctk"
    ctk.write_text("#!/bin/sh\necho 'NVIDIA Container Toolkit CLI version 1.17.8'\n")
    ctk.chmod(0o755)
    found = fake_nvml.environ(library, scenario)
    environ = {key: found[key] for key in ("LD_LIBRARY_PATH", fake_nvml.VARIABLE)}
    words = ("run", "--smoke", "--seeds", "1", "--warm-up", "0", "--image", f"{REGISTRY}/cpu:1", "--docker", DOCKER)
    engine.docker("tag", CPU.locator, f"{REGISTRY}/cpu:1")

    done = bench(*words, "--out", str(tmp_path / "out"), PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", **environ)

    assert done.returncode == 4
    assert "sudo nvidia-ctk runtime configure --runtime=docker" in done.stderr
    assert engine.containers() == []


def test_a_digest_is_pulled_by_and_a_wrong_one_refused(engine: Engine, tmp_path: Path) -> None:
    tagged = f"{REGISTRY}/resnet9/cpu:1"
    engine.docker("tag", CPU.locator, tagged)
    engine.docker("push", tagged)
    engine.docker("image", "rm", tagged)
    digest = registry.resolve(tagged).digest
    words = ("run", *SMOKE, "--seeds", "0,", "--image")
    wrong = f"sha256:{'0' * 64}"
    refused = bench(*words, f"{REGISTRY}/resnet9/cpu@{wrong}", "--out", str(tmp_path / "wrong"))
    assert refused.returncode == 4
    assert f"{REGISTRY} has no image of this name, tag or digest" in refused.stderr
    assert not (tmp_path / "wrong").exists()

    right = bench(*words, f"{REGISTRY}/resnet9/cpu@{digest}", "--out", str(tmp_path / "right"))
    assert right.returncode == 0, right.stderr
    assert f"Pulling {REGISTRY}/resnet9/cpu@{digest}" in right.stdout
    assert record(tmp_path / "right")["fingerprint"]["image"] == f"cpu@{digest}"


def test_an_image_is_tried_before_anybody_relies_on_it(engine: Engine) -> None:
    done = bench("image", "accept", "--image", "cpu", "--device", "cpu", "--docker", DOCKER, "--no-tests", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   TensorFlow as pinned: 2.21.0, pinned 2.21.0" in done.stdout
    assert "ok   convolution in fp32, compiled: relative error" in done.stdout


def test_a_trainer_of_ones_own_runs_in_a_container_of_its_own(engine: Engine, tmp_path: Path) -> None:
    # Of this environment a trainer gets what is recorded, and not where this engine listens.
    here = f"env DOCKER_HOST={os.environ['DOCKER_HOST']}"
    trainer = f"{here} examples/in_docker.sh {CPU.locator} python3 examples/minimal_trainer.py"
    done = bench("check-trainer", trainer, "--device", "cpu", "--data", "synthetic")
    assert done.returncode == 0, done.stdout + done.stderr
    assert engine.containers() == []


def test_the_all_in_one_image_runs_a_campaign_as_any_user_read_only_and_without_network(
    engine: Engine, tmp_path: Path
) -> None:
    build("all-in-one", CPU.locator)
    labels = json.loads(
        engine.docker("image", "inspect", "--format", "{{json .Config.Labels}}", "resnet9-bench:all-in-one").stdout
    )
    assert labels["org.opencontainers.image.base.name"] == CPU.locator
    assert len(labels["org.opencontainers.image.revision"].partition("-")[0]) == 40
    results = tmp_path / "results"
    results.mkdir()
    os.chown(results, 10_002, 10_002)
    flags = ("--rm", "--init", "--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=10002:10002")
    command = ("bench", "run", "--smoke", "--seeds", "0,", "--warm-up", "0")
    done = engine.docker(
        "run", *flags, f"--volume={results}:/results", "resnet9-bench:all-in-one", *command, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (out,) = results.iterdir()
    assert {path.stat().st_uid for path in out.rglob("*")} == {10_002}
    fingerprint = record(out)["fingerprint"]
    assert fingerprint["git.commit"] == labels["org.opencontainers.image.revision"].partition("-")[0]
    assert fingerprint["image"] == "(withheld)"  # a base without a digest says nothing that anybody could check
    assert "image" in [reason["rule"] for reason in record(out)["verdict"]["reasons"]]
