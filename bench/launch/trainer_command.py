"""A run's request as the command that makes it: argv and environment, of a row of trainers or of a person's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import protocol
from bench.errors import Refused
from bench.launch import kernel_cache
from bench.launch.custom_trainer import Program
from bench.system.env_snapshot import PREFIXES, without_uuids
from bench.system.paths import CHECKOUT

SYNTHETIC = "synthetic"
#: Set in the image that holds harness and trainer, where each has an interpreter of its own (docker/Dockerfile).
PYTHON_VARIABLE = "BENCH_TRAINER_PYTHON"
#: What a program needs to run at all. What can change speed or accuracy passes by PREFIXES and is in the record;
#: anything else, PYTHONPATH and LD_PRELOAD among them, would change a run unseen and stays outside.
_NAMES = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "XDG_CACHE_HOME"),
    "VIRTUAL_ENV",
)
_DEFAULTS = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # Index n is then the same GPU for CUDA and NVML.
    kernel_cache.VARIABLE: str(kernel_cache.FOLDER),
    "TF_CPP_MIN_LOG_LEVEL": "1",  # Warnings and errors go to trainer.log, the hundreds of notices do not.
}
_FIXED = {"PYTHONHASHSEED": "0"}


@dataclass(frozen=True)
class Request:
    """The request of one run.

    ``data`` is ``synthetic`` or an absolute path, ``device`` is ``cpu`` or a GPU's UUID.
    """

    recipe: str
    data: str
    input: str
    precision: str
    device: str
    seed: int
    threads: int


@dataclass(frozen=True)
class Command:
    """How to start a trainer; ``shown`` is ``argv`` as a record may tell it, without the paths of this host."""

    argv: tuple[str, ...]
    shown: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


def _resnet9(request: Request) -> list[str]:
    given = {
        "--recipe": request.recipe,
        "--data": request.data,
        "--input": request.input,
        "--precision": request.precision,
        "--device": request.device,
        "--seed": str(request.seed),
        "--threads": str(request.threads),
    }
    return [python(), "-m", "resnet9", "train", *(word for pair in given.items() for word in pair)]


def python(environ: Mapping[str, str] = os.environ) -> str:
    """The interpreter that has the trainer's TensorFlow: ours, or in an image that holds both the one it names."""
    return environ.get(PYTHON_VARIABLE) or sys.executable


#: Every trainer by name: the words that start it for a request.
TRAINERS: dict[str, Callable[[Request], list[str]]] = {"resnet9": _resnet9}


def words(trainer: str, request: Request) -> list[str]:
    """The words behind the interpreter that start a row of TRAINERS for a request."""
    return TRAINERS[trainer](request)[1:]


def command(trainer: str, request: Request, environ: Mapping[str, str]) -> Command:
    """The command of a row of TRAINERS for one run, with what it may see of ``environ``."""
    argv = TRAINERS[trainer](request)
    return Command(tuple(argv), tuple(shown(word) for word in argv), environment(environ), CHECKOUT)


@dataclass(frozen=True)
class TrainerContext:
    """What a custom trainer gets in environment variables (``bench.protocol``); ``device`` as in Request."""

    data: str
    data_state: str
    data_flat: Path
    test_images: int
    device: str
    threads: int


def own_command(program: Program, given: TrainerContext, environ: Mapping[str, str]) -> Command:
    """Return the command of a custom trainer for one run, with the allowed part of ``environ``.

    Raises Refused where one of its files has changed since the campaign began.
    """
    if program.changed():
        raise Refused(
            f"a file of the trainer {program.name} has changed since this campaign began, so its next run would be "
            "another trainer's",
            "start a new campaign with OUT=/path",
        )
    # CUDA's own way to choose: nothing but the GPU that is sampled, none for a run on the CPU. One that NVML does not
    # show (`gpu`) has no name to give.
    visible = {} if given.device == "gpu" else {"CUDA_VISIBLE_DEVICES": "" if given.device == "cpu" else given.device}
    env = {
        **environment(environ),
        **visible,
        protocol.DATA_VARIABLE: given.data,
        protocol.DATA_STATE_VARIABLE: given.data_state,
        protocol.DATA_FLAT_VARIABLE: str(given.data_flat),
        protocol.TEST_IMAGES_VARIABLE: str(given.test_images),
        protocol.DEVICE_VARIABLE: given.device,
        protocol.THREADS_VARIABLE: str(given.threads),
    }
    return Command(program.argv, program.shown, env, program.cwd)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a trainer gets of ``environ``: what it needs to run, and the variables that are recorded."""
    passed = {name: value for name, value in environ.items() if name in _NAMES or name.startswith(PREFIXES)}
    return {**_DEFAULTS, **passed, **_FIXED}


def shown(word: str) -> str:
    """A word of a command as a record shows it: a path relative to the checkout or, outside it, its last part alone, a
    GPU by the hash of its UUID.
    """
    path = Path(word)
    if not path.is_absolute():
        return without_uuids(word) if word.startswith(("GPU-", "MIG-")) else word
    if word in (sys.executable, python()):
        return "python"
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else path.name
