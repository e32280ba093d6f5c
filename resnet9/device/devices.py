"""The device that trains: which one, with how many threads, and in which precision.

TensorFlow reads its devices once, when it first needs one, so ``select`` comes before anything else that uses it, and
imports it itself. A GPU that the driver shows and TensorFlow does not is never passed over in silence: the run on the
CPU that would follow takes hours for minutes, and looks like a result.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet9.device import compiler, driver
from resnet9.device.compiler import NO_COMPILER, Compiler
from resnet9.errors import EnvironmentProblem, RecipeError

KINDS = ("auto", "cpu", "gpu")
PRECISIONS = ("auto", "bf16", "fp16", "fp32")
#: bfloat16 products came with compute capability 8.0, half-precision tensor cores with 7.0 (CUDA C++ Programming Guide,
#: "Compute Capabilities").
BF16_CAPABILITY = (8, 0)
FP16_CAPABILITY = (7, 0)
#: The CPU flags, as Linux names them, of an instruction set that multiplies bfloat16.
BF16_FLAGS = ("amx_bf16", "avx512_bf16")
CPUINFO = Path("/proc/cpuinfo")

_ON_THE_CPU = "type DEVICE=cpu (--device cpu) to train on the CPU all the same"
#: A path in a flag's value; what a record shows of it is its last part.
_PATH = re.compile(r"[^\s=,]*/([^\s=,/]*)")
_NO_REASON = "every CUDA library loads, so run it with TF_CPP_MAX_VLOG_LEVEL=3 and see what it says"


@dataclass(frozen=True)
class Device:
    """What trains, and how: ``kind`` is ``cpu`` or ``gpu``, ``precision`` ``bf16``, ``fp16`` or ``fp32``.

    ``uuid`` is None for a CPU, and where it is not known. ``xla`` says whether functions are compiled by XLA, and
    ``xla_flags`` the words of XLA_FLAGS, paths cut to their last part. ``compiler``: its autotuning, and its caches
    as they were before the device started. TensorFlow sees no other GPU than this one.
    """

    kind: str
    name: str
    uuid: str | None
    precision: str
    threads: int
    xla: bool
    xla_flags: str
    compiler: Compiler = NO_COMPILER


def _import_tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def select(
    kind: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    *,
    import_tensorflow: Callable[[], Any] = _import_tensorflow,
    environ: MutableMapping[str, str] = os.environ,
    driver_gpus: Callable[[], tuple[str, ...]] = driver.gpu_uuids,
    why_unusable: Callable[[Any], str | None] = driver.why_unusable,
    cpuinfo: Path = CPUINFO,
) -> Device:
    """Set up TensorFlow for one device, ``auto``, ``cpu``, ``gpu`` or a GPU's UUID, and say which it is; call it first.

    ``threads`` is TensorFlow's number of CPU threads within an operation and between operations; None or 0 leaves it
    the CPUs this process may use. Sets CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER in ``environ``. Raises RecipeError
    for a device, precision or number that cannot be, EnvironmentProblem where the GPU asked for, or any that the
    driver shows, cannot be used.
    """
    if kind not in KINDS and not _is_uuid(kind):
        raise RecipeError(f"there is no device {kind!r}", "choose auto, cpu, gpu or the UUID of a GPU (GPU-...)")
    if precision not in PRECISIONS:
        raise RecipeError(f"there is no precision {precision!r}", f"choose one of {', '.join(PRECISIONS)}")
    if threads is not None and threads < 0:
        raise RecipeError(f"the number of threads cannot be {threads}", "give 0 for all CPUs, or a number above")
    environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # so that index n is the same GPU for CUDA and the driver
    if kind == "cpu":
        environ["CUDA_VISIBLE_DEVICES"] = "-1"  # asking TensorFlow to hide its GPUs would first start a broken driver
    elif _is_uuid(kind):
        environ["CUDA_VISIBLE_DEVICES"] = kind
    caches = compiler.inspect(environ)
    tf = import_tensorflow()
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    threads = threads or len(os.sched_getaffinity(0))
    xla_flags = _PATH.sub(r"\1", environ.get("XLA_FLAGS", ""))
    if kind != "cpu":
        gpus, complaint = _listed(tf)
        uuids = driver_gpus()
        if gpus:
            tf.config.set_visible_devices(gpus[:1], "GPU")
            details = tf.config.experimental.get_device_details(gpus[0])
            name = details.get("device_name") or "This GPU"
            precision = _precision(precision, name, gpu_precisions(details.get("compute_capability")))
            return Device("gpu", name, _uuid_in_use(uuids, environ), precision, threads, True, xla_flags, caches)
        _accept_no_gpu(kind, uuids, environ, lambda: why_unusable(tf) or complaint or _NO_REASON)
    name = cpu_name(cpuinfo)
    # Without XLA: on a CPU it would put its own code in the place of oneDNN's kernels.
    return Device("cpu", name, None, _precision(precision, name, cpu_precisions(cpuinfo)), threads, False, xla_flags)


def gpu_precisions(compute_capability: tuple[int, int] | None) -> tuple[str, ...]:
    """The precisions a GPU of this compute capability (major, minor; None unknown) has in hardware, fastest first."""
    capability = tuple(compute_capability or (0, 0))
    half = ("bf16", "fp16") if capability >= BF16_CAPABILITY else ("fp16",) if capability >= FP16_CAPABILITY else ()
    return (*half, "fp32")


def cpu_precisions(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """The precisions this machine's CPU has in hardware, fastest first."""
    flags = _cpu_field(cpuinfo, "flags").split()
    return ("bf16", "fp32") if any(flag in flags for flag in BF16_FLAGS) else ("fp32",)


def filter_products(kind: str, precision: str, cpuinfo: Path = CPUINFO) -> bool:
    """Whether ``layers.convolution`` shall take filter gradients as matrix products: on a CPU that multiplies bfloat16
    without AMX. Measured there and nowhere else; what oneDNN does with AMX is left alone until somebody has compared.
    """
    flags = _cpu_field(cpuinfo, "flags").split()
    return kind == "cpu" and precision == "bf16" and "amx_bf16" not in flags


def _precision(wanted: str, name: str, able: Sequence[str]) -> str:
    """Return the precision; ``auto`` is the first the device has. One it lacks would be slower than fp32."""
    if wanted == "auto":
        return able[0]
    if wanted not in able:
        raise RecipeError(f"{name} has no {wanted} arithmetic", f"choose PRECISION={' or '.join(able)}")
    return wanted


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """The CPU's model name, or ``CPU`` where Linux does not say."""
    return _cpu_field(cpuinfo, "model name") or "CPU"


def _cpu_field(cpuinfo: Path, name: str) -> str:
    try:
        found = re.search(rf"^{name}[ \t]*:(.*)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def _is_uuid(text: str) -> bool:
    return text.startswith(("GPU-", "MIG-"))


def _listed(tf: Any) -> tuple[list[Any], str | None]:
    """TensorFlow's GPUs and, where it cannot list them, its complaint."""
    try:
        return list(tf.config.list_physical_devices("GPU")), None
    except Exception as error:  # its own types: InternalError where the driver answers wrongly
        return [], f"TensorFlow says {error}"


def _first_visible(environ: Mapping[str, str]) -> str | None:
    """CUDA's first GPU, an index or the beginning of a UUID; None where CUDA_VISIBLE_DEVICES hides every one."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    return "0" if value is None else driver.first_visible(value)


def _uuid_in_use(uuids: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The UUID of CUDA's first GPU, or None where it cannot be known."""
    first = _first_visible(environ)
    if first is None:
        return None
    if _is_uuid(first):
        return next((uuid for uuid in uuids if uuid.startswith(first)), first)
    if len(uuids) > 1 and environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        return None
    return next((uuid or None for index, uuid in enumerate(uuids) if str(index) == first), None)


def _accept_no_gpu(kind: str, uuids: Sequence[str], environ: Mapping[str, str], why: Callable[[], str]) -> None:
    """Return where the CPU may train instead. Raises EnvironmentProblem where a GPU was requested or should be used."""
    first = _first_visible(environ)
    variable = f"CUDA_VISIBLE_DEVICES={shlex.quote(environ.get('CUDA_VISIBLE_DEVICES', ''))}"
    if kind == "auto" and first is None and uuids:
        print(f"resnet9: {variable} hides the GPUs; unset it to train on one. Training on the CPU.", file=sys.stderr)
    if kind == "auto" and (first is None or not uuids):
        return
    if first is None:
        raise EnvironmentProblem(f"{variable} hides the GPUs", f"unset it, or {_ON_THE_CPU}")
    if not uuids:
        raise EnvironmentProblem(
            "the NVIDIA driver shows no GPU", f"see what nvidia-smi says, or {_ON_THE_CPU}", code="no-gpu"
        )
    if not _is_uuid(first) and first not in map(str, range(len(uuids))):
        sentence = f"{variable} is no GPU, as the driver shows {len(uuids)} GPU(s) and counts from 0"
        raise EnvironmentProblem(sentence, f"correct it, or {_ON_THE_CPU}")
    if first.startswith("GPU-") and all(uuid and not uuid.startswith(first) for uuid in uuids):
        raise EnvironmentProblem(f"there is no GPU {first} here", f"name one of {', '.join(uuids)}, or {_ON_THE_CPU}")
    message = f"the NVIDIA driver shows a GPU that TensorFlow cannot use: {why()}"
    raise EnvironmentProblem(message, _ON_THE_CPU, code="no-gpu")
