"""``bench run`` in a container, beside a fake engine: what it asks of it, what it records, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.campaign import runner
from bench.campaign.plan import Plan
from bench.containers import catalog, selection, spec
from bench.containers.launch_spec import ContainerTarget
from bench.launch import launch
from bench.probes.device import Device
from tests.support import fake_engine
from tests.support.scripted_bench import Bench, installed

DIGEST = f"sha256:{'a' * 64}"
PULLED = f"registry.example/tensorflow@{DIGEST}"
CPU = catalog.read().find("cpu")
LABELS = selection.recipe(CPU)
Start = Callable[..., Path]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    return installed(Bench, tmp_path, monkeypatch, capfd)


def record(bench: Bench, seed: int = 0) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((bench.folder / f"seed-{seed:03d}" / "record.json").read_text())
    return loaded


def test_a_campaign_runs_each_seed_in_a_container_of_its_own_and_leaves_none(bench: Bench, engine: Start) -> None:
    state = engine()

    code, out, err = bench("--image", "cpu", "--seeds", "2")

    assert (code, err) == (0, "")
    assert "In the image cpu (resnet9-bench:cpu), by docker 27.0.1: IMAGE=cpu names it." in out
    assert "not to be published" not in out
    started = [words for words in fake_engine.calls(state) if words[0] == "run"]
    assert len({next(word for word in words if word.startswith("--name=")) for words in started}) == 2
    assert fake_engine.containers(state) == []
    assert {row["status"] for row in bench.runs().values()} == {"done"}
    assert {row["reached_epoch"] for row in bench.runs().values()} == {"2.0"}


def test_the_record_has_image_digest_labels_and_flags_and_no_path_of_this_host(bench: Bench, engine: Start) -> None:
    engine()
    bench("--image", "cpu", "--seeds", "1")

    found = record(bench)
    fingerprint = found["fingerprint"]
    assert fingerprint["image"] == f"resnet9-bench:cpu@sha256:{'f' * 64}"
    assert fingerprint["image.pinning"] == "built"
    assert f"{spec.LOCK_LABEL}={LABELS[spec.LOCK_LABEL]}" in fingerprint["image.labels"]
    # Not the registry that it came from, as of every image.
    base = CPU.base.partition("/")[2]
    assert f"{spec.BASE_LABEL}=(withheld)/{base}" in fingerprint["image.labels"]
    assert {"--network=none", "--read-only", "--mount=checkout:ro", "--mount=run:rw"} <= {*fingerprint["run.flags"]}
    assert fingerprint["run.engine"] == "docker 27.0.1"
    assert found["leftover_processes"] is None
    assert found["argv"][0] == "python"
    # Of our own environment, in which the trainer did not run, nothing is told.
    assert not any(name.startswith("package.") for name in fingerprint)
    assert fingerprint["python.version"] is None
    assert str(bench.place) not in json.dumps(found)
    configuration = json.loads((bench.folder / "campaign.json").read_text())["configuration"]
    assert configuration["image"] == fingerprint["image"]


def test_two_runs_of_one_image_differ_in_nothing_that_keeps_them_apart(bench: Bench, engine: Start) -> None:
    engine()
    _, out, _ = bench("--image", "cpu", "--seeds", "2")
    assert "one sample" not in out
    one, other = record(bench, 0)["fingerprint"], record(bench, 1)["fingerprint"]
    assert one["run.flags"] == other["run.flags"]


def test_a_run_in_a_container_and_one_without_are_never_one_campaign(bench: Bench, engine: Start) -> None:
    engine()
    assert bench("--image", "cpu", "--seeds", "1", "--out", "both")[0] == 0
    code, _, err = bench("--where", "native", "--seeds", "2", "--out", "both")
    assert code == 6
    assert "holds another configuration: image 'resnet9-bench:cpu@" in err


def test_the_trainers_cpu_time_is_found_though_it_is_no_child_of_ours(bench: Bench, engine: Start) -> None:
    bench.scripts[0] = [
        bench.hello(),
        ["phase", {"name": "train_k", "epoch": 1}],
        ["ticks", 6],
        *bench.honest(1880)[1:],
    ]
    engine()
    bench("--image", "cpu", "--seeds", "1")

    found = record(bench)
    assert 0 < found["trainer_cpu_seconds"] < 10
    # The fake's client is a whole Python, which a glance at our own child would have shown.
    assert found["peak_memory_bytes"] > 1_000_000


def test_a_stand_in_is_told_marks_the_run_and_makes_no_entry(bench: Bench, engine: Start) -> None:
    engine(images={CPU.locator: fake_engine.image(labels={spec.STAND_IN: "true"})})

    code, out, _ = bench("--image", "cpu", "--seeds", "1")

    assert code == 0
    assert "A result from it is not to be published: cpu only stands in for an image" in out
    assert bench.runs()["0"]["verdict"] == "suspect"
    assert "image" in bench.runs()["0"]["verdict_reasons"]


def test_an_image_that_is_not_here_is_pulled_by_its_digest_first(bench: Bench, engine: Start) -> None:
    state = engine(registry={PULLED: fake_engine.image(DIGEST)})

    code, out, _ = bench("--image", PULLED, "--seeds", "1")

    assert code == 0
    assert f"Pulling {PULLED}" in out
    commands = [words[0] for words in fake_engine.calls(state)]
    assert commands.index("pull") < commands.index("run")
    assert record(bench)["fingerprint"]["image.pinning"] == "digested"


@pytest.mark.parametrize(
    ("settings", "words", "sentence"),
    [
        ({}, ("--image", PULLED), "could not be pulled: registry.example has no image of this name, tag or digest"),
        ({"images": {}}, ("--image", "cpu"), "`make image IMAGE=cpu`"),
        (
            {"fails": {"pull": "write /var/lib/x: no space left on device"}},
            ("--image", PULLED),
            "`docker system prune`",
        ),
        ({"fails": {"pull": "dial tcp: lookup nvcr.io: no such host"}}, ("--image", PULLED), "IMAGE=portable"),
        (
            {"fails": {"info": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."}},
            ("--where", "container"),
            "`sudo systemctl start docker`",
        ),
        (
            {"fails": {"info": "permission denied while trying to connect to the Docker daemon socket"}},
            ("--where", "container"),
            "sudo usermod -aG docker $USER",
        ),
        (
            {
                "fails": {
                    "run": 'docker: Error response from daemon: could not select device driver "" with capabilities'
                }
            },
            ("--image", "cpu"),
            "sudo nvidia-ctk runtime configure --runtime=docker",
        ),
        ({"fails": {"start": "exec: python3: executable file not found in $PATH"}}, ("--image", "cpu"), "python3"),
    ],
)
def test_what_keeps_a_container_from_running_is_one_sentence_with_the_command_that_mends_it(
    bench: Bench, engine: Start, settings: dict[str, Any], words: tuple[str, ...], sentence: str
) -> None:
    state = engine(**settings)

    code, _, err = bench(*words, "--seeds", "1")

    assert code == 4
    assert sentence in err
    assert err.count("\n") == 1
    assert fake_engine.containers(state) == []


def test_without_an_engine_a_wish_for_a_container_is_refused_and_says_how_to_do_without(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = bench("--where", "container")
    assert code == 4
    assert "there is no `docker` on PATH" in err
    assert "WHERE=native" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--where", "native", "--image", "cpu"), "IMAGE=cpu"),
        (("--image", "nonsense"), "there is no image 'nonsense'"),
        (("--image", "cpu", "--docker-flags", "'"), "DOCKER_FLAGS has a quote that is not closed"),
        (("--image", "cpu", "--docker-flags", "ubuntu:24.04"), "DOCKER_FLAGS has the word 'ubuntu:24.04'"),
        (("--image", "cpu", "--trainer", "sh train.py"), "a custom trainer runs where you start it"),
    ],
)
def test_a_contradiction_is_a_usage_error(bench: Bench, engine: Start, words: tuple[str, ...], sentence: str) -> None:
    engine()
    (bench.place / "train.py").write_text("")
    code, _, err = bench(*words)
    assert code == 2
    assert sentence in err


@pytest.mark.slow
def test_a_trainer_that_hangs_is_killed_in_its_container_and_the_container_removed(bench: Bench, engine: Start) -> None:
    bench.scripts[0] = [bench.hello(), ["ignore_sigterm"], ["sleep"]]
    state = engine(deaf=True)

    code, _, err = bench("--image", "cpu", "--seeds", "1", "--timeout", "1")

    assert code == 5
    assert "wrote no event for 1 s" in err
    asked = [words[0] for words in fake_engine.calls(state)]
    assert asked[-3:] == ["kill", "container", "rm"]
    assert record(bench)["status"] == "timed_out"
    assert record(bench)["signal"] == 9
    assert fake_engine.containers(state) == []


@pytest.mark.parametrize(("oom", "words"), [(True, "ran out of memory"), (False, "was ended by SIGKILL")])
def test_how_the_trainer_ended_is_asked_of_the_container_and_not_of_the_client(
    bench: Bench, engine: Start, oom: bool, words: str
) -> None:
    bench.scripts[0] = [bench.hello(), ["signal", 9]]
    engine(oom=oom)
    code, _, err = bench("--image", "cpu", "--seeds", "1")
    assert code == 5
    assert words in err
    assert record(bench)["signal"] == 9


@pytest.mark.parametrize("code", [129 + 64, 255])
def test_a_code_that_is_no_signal_is_a_code(bench: Bench, engine: Start, code: int) -> None:
    bench.scripts[0] = [bench.hello(), ["exit", code]]
    engine()
    assert bench("--image", "cpu", "--seeds", "1")[0] == 5
    assert (record(bench)["exit_code"], record(bench)["signal"]) == (code, None)


def test_a_trainers_own_exit_code_comes_back_through_the_container(bench: Bench, engine: Start) -> None:
    bench.scripts[0] = [["event", {"event": "error", "message": "no such data", "hint": "type make data"}], ["exit", 3]]
    engine()
    code, _, err = bench("--image", "cpu", "--seeds", "1")
    assert code == 3
    assert "no such data; type make data" in err


def test_containers_that_a_killed_harness_left_are_removed_first_and_told(bench: Bench, engine: Start) -> None:
    state = engine()
    (state / "containers").mkdir(exist_ok=True)
    (state / "containers" / "resnet9-bench-old.json").write_text(
        '{"Status": "exited", "Running": false, "ExitCode": 1}'
    )

    _, out, _ = bench("--image", "cpu", "--seeds", "1")

    assert "Removed what an earlier command had left running: resnet9-bench-old." in out
    assert fake_engine.containers(state) == []


def test_words_of_ones_own_reach_the_engine_and_the_record(bench: Bench, engine: Start) -> None:
    state = engine()
    bench("--image", "cpu", "--seeds", "1", "--docker-flags", "--cpuset-cpus=0 --memory=4g")
    (started,) = [words for words in fake_engine.calls(state) if words[0] == "run"]
    assert {"--cpuset-cpus=0", "--memory=4g"} <= {*started}
    assert record(bench)["fingerprint"]["run.flags"][-2:] == ["--cpuset-cpus=0", "--memory=4g"]


def test_podman_does_as_well(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = {"host": {"security": {"rootless": True}}, "store": {"graphRoot": "/"}, "version": {"Version": "4.3.1"}}
    state = fake_engine.install(
        tmp_path / "bin", "podman", info=info, images={CPU.locator: fake_engine.image(labels=LABELS)}
    )
    code, out, _ = bench("--image", "cpu", "--seeds", "1", "--docker", str(tmp_path / "bin" / "podman"))
    assert code == 0
    assert "by podman 4.3.1" in out
    (started,) = [words for words in fake_engine.calls(state) if words[0] == "run"]
    assert "--user=0:0" in started
    assert record(bench)["fingerprint"]["run.rootless"] is True


@pytest.mark.parametrize(
    ("program", "mend"),
    [("docker", "nvidia-ctk runtime configure"), ("podman", "nvidia-ctk cdi generate")],
)
def test_a_trainer_that_finds_no_gpu_in_its_container_is_told_with_what_mends_the_container(
    program: str, mend: str
) -> None:
    choice = spec.Choice(catalog.read().find("25.02"), "a test")
    inspected = spec.Inspected("sha256:1")
    engine = spec.Engine(program, "27", is_podman=program == "podman")
    placed = ContainerTarget(engine, choice, inspected, spec.PINNED, "owner", "GPU-1")
    todo = Plan("hive", (0,), None, "device", "auto", Device("gpu", "GPU-1", "k", "n"), 1, placed=placed)
    failed = launch.Outcome("failed", "the NVIDIA driver shows no GPU", 4, code=launch.NO_GPU)

    explained = runner._explained(failed, todo)

    assert "inside the container" in explained.reason
    assert mend in explained.reason
    assert choice.image.locator in explained.reason
    assert runner._explained(failed, replace(todo, placed=None)) == failed
    # What the engine refused was never inside.
    refused = replace(failed, code=launch.CONTAINER_ERROR)
    assert runner._explained(refused, todo) == refused


@pytest.mark.parametrize("typed", ["--env=TOKEN=hunter2", "--env TOKEN=hunter2", "-eTOKEN=hunter2"])
def test_the_value_of_a_variable_is_given_to_the_trainer_and_written_nowhere(
    bench: Bench, engine: Start, typed: str
) -> None:
    state = engine()
    code, out, err = bench("--image", "cpu", "--seeds", "1", "--docker-flags", f"{typed} -e TF_X=7")
    assert code == 0
    started = next(words for words in fake_engine.calls(state) if words[0] == "run")
    assert any("TOKEN=hunter2" in word for word in started)
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert {"events.jsonl", "record.json", "report.html", "trainer.log"} <= {path.name for path in files}
    assert not any(b"hunter2" in path.read_bytes() for path in files)
    assert "hunter2" not in out + err
    fingerprint = record(bench)["fingerprint"]
    assert "--env=TOKEN=(withheld)" in fingerprint["run.flags"]
    assert fingerprint["env.TF_X"] == "7"


def test_a_run_of_another_entrypoint_is_suspect(bench: Bench, engine: Start) -> None:
    engine()
    code, out, _ = bench("--image", "cpu", "--seeds", "1", "--docker-flags", "--entrypoint=/bin/sh --network=host")
    assert code == 0
    assert "not to be published: DOCKER_FLAGS has --entrypoint=/bin/sh" in out
    reasons = {each["rule"]: each["level"] for each in record(bench)["verdict"]["reasons"]}
    assert (reasons["container-replaced"], reasons["container-opened"]) == ("suspect", "note")
