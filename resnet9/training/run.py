"""One training run from the first import to the last evaluation, phase by phase, reported to the harness."""

from __future__ import annotations

import contextlib
import statistics
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from bench.protocol import Done, Error, Hello, Writer
from resnet9 import __version__
from resnet9.data import dataset, sources
from resnet9.device import build, devices
from resnet9.errors import EnvironmentProblem, TrainerError, TrainingFailed
from resnet9.recipe import Recipe
from resnet9.training.epochs import Components, TrainingRun
from resnet9.training.phases import PhaseLog

if TYPE_CHECKING:
    from resnet9.data.dataset import Dataset
    from resnet9.device.devices import Device

#: Seeds the random data that kernels are compiled and tuned on; it never meets the run's own seed.
WARM_UP_SEED = 20_180_401
DEFAULT_INPUT = {"cpu": "host", "gpu": "device"}


@dataclass(frozen=True)
class Request:
    """What to train and how; ``data``, ``device``, ``precision`` and ``input`` as on the command line.

    ``views``: a recipe with test-time augmentation uses it after its ``last`` epoch or after ``every`` one.
    ``runs`` above 1 trains seed, seed + 1, ... in this process: for statistics of the accuracy, never for a headline
    time.
    """

    recipe: Recipe
    seed: int
    data: str | None = None
    input: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    target_percent: float | None = None
    views: str = "last"
    runs: int = 1


def train(request: Request, writer: Writer, phases: PhaseLog) -> None:
    """Train ``request`` to the end of its schedule. Raises TrainerError with one sentence for anything the user can
    fix.
    """
    import tensorflow as tf

    phases.next("device_init")
    device = devices.select(request.device, request.precision, request.threads)
    with tf.device(f"/{device.kind.upper()}:0"):
        float(tf.reduce_sum(tf.ones([8])))  # the first operation starts the device
        _train(request, device, writer, phases)


def _train(request: Request, device: Device, writer: Writer, phases: PhaseLog) -> None:
    phases.next("data_load")
    data = sources.load(request.data if request.data is not None else _default_data(request.recipe))
    target = request.recipe.target_percent if request.target_percent is None else request.target_percent
    input_name = request.input if request.input != "auto" else DEFAULT_INPUT[device.kind]
    hello = _hello(request, device, input_name, data, target)
    phases.next("compile")
    writer.emit(hello)
    phases.release()
    parts = _compile(request.recipe, device, input_name, data)
    accuracies = []
    for run in range(request.runs):
        phases.next("build")
        if run:
            writer.run = run
            writer.emit(replace(hello, seed=request.seed + run))
        parts.step.reset(request.seed + run)
        phases.next("preprocess")
        parts.loop.load(data)
        parts.step.measure_whitening(parts.loop.images)
        parts.evaluation.load(data.test_images, data.test_labels)
        accuracies.append(TrainingRun(parts, target, request.views, writer, phases).run(request.seed + run))
        if run + 1 == request.runs:
            phases.close()
        writer.emit(Done("done", events=writer.events + 1, emit_ns=writer.emit_ns))
    if request.runs > 1:
        mean, std = statistics.mean(accuracies), statistics.stdev(accuracies)
        spread = f"mean {mean:.3f} %, standard deviation {std:.3f} points"
        print(f"{request.runs} runs: {spread}, view {request.recipe.views}")


def _default_data(recipe: Recipe) -> str | None:
    return dataset.SYNTHETIC if recipe.dataset == "synthetic" else None


def _hello(request: Request, device: Device, input_name: str, data: Dataset, target: float) -> Hello:
    import tensorflow as tf

    recipe = request.recipe
    return Hello(
        trainer=f"resnet9 {__version__}",
        framework=f"tensorflow {tf.__version__}",
        runs=request.runs,
        seed=request.seed,
        recipe={
            "name": recipe.name,
            "sha256": recipe.sha256,
            "target_percent": target,
            "epochs": recipe.epochs,
            "steps_per_epoch": recipe.steps_per_epoch(len(data.train_labels)),
            "batch": recipe.batch,
            "view": recipe.views,
        },
        dataset={"name": data.name, "sha256": data.sha256, "state": data.state},
        precision=device.precision,
        input=input_name,
        device={"kind": device.kind, "name": device.name, "uuid": device.uuid},
        threads=device.threads,
        xla={"on": device.xla, "flags": device.xla_flags, **asdict(device.compiler)},
        build=build.describe(tf),
    )


def _compile(recipe: Recipe, device: Device, input_name: str, data: Dataset) -> Components:
    """Build the net and run every compiled function once on random data of the dataset's shapes."""
    from resnet9.input.loops import INPUTS
    from resnet9.optim.step import Settings, TrainingStep, compute_dtype, loss_scale
    from resnet9.training.evaluation import Evaluation

    settings = Settings(
        compute=compute_dtype(device.precision),
        xla=device.xla,
        loss_scale=loss_scale(device.precision, recipe.batch),
        threads=device.threads,
        by_products=devices.filter_products(device.kind, device.precision),
    )
    step = TrainingStep(recipe, settings)
    step.reset(WARM_UP_SEED)
    loop = INPUTS[input_name](step, len(data.train_labels))
    loop.warm_up(WARM_UP_SEED)
    step.measure_whitening(loop.images)
    evaluation = Evaluation(step.net, len(data.test_labels), settings.compute, settings.xla)
    evaluation.warm_up(WARM_UP_SEED)
    step.is_finite()
    step.swap_average()  # there and back
    step.swap_average()
    return Components(step, loop, evaluation, data.test_labels, device.precision)


def run(request: Request) -> int:
    """Train as a process of its own; returns the exit code. Errors reach the harness as an event and the person as one
    sentence.
    """
    with Writer.from_environment() as writer:
        phases = PhaseLog(writer)
        try:
            train(request, writer, phases)
        except TrainerError as error:
            problem = error
        except OSError as error:
            problem = EnvironmentProblem(f"The run's files cannot be written ({error.strerror or error})", "make room")
        except Exception as error:
            # By name, because TensorFlow is not imported yet where the import itself has failed.
            if type(error).__name__ != "ResourceExhaustedError":
                raise
            problem = TrainingFailed("The device has no memory left", "stop what else uses it, or lower the batch")
        else:
            return 0
        with contextlib.suppress(OSError):  # the harness may be what has gone
            writer.emit(Error(problem.message, problem.hint, code=problem.code or None))
        print(f"resnet9: {problem}", file=sys.stderr)
        return problem.exit_code
