"""One training run from the first import to the last evaluation, phase by phase, told to the harness as it happens."""

from __future__ import annotations

import contextlib
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.protocol import Done, Epoch, Error, Hello, Waits, Writer
from resnet9 import __version__, dataset, stalls
from resnet9.errors import EnvironmentProblem, TrainerError, TrainingFailed
from resnet9.phases import PhaseLog
from resnet9.recipe import Recipe
from resnet9.table import EpochTable

if TYPE_CHECKING:
    from resnet9.dataset import Dataset
    from resnet9.devices import Device
    from resnet9.evaluation import Evaluation
    from resnet9.loops import DeviceLoop, HostLoop, Sums, TrainingStep

#: Seeds the random data that kernels are compiled and tuned on; it never meets the run's own seed.
WARM_UP_SEED = 20_180_401
DEFAULT_INPUT = {"cpu": "host", "gpu": "device"}


@dataclass(frozen=True)
class Request:
    """What to train and how; ``data``, ``device``, ``precision`` and ``input`` as on the command line."""

    recipe: Recipe
    seed: int
    data: str | None = None
    input: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    target_percent: float | None = None


@dataclass(frozen=True)
class _Parts:
    """What the phases before the first epoch have made."""

    recipe: Recipe
    step: TrainingStep
    loop: DeviceLoop | HostLoop
    evaluation: Evaluation
    test_labels: Any  # uint8 [M]
    floor_us: float


def train(request: Request, writer: Writer, phases: PhaseLog) -> None:
    """Train ``request`` to the end of its schedule. Raises TrainerError with one sentence for anything a person can
    mend.
    """
    import tensorflow as tf

    from resnet9 import devices

    phases.next("device_init")
    device = devices.select(request.device, request.precision, request.threads)
    with tf.device(f"/{device.kind.upper()}:0"):
        float(tf.reduce_sum(tf.ones([8])))  # the first operation starts the device
        _train(request, device, writer, phases)


def _train(request: Request, device: Device, writer: Writer, phases: PhaseLog) -> None:
    phases.next("data_load")
    data = dataset.load(request.data if request.data is not None else _default_data(request.recipe))
    target = request.recipe.target_percent if request.target_percent is None else request.target_percent
    input_name = request.input if request.input != "auto" else DEFAULT_INPUT[device.kind]
    hello = _hello(request, device, input_name, data, target)
    phases.next("compile")
    writer.emit(hello)
    phases.release()
    parts = _compile(request.recipe, device, input_name, data)
    phases.next("build")
    parts.step.reset(request.seed)
    phases.next("preprocess")
    parts.loop.load(data)
    parts.evaluation.load(data.test_images, data.test_labels)
    _run_epochs(parts, request.seed, target, writer, phases)
    phases.close()
    writer.emit(Done("done", events=writer.events + 1, emit_ns=writer.emit_ns))


def _default_data(recipe: Recipe) -> str | None:
    return dataset.SYNTHETIC if recipe.dataset == "synthetic" else None


def _hello(request: Request, device: Device, input_name: str, data: Dataset, target: float) -> Hello:
    import tensorflow as tf

    recipe = request.recipe
    return Hello(
        trainer=f"resnet9 {__version__}",
        framework=f"tensorflow {tf.__version__}",
        runs=1,
        seed=request.seed,
        recipe={
            "name": recipe.name,
            "sha256": recipe.sha256,
            "target_percent": target,
            "epochs": recipe.epochs,
            "steps_per_epoch": recipe.steps_per_epoch(len(data.train_labels)),
            "batch": recipe.batch,
        },
        dataset={"name": data.name, "sha256": data.sha256, "state": data.state},
        precision=device.precision,
        input=input_name,
        device={"kind": device.kind, "name": device.name, "uuid": device.uuid},
        threads=device.threads,
        xla={"on": device.xla, "flags": device.xla_flags},
    )


def _compile(recipe: Recipe, device: Device, input_name: str, data: Dataset) -> _Parts:
    """Build the net and run every compiled function once on random data of the dataset's shapes."""
    from resnet9.evaluation import Evaluation
    from resnet9.loops import LOOPS, Settings, TrainingStep, compute_dtype, loss_scale

    settings = Settings(
        compute=compute_dtype(device.precision),
        xla=device.xla,
        loss_scale=loss_scale(device.precision, recipe.batch),
        threads=device.threads,
    )
    step = TrainingStep(recipe, settings)
    step.reset(WARM_UP_SEED)
    loop = LOOPS[input_name](step, len(data.train_labels))
    loop.warm_up(WARM_UP_SEED)
    evaluation = Evaluation(step.net, len(data.test_labels), settings.compute, settings.xla)
    evaluation.warm_up(WARM_UP_SEED)
    floor = stalls.floor_us() if input_name == "host" else 0.0
    return _Parts(recipe, step, loop, evaluation, data.test_labels, floor)


def _run_epochs(parts: _Parts, seed: int, target: float, writer: Writer, phases: PhaseLog) -> None:
    """Train and evaluate every epoch of the schedule; the running phase is ``exit`` when this returns."""
    loop, total = parts.loop, len(parts.test_labels)
    last = math.ceil(len(loop.rates) / loop.steps_per_epoch)
    table = EpochTable(sys.stdout)
    reached, trained_seconds = False, 0.0
    phases.next("train_k", loop.epoch_label(1))
    for number in range(1, last + 1):
        epoch = loop.epoch_label(number)
        sums = loop.run(number, seed)
        # The last evaluation is the one a recipe is judged by: a phase of its own, with the views the recipe declares.
        train_seconds = phases.next("final_eval") if number == last else phases.next("eval_k", epoch)
        classes, test_loss = parts.evaluation.run()
        test_seconds = phases.next("exit") if number == last else phases.next("train_k", loop.epoch_label(number + 1))
        if not (math.isfinite(sums.mean_loss) and math.isfinite(test_loss)):
            raise TrainingFailed(
                f"the loss is {sums.mean_loss} after epoch {epoch:g}: the training has diverged",
                "try PRECISION=fp32, or a lower learning rate in the recipe",
            )
        correct = int((classes == parts.test_labels).sum())
        if (100 * correct >= target * total and not reached) or number == last:
            writer.write_predictions(classes.tobytes())
        reached |= 100 * correct >= target * total
        _report(writer, sums, epoch, parts.floor_us, correct, total)
        trained_seconds += train_seconds
        table.row(
            {
                "epoch": epoch,
                "lr": float(loop.rates[loop.steps_of(number).stop - 1]),
                "train time": train_seconds,
                "train loss": sums.mean_loss,
                "train acc": sums.correct / sums.images,
                "test time": test_seconds,
                "test loss": test_loss,
                "test acc": correct / total,
                "total time": trained_seconds,
            }
        )


def _report(writer: Writer, sums: Sums, epoch: float, floor_us: float, correct: int, total: int) -> None:
    if sums.waits_us:
        counts = stalls.histogram(sums.waits_us)
        writer.emit(Waits(epoch, list(stalls.EDGES_US), counts, floor_us, sum_us=sum(sums.waits_us)))
    writer.emit(Epoch(epoch, sums.steps, sums.images, sums.mean_loss, correct, total, view="plain"))


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
            writer.emit(Error(problem.message, problem.hint))
        print(f"resnet9: {problem}", file=sys.stderr)
        return problem.exit_code
