"""The image that is chosen, why, and the sentence where none can be; and the engine's command line. Nothing is run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.containers import catalog, spec
from bench.containers.catalog import Acceptance, Image, Images
from bench.containers.compat import Card
from bench.containers.spec import (
    Contained,
    Engine,
    Inspected,
    Mount,
    argv,
    choose,
    pinning,
    shown_flags,
)
from bench.errors import EnvironmentProblem, UsageError

TABLE = catalog.read()
V100, T4 = Card("Tesla V100-SXM2-16GB", (7, 0)), Card("Tesla T4", (7, 5))
H200, RTX5090, K80 = Card("NVIDIA H200", (9, 0)), Card("NVIDIA GeForce RTX 5090", (12, 0)), Card("Tesla K80", (3, 7))


def changed(name: str, **changes: object) -> Images:
    """The shipped table with one entry changed."""
    return replace(TABLE, image=tuple(replace(each, **changes) if each.name == name else each for each in TABLE.image))  # type: ignore[arg-type]


def tried(digest: str, capability: str, passed: bool) -> tuple[Acceptance, ...]:
    failed = () if passed else ("the build list holds the GPU",)
    return (Acceptance("2026-11-26", digest, "Tesla V100", capability, "550.54.15", ("sm_70",), passed, failed),)


@pytest.mark.parametrize(
    ("gpu", "driver", "name", "words"),
    [
        (H200, "580.159.04", "25.02", "machine code for NVIDIA H200 (9.0); driver 580.159.04 runs it natively"),
        (T4, "535.86.10", "25.02", "forward compatibility"),
        (Card("NVIDIA A100", (8, 0)), "550.54.15", "25.02", "minor-version compatibility"),
        (RTX5090, "580.95.05", "25.02", "machine code"),
        (V100, "550.54.15", "23.09", "as its own build list is still expected to say"),
        (V100, "470.57.02", "23.09", "forward compatibility"),
        (Card("NVIDIA Something", None), "580.1", "25.02", "does not report the compute capability"),
        (None, None, "cpu", "a CPU trains"),
    ],
)
def test_the_first_image_that_fits_gpu_and_driver_is_taken_with_its_reason(
    gpu: Card | None, driver: str | None, name: str, words: str
) -> None:
    choice = choose(gpu, driver, "1.17.8", TABLE)
    assert choice.image.name == name
    assert words in choice.reason


def test_an_image_that_was_tried_on_such_a_gpu_and_failed_gives_way_to_the_next() -> None:
    digest = TABLE.find("23.09").digest
    table = changed("23.09", acceptance=tried(digest, "7.0", passed=False))
    assert choose(V100, "550.54.15", None, table).image.name == "23.05"
    # On another GPU, or of another digest, it says nothing.
    assert (
        choose(V100, "550.54.15", None, changed("23.09", acceptance=tried(digest, "6.0", passed=False))).image.name
        == "23.09"
    )
    assert (
        choose(V100, "550.54.15", None, changed("23.09", acceptance=tried("", "7.0", passed=False))).image.name
        == "23.09"
    )


def test_a_candidate_is_taken_where_it_was_accepted_and_nowhere_else() -> None:
    digest = f"sha256:{'1' * 64}"
    assert choose(V100, "550.54.15", None, changed("24.12", digest=digest)).image.name == "23.09"
    accepted = changed("24.12", digest=digest, acceptance=tried(digest, "7.0", passed=True))
    choice = choose(V100, "550.54.15", None, accepted)
    assert choice.image.name == "24.12"
    assert "was accepted on Tesla V100 on 2026-11-26" in choice.reason


@pytest.mark.parametrize(
    ("gpu", "driver", "wanted", "words"),
    [
        (
            V100,
            "550.54.15",
            "25.02",
            "has no code for Tesla V100-SXM2-16GB (7.0), only for 7.5, 8.0, 8.6, .*Type IMAGE=23.09",
        ),
        (V100, "595.45.04", None, "no longer runs Tesla V100.*R580.*no image can help"),
        (V100, "595.45.04", "23.09", "no longer runs Tesla V100.*R580"),
        (H200, "515.65.01", "25.02", "needs driver 525.60.13 or later, and this machine has 515.65.01"),
        (
            H200,
            "510.47.03",
            "portable",
            "portable .*needs driver 525.60.13.*Install driver 575.51.03.*type IMAGE=23.09",
        ),
        (RTX5090, "515.65.01", None, "no image here runs .* with this driver: 25.02 .* needs driver 525.60.13"),
        (RTX5090, "580.95.05", "portable", "known to fail on NVIDIA GeForce RTX 5090 .*Type IMAGE=25.02"),
        (H200, "580.159.04", "cpu", "cpu is for CPUs. Type IMAGE=25.02"),
        (H200, "580.159.04", "24.12", "24.12 has no digest yet.*bench image resolve 24.12-tf2-py3"),
        (K80, "470.57.02", None, "no image here has code for Tesla K80"),
        (None, None, "24.12", "has no digest yet"),
    ],
)
def test_an_impossible_pair_is_one_sentence_with_what_to_type(
    gpu: Card | None, driver: str | None, wanted: str | None, words: str
) -> None:
    with pytest.raises(EnvironmentProblem, match=words.replace("(", r"\(").replace(")", r"\)")) as refused:
        choose(gpu, driver, "1.17.8", TABLE, wanted)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_an_image_that_is_named_is_taken_even_where_another_would_be() -> None:
    assert choose(H200, "580.159.04", None, TABLE, "23.05").image.name == "23.05"
    other = choose(H200, "580.159.04", None, TABLE, "registry.example/mine:1")
    assert (other.image.reference, other.image.digest) == ("registry.example/mine:1", "")
    digest = f"sha256:{'a' * 64}"
    assert choose(None, None, None, TABLE, f"registry.example/mine@{digest}").image.digest == digest
    failed = changed("23.09", acceptance=tried(TABLE.find("23.09").digest, "7.0", passed=False))
    assert "was tried on Tesla V100" in choose(V100, "550.54.15", None, failed, "23.09").reason
    with pytest.raises(UsageError, match="there is no image 'nonsense'"):
        choose(H200, "580.159.04", None, TABLE, "nonsense")


PULLED = TABLE.find("25.02")
CPU = TABLE.find("cpu")
RECIPE = {spec.BASE_LABEL: CPU.base, spec.LOCK_LABEL: "b" * 64, spec.DOCKERFILE_LABEL: "d" * 64}


@pytest.mark.parametrize(
    ("image", "inspected", "recipe", "found"),
    [
        (PULLED, Inspected("sha256:1", (PULLED.digest,)), {}, "pinned"),
        (PULLED, Inspected("sha256:1", (f"sha256:{'c' * 64}",)), {}, "undigested"),
        (PULLED, Inspected("sha256:1"), {}, "undigested"),
        (PULLED, Inspected("sha256:1", (PULLED.digest,), {spec.STAND_IN: "true"}), {}, "stand-in"),
        (PULLED, Inspected("sha256:1", (PULLED.digest,), {spec.STAND_IN: "false"}), {}, "pinned"),
        (Image("x", "", "", reference="x/y", digest="sha256:d"), Inspected("sha256:1", ("sha256:d",)), {}, "digested"),
        (Image("x", "", "", reference="x/y:1"), Inspected("sha256:1", ("sha256:d",)), {}, "undigested"),
        (CPU, Inspected("sha256:1", (), RECIPE), RECIPE, "built"),
        (CPU, Inspected("sha256:1", (), {**RECIPE, spec.LOCK_LABEL: "e" * 64}), RECIPE, "undigested"),
        (CPU, Inspected("sha256:1", (), {**RECIPE, spec.DOCKERFILE_LABEL: "e" * 64}), RECIPE, "undigested"),
        (CPU, Inspected("sha256:1", (), {**RECIPE, spec.BASE_LABEL: "standin-base:py311"}), RECIPE, "undigested"),
        (CPU, Inspected("sha256:1"), RECIPE, "undigested"),
        (CPU, Inspected("sha256:1", (), RECIPE), {}, "undigested"),
        (CPU, Inspected("sha256:1", (), {**RECIPE, spec.STAND_IN: "true"}), RECIPE, "stand-in"),
    ],
)
def test_it_is_told_how_exactly_it_is_known_what_an_image_is(
    image: Image, inspected: Inspected, recipe: dict[str, str], found: str
) -> None:
    assert pinning(image, inspected, recipe, TABLE) == found
    assert (found in spec.PUBLISHABLE) == (found in ("pinned", "built", "digested"))


DOCKER = Engine("docker", "27.1")
RUN = Contained(
    engine=DOCKER,
    image=PULLED,
    name="resnet9-bench-1",
    owner="0123",
    command=("python3", "-m", "resnet9", "train"),
    mounts=(
        Mount(Path("/home/ada/bench"), spec.CHECKOUT),
        Mount(Path("/home/ada/bench/results/a/seed-000"), PurePosixPath("/bench/run-1"), read_only=False),
    ),
    passed=("BENCH_EVENTS", "TF_X"),
    fixed={"HOME": "/tmp"},
    gpu="GPU-12345678-1234",
    uid=1000,
    gid=1001,
)


def test_a_run_is_one_container_shut_off_from_all_but_what_is_mounted() -> None:
    words = argv(RUN)
    assert words[:2] == ("docker", "run")
    for flag in (
        "--init", "--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pull=never",
        "--user=1000:1001", "--gpus=device=GPU-12345678-1234", "--name=resnet9-bench-1", "--workdir=/bench/checkout",
        "--label=resnet9-bench.owner=0123",
    ):  # fmt: skip
        assert flag in words
    mounts = [after for before, after in pairwise(words) if before == "--mount"]
    assert mounts == [
        "type=bind,source=/home/ada/bench,target=/bench/checkout,readonly",
        "type=bind,source=/home/ada/bench/results/a/seed-000,target=/bench/run-1",
    ]
    assert words[-5:] == (PULLED.locator, *RUN.command)
    assert not {"--privileged", "--ipc=host", "--rm", "-t", "--tty", "--cap-add"} & {*words}


def test_a_variable_that_is_passed_on_does_not_show_its_value_in_the_command() -> None:
    assert [after for before, after in pairwise(argv(RUN)) if before == "--env"] == [
        "BENCH_EVENTS", "TF_X", "HOME=/tmp",
    ]  # fmt: skip


def test_podman_gets_the_gpu_by_cdi_whose_hooks_write_into_the_root_file_system() -> None:
    podman = replace(RUN, engine=Engine("docker", "4.3.1", is_podman=True, selinux=True))
    words = argv(podman)
    assert "--device=nvidia.com/gpu=GPU-12345678-1234" in words
    assert "--security-opt=label=disable" in words
    assert "--user=1000:1001" in words
    assert not any(word.startswith("--gpus") for word in words)
    assert "--read-only" not in words
    assert "--read-only" in argv(replace(podman, gpu=None))


@pytest.mark.parametrize("is_podman", [False, True])
def test_in_a_rootless_engine_root_inside_is_the_caller_outside(is_podman: bool) -> None:
    rootless = replace(RUN, engine=Engine("docker", "27.1", is_podman=is_podman, rootless=True))
    assert "--user=0:0" in argv(rootless)
    assert "--user=root" in shown_flags(rootless)
    assert not any("userns" in word for word in argv(rootless))


def test_where_a_daemon_shifts_numbers_the_callers_is_kept() -> None:
    remapped = replace(RUN, engine=replace(DOCKER, remapped=True))
    assert {"--user=1000:1001", "--userns=host"} <= {*argv(remapped)}
    assert {"--user=caller", "--userns=host"} <= {*shown_flags(remapped)}


def test_a_cpu_gets_no_gpu_and_own_words_stand_before_the_image() -> None:
    words = argv(replace(RUN, gpu=None, extra=("--cpuset-cpus=0-7",)))
    assert not any("gpu" in word for word in words)
    assert words.index("--cpuset-cpus=0-7") == words.index(PULLED.locator) - 1


def test_flags_are_recorded_without_a_path_a_uuid_or_a_name_and_alike_for_two_runs() -> None:
    flags = shown_flags(RUN)
    assert "--mount=checkout:ro" in flags
    assert "--mount=run:rw" in flags
    assert "--user=caller" in flags
    assert "--user=root" in shown_flags(replace(RUN, uid=0))
    assert not any("/" in flag or "ada" in flag or "12345678" in flag for flag in flags)
    other = replace(
        RUN,
        name="resnet9-bench-2",
        mounts=(RUN.mounts[0], replace(RUN.mounts[1], target=PurePosixPath("/bench/run-2"))),
    )
    assert shown_flags(other) == flags


@pytest.mark.parametrize("path", ["/a,b", '/a"b', "/a\nb", "/a\rb"])
def test_a_path_that_no_engine_can_mount_is_refused_with_what_to_do(path: str) -> None:
    with pytest.raises(UsageError, match="WHERE=native"):
        argv(replace(RUN, mounts=(Mount(Path(path), spec.CHECKOUT),)))


@given(st.text(st.characters(exclude_characters=',"\n\r\0', exclude_categories=("Cs",)), min_size=1))
def test_any_other_path_is_mounted_letter_by_letter(name: str) -> None:
    path = Path("/") / name
    word = Mount(path, spec.DATA).word()
    fields = dict(part.partition("=")[::2] for part in word.split(","))
    assert fields == {"type": "bind", "source": str(path), "target": "/bench/data", "readonly": ""}
    assert shlex.split(shlex.quote(word)) == [word]


def test_of_the_hosts_variables_only_those_that_are_recorded_and_hold_inside_are_passed_on() -> None:
    passed = [
        "TF_CPP_MIN_LOG_LEVEL", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "CUDA_CACHE_MAXSIZE",
        "NVIDIA_DISABLE_REQUIRE", "PYTHONHASHSEED", "TZ",
    ]  # fmt: skip
    kept_out = [
        "CUDA_HOME", "CUDA_PATH", "CUDA_VERSION", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_CACHE_PATH",
        "NVIDIA_VISIBLE_DEVICES", "NVIDIA_REQUIRE_CUDA", "NVIDIA_DRIVER_CAPABILITIES", "CUDNN_VERSION", "NCCL_VERSION",
        "LD_LIBRARY_PATH", "VIRTUAL_ENV", "XDG_CACHE_HOME", "LANG", "LC_ALL", "PATH", "HOME", "TMPDIR",
    ]  # fmt: skip
    assert spec.passed_on([*passed, *kept_out]) == tuple(sorted(passed))
