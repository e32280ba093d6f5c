"""``bench image`` as a person types it: the list, a digest from a registry, a build, and what an acceptance says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.containers import acceptance, build, catalog, compat, launch_spec, spec
from bench.containers.acceptance import Found
from bench.containers.compat import Fit
from bench.containers.spec import Choice, Engine, Inspected
from bench.probes.device import CPU, Device
from tests.support import fake_engine

DIGEST = f"sha256:{'1' * 64}"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of docker/images.toml in the place of the checkout's."""
    copy = tmp_path / "images.toml"
    shutil.copy(catalog.FILE, copy)
    for function in (catalog.read, catalog.write_digest, catalog.add, catalog.write_acceptance):
        monkeypatch.setattr(function, "__defaults__", (copy,))
    return copy


def test_the_list_shows_every_image_and_what_nobody_has_seen(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "list"]) == 0
    out = capfd.readouterr().out
    for each in catalog.read().image:
        assert f"\n{each.name}" in out
    assert "expected, and not seen in it: capabilities" in out
    assert "a candidate: taken only where it was accepted" in out
    assert max(map(len, out.splitlines())) <= 120


def test_the_list_as_json_is_the_whole_table(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "list", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [each["name"] for each in told["image"]] == [each.name for each in catalog.read().image]


class Registry:
    """Stands where a registry is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
        self.asked: list[str] = []
        monkeypatch.setattr(build.registry, "resolve", lambda reference: self._answer(reference, digest))

    def _answer(self, reference: str, digest: str) -> Any:
        self.asked.append(reference)
        return build.registry.Resolved(reference, digest, True, ("linux/amd64",))


def test_a_tag_is_resolved_and_written_with_what_to_do_next(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(monkeypatch, DIGEST)
    said = build.resolve("24.12-tf2-py3", False)
    assert registry.asked == ["nvcr.io/nvidia/tensorflow:24.12-tf2-py3"]
    assert catalog.read().find("24.12").digest == DIGEST
    assert "Commit it" in said


def test_a_tag_that_was_moved_is_refused_until_told(
    table: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Registry(monkeypatch, DIGEST)
    before = table.read_text()
    assert main(["image", "resolve", "25.02"]) == 6
    assert "the tag or the file has changed" in capfd.readouterr().err
    assert table.read_text() == before
    assert main(["image", "resolve", "25.02", "--replace"]) == 0
    assert catalog.read().find("25.02").digest == DIGEST


def test_the_digest_that_is_pinned_already_changes_nothing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = table.read_text()
    Registry(monkeypatch, catalog.read().find("25.02").digest)
    assert "as docker/images.toml says" in build.resolve("25.02-tf2-py3", False)
    assert table.read_text() == before


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("25.01-tf2-py3", "25.01"),
        ("mirror.example/tensorflow:25.02-tf2-py3", "mirror.example/tensorflow:25.02-tf2-py3"),
        ("mirror.example/tensorflow:cpu", "mirror.example/tensorflow:cpu"),
    ],
)
def test_a_tag_that_is_new_becomes_a_candidate_under_a_name_of_its_own(
    table: Path, monkeypatch: pytest.MonkeyPatch, tag: str, name: str
) -> None:
    Registry(monkeypatch, DIGEST)
    build.resolve(tag, False)
    added = catalog.read().find(name)
    assert (added.digest, added.candidate, added.capabilities) == (DIGEST, True, ())


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    state = fake_engine.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return state


def built(engine: Path) -> dict[str, str]:
    """The build arguments of the one build."""
    (words,) = [words for words in fake_engine.calls(engine) if words[0] == "build"]
    given = [words[index + 1] for index, word in enumerate(words) if word == "--build-arg"]
    return {**dict(each.partition("=")[::2] for each in given), "target": words[words.index("--target") + 1]}


def test_an_image_is_built_on_the_pinned_base_with_the_lock_of_this_checkout(engine: Path) -> None:
    assert main(["image", "build", "portable", "--flags", "--network=host"]) == 0
    portable = catalog.read().find("portable")
    arguments = built(engine)
    assert arguments["PYTHON_IMAGE"] == portable.base
    assert arguments["LOCK"] == "gpu"
    assert len(arguments["LOCK_SHA256"]) == len(arguments["DOCKERFILE_SHA256"]) == 64
    assert arguments["BASE_DIGEST"] == portable.base.rpartition("@")[2]
    assert arguments["target"] == "portable"


def test_the_all_in_one_image_is_built_on_the_first_pinned_image_and_says_of_which_commit(engine: Path) -> None:
    assert main(["image", "build", "all-in-one"]) == 0
    first = catalog.read().image[0]
    arguments = built(engine)
    assert arguments["BASE_IMAGE"] == f"{first.reference}@{first.digest}"
    assert arguments["BASE_DIGEST"] == first.digest
    assert len(arguments["REVISION"].partition("-")[0]) in (0, 40)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("25.02",), 2, "is pulled and not built. `make image` builds portable, cpu, all-in-one"),
        (("cp",), 2, "IMAGE=cp is no image that is built here. `make image` builds portable, cpu, all-in-one"),
        (("cpu", "--flags", "'"), 2, "DOCKER_BUILD_FLAGS has a quote that is not closed"),
    ],
)
def test_what_cannot_be_built_is_told(
    engine: Path, capfd: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert main(["image", "build", *words]) == code
    assert sentence in capfd.readouterr().err


def test_a_build_that_fails_says_where_to_look(tmp_path: Path, engine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fake_engine.install(tmp_path / "bin", fails={"build": "#9 ERROR: 503 Service Unavailable\nERROR: failed to solve"})
    assert main(["image", "build", "cpu"]) == 4
    err = capfd.readouterr().err
    assert err.startswith("#9 ERROR: 503 Service Unavailable\nERROR: failed to solve\n")
    # What a program said that the build ran is not what the registry said.
    assert "could not be built" in err and "docker says: failed to solve." in err
    assert "docker-buildx-plugin" not in err


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("ERROR: failed to solve: python: 429 Too Many Requests", "docker.io says that its limit of pulls is reached"),
        ("ERROR: failed to solve: x: no space left on device", "`docker system prune`"),
        ("ERROR: BuildKit is enabled but the buildx component is missing or broken.\n  Install it: https://docs.docker.com",
         "docker-buildx-plugin"),
        ("the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/", "docker-buildx-plugin"),
    ],
)  # fmt: skip
def test_a_build_that_fails_is_told_by_what_the_engine_says_last(
    tmp_path: Path, engine: Path, capfd: pytest.CaptureFixture[str], says: str, told: str
) -> None:
    fake_engine.install(tmp_path / "bin", fails={"build": f"#5 RUN pip install\n#5 2.1 ERROR: dial tcp: EOF\n{says}"})
    assert main(["image", "build", "cpu"]) == 4
    sentence = capfd.readouterr().err.rpartition("bench: ")[2]
    assert told in sentence
    assert ("BuildKit" in sentence) == ("BuildKit" in says)


def test_a_shell_wants_a_terminal(engine: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fake_engine.install(tmp_path / "bin", images={"resnet9-bench:cpu": fake_engine.image()})
    assert main(["image", "shell", "--image", "cpu", "--device", "cpu"]) == 2
    assert "needs a terminal" in capfd.readouterr().err


# What an acceptance says

GPU = Device("gpu", "GPU-1", "NVIDIA H200 1", "NVIDIA H200")


def placed(mode: str = "native", name: str = "25.02", pinning: str = "pinned") -> launch_spec.ContainerTarget:
    choice = Choice(catalog.read().find(name), "a test", Fit("native", mode))
    return launch_spec.ContainerTarget(Engine("docker", "27"), choice, Inspected("sha256:1"), pinning, "owner", "GPU-1")


def answer(**changes: Any) -> dict[str, Any]:
    check = {"name": "convolution in fp16", "passed": True, "figure": 2e-4, "tolerance": 1e-3, "detail": "worst"}
    usual = {
        "tensorflow": "2.17.0+nv25.2",
        "python": "3.12.3",
        "compute_capabilities": ["7.5", "8.0", "8.6", "9.0+PTX", "10.0", "12.0"],
        "cuda_driver": "13.0",
        "device": {"kind": "gpu", "name": "NVIDIA H200", "compute_capability": "9.0"},
        "checks": [check],
        "passed": True,
    }
    return {**usual, **changes}


def judged(
    monkeypatch: pytest.MonkeyPatch, outside: str | None, mode: str = "native", **changes: Any
) -> dict[str, Found]:
    monkeypatch.setattr(acceptance, "_cuda_outside", lambda where: outside)
    return {each.what: each for each in acceptance.judge(answer(**changes), placed(mode), GPU)}


def test_an_image_that_is_all_right_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, "13.0")
    assert {each.passed for each in found.values()} == {True}
    assert found["convolution in fp16"].detail == "relative error 2.0e-04, tolerance 1e-03"
    assert found["TensorFlow as pinned"].detail == "2.17.0+nv25.2, pinned 2.17.0"


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("the build list holds the GPU", {"compute_capabilities": ["7.5", "8.0"]}),
        ("the build list holds the GPU", {"compute_capabilities": ["8.0+PTX"]}),
        ("the build list holds the GPU", {"compute_capabilities": []}),
        ("TensorFlow as pinned", {"tensorflow": "2.16.1"}),
        (
            "a product",
            {
                "checks": [
                    {"name": "a product", "passed": False, "figure": None, "tolerance": 1, "detail": "no algorithm"}
                ]
            },
        ),
    ],
)
def test_what_is_wrong_in_an_image_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, what: str, changes: dict[str, Any]
) -> None:
    found = judged(monkeypatch, "13.0", **changes)
    assert [name for name, each in found.items() if not each.passed] == [what]


@pytest.mark.parametrize(
    ("inside", "outside", "predicted", "passed", "told"),
    [
        ("12.8", "12.4", "forward", True, "forward: CUDA 12.8 inside, 12.4 outside"),
        ("12.4", "12.4", "minor-version", True, "minor-version"),
        ("12.4", "12.4", "forward", None, "not forward"),
        ("12.8", "12.4", "minor-version", None, "forward: "),
        ("13.0", "13.0", "unknown", True, "unknown"),
        (None, "12.4", "native", None, "does not say"),
        ("12.4", None, "native", None, "does not say"),
    ],
)
def test_how_the_driver_runs_the_images_cuda_is_seen_and_held_against_the_rules(
    monkeypatch: pytest.MonkeyPatch,
    inside: str | None,
    outside: str | None,
    predicted: str,
    passed: bool | None,
    told: str,
) -> None:
    found = judged(monkeypatch, outside, predicted, cuda_driver=inside)["how the driver runs its CUDA"]
    assert found.passed is passed
    assert told in found.detail


def test_an_acceptance_is_written_for_a_pinned_image_and_for_no_other(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = compat.Card("NVIDIA H200", (9, 0))
    monkeypatch.setattr(acceptance.selection, "card", lambda where: (card, "580.159.04"))
    before = table.read_text()
    for other in (
        placed(pinning=spec.STANDIN),
        placed(pinning=spec.UNDIGESTED),
        placed(name="cpu", pinning=spec.BUILT),
    ):
        assert "nothing is written" in acceptance.write(other, GPU, answer(), [Found("x", True)])
    assert table.read_text() == before
    said = acceptance.write(placed(), GPU, answer(), [Found("x", True), Found("y", None)])
    (written,) = catalog.read().find("25.02").acceptance
    assert (written.passed, written.capability, written.driver) == (True, "9.0", "580.159.04")
    assert "Commit the file" in said
    acceptance.write(placed(), GPU, answer(), [Found("x", True), Found("y", False)])
    (written,) = catalog.read().find("25.02").acceptance
    assert (written.passed, written.failed) == (False, ("y",))


def test_an_image_that_gives_no_answer_is_told_in_its_own_words(
    engine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = fake_engine.image()
    fake_engine.install(engine.parent, images={"resnet9-bench:cpu": image}, fails={"start": "resnet9: no GPU; type x"})
    assert main(["image", "accept", "--image", "cpu", "--device", "cpu", "--no-tests"]) == 4
    assert "cpu gives no answer on cpu: no GPU; type x." in capfd.readouterr().err


def test_the_cpu_needs_no_card() -> None:
    assert acceptance.selection.card(CPU) == (None, None)
