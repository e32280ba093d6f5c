from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.errors import Refused
from bench.launch import custom_trainer, kernel_cache, trainer_command
from bench.launch.trainer_command import Request, TrainerContext
from bench.system.hashing import hashed
from bench.system.paths import CHECKOUT

REQUEST = Request("page24", "/data/cifar", "host", "bf16", "cpu", 7, 2)


def test_the_resnet9_row_gives_every_part_of_the_request() -> None:
    command = trainer_command.command("resnet9", REQUEST, {})

    words = "train --recipe page24 --data /data/cifar --input host --precision bf16 --device cpu --seed 7 --threads 2"
    assert command.argv == (sys.executable, "-m", "resnet9", *words.split())
    assert command.cwd == CHECKOUT


def test_the_trainer_understands_every_word_of_its_row() -> None:
    from resnet9.__main__ import _parser

    options = _parser().parse_args(list(trainer_command.command("resnet9", REQUEST, {}).argv[3:]))

    assert (options.recipe, options.data, options.input, options.seed) == ("page24", "/data/cifar", "host", 7)


def test_what_is_shown_has_no_path_of_this_host() -> None:
    inside = trainer_command.command(
        "resnet9", Request("smoke", str(CHECKOUT / "data" / "x"), "host", "auto", "cpu", 0, 1), {}
    )
    outside = trainer_command.command("resnet9", REQUEST, {})

    assert inside.shown[:4] == ("python", "-m", "resnet9", "train")
    assert inside.shown[inside.shown.index("--data") + 1] == "data/x"
    assert outside.shown[outside.shown.index("--data") + 1] == "cifar"
    assert not any(str(CHECKOUT) in word or word.startswith("/") for word in (*inside.shown, *outside.shown))


def test_a_recipe_of_a_file_is_shown_by_the_files_name() -> None:
    assert trainer_command.shown("/home/me/my.json:mine") == "my.json:mine"
    assert trainer_command.shown(f"{CHECKOUT}/own/my.json:mine") == "own/my.json:mine"


def test_a_gpu_is_shown_by_the_hash_of_its_uuid() -> None:
    assert trainer_command.shown("GPU-aaaaaaaa-0000") == f"GPU-{hashed('GPU-aaaaaaaa-0000')}"


def test_words_that_are_no_paths_are_shown_as_they_are() -> None:
    assert [trainer_command.shown(word) for word in ("synthetic", "--seed", "a/b")] == ["synthetic", "--seed", "a/b"]
    assert trainer_command.shown(str(Path("/"))) == ""


def test_the_environment_is_what_is_needed_and_what_is_recorded() -> None:
    given = {
        "PATH": "/bin", "HOME": "/home/me", "LD_LIBRARY_PATH": "/cuda",
        "TF_XLA_FLAGS": "--x", "XLA_FLAGS": "--y", "CUDA_VISIBLE_DEVICES": "1", "OMP_NUM_THREADS": "2",
        "PYTHONPATH": "/tmp/mine", "LD_PRELOAD": "/tcmalloc.so", "AWS_SECRET": "s", "EMAIL": "me@x", "SEEDS": "5",
    }  # fmt: skip

    env = trainer_command.environment(given)

    unseen = {"PYTHONPATH", "LD_PRELOAD", "AWS_SECRET", "EMAIL", "SEEDS"}
    assert env == {
        **{name: value for name, value in given.items() if name not in unseen},
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_CACHE_PATH": str(kernel_cache.FOLDER),
        "TF_CPP_MIN_LOG_LEVEL": "1",
        "PYTHONHASHSEED": "0",
    }


def test_the_persons_own_choice_beats_a_default_and_never_the_hash_seed() -> None:
    env = trainer_command.environment({"TF_CPP_MIN_LOG_LEVEL": "0", "PYTHONHASHSEED": "5"})

    assert (env["TF_CPP_MIN_LOG_LEVEL"], env["PYTHONHASHSEED"]) == ("0", "0")


# A person's own program


def own(folder: Path) -> custom_trainer.Program:
    (folder / "train.sh").write_text("#!/bin/sh\n")
    (folder / "train.sh").chmod(0o755)
    return custom_trainer.read("./train.sh --fast", folder, "")


def given(device: str = "cpu") -> TrainerContext:
    return TrainerContext("/data/cifar", "canonical", Path("/data/cifar10.u8"), 10_000, device, 2)


def test_an_own_program_is_told_the_rest_of_the_request_in_variables(tmp_path: Path) -> None:
    command = trainer_command.own_command(
        own(tmp_path), given("GPU-1"), {"PATH": "/bin", "VIRTUAL_ENV": "/v", "OUT": "x"}
    )

    assert command.argv == (str(tmp_path / "train.sh"), "--fast")
    assert command.shown == ("./train.sh", "--fast")
    assert command.cwd == tmp_path
    told = {name: value for name, value in command.env.items() if name.startswith("BENCH_")}
    assert told == {
        "BENCH_DATA": "/data/cifar",
        "BENCH_DATA_STATE": "canonical",
        "BENCH_DATA_FLAT": "/data/cifar10.u8",
        "BENCH_TEST_IMAGES": "10000",
        "BENCH_DEVICE": "GPU-1",
        "BENCH_THREADS": "2",
    }
    assert (command.env["PATH"], command.env["VIRTUAL_ENV"]) == ("/bin", "/v")
    assert "OUT" not in command.env


@pytest.mark.parametrize(("device", "visible"), [("GPU-1", "GPU-1"), ("cpu", ""), ("gpu", "0,1")])
def test_an_own_program_sees_the_gpu_it_trains_on_and_no_other(device: str, visible: str, tmp_path: Path) -> None:
    command = trainer_command.own_command(own(tmp_path), given(device), {"CUDA_VISIBLE_DEVICES": "0,1"})

    assert command.env["CUDA_VISIBLE_DEVICES"] == visible


def test_a_program_that_changed_while_its_campaign_ran_is_refused(tmp_path: Path) -> None:
    program = own(tmp_path)
    trainer_command.own_command(program, given(), {})
    (tmp_path / "train.sh").write_text("#!/bin/sh\n# another one\n")

    with pytest.raises(Refused, match="has changed since this campaign began"):
        trainer_command.own_command(program, given(), {})


def test_in_an_image_that_holds_both_the_trainer_has_an_interpreter_of_its_own() -> None:
    assert trainer_command.python({}) == sys.executable
    assert trainer_command.python({"BENCH_TRAINER_PYTHON": ""}) == sys.executable
    assert (
        trainer_command.python({"BENCH_TRAINER_PYTHON": "/usr/local/bin/trainer-python"})
        == "/usr/local/bin/trainer-python"
    )
