"""What the NVIDIA driver shows to this process, and which library keeps TensorFlow from using it.

TensorFlow says that it could not load some library and not which (tensorflow issues 63362 and 66987). So the libraries
it opens are opened here in its order, by the loader's own search and from NVIDIA's wheels. Called only after
TensorFlow was: a library that is once open would be found by TensorFlow too.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

#: Opens a shared library by name or path, as ``ctypes.CDLL`` does; raises OSError with the loader's reason.
Load = Callable[[str], Any]

#: What TensorFlow opens before it registers a GPU (tsl/platform/default/dlopen_checker.cc), by CUDA generation.
_CUDA_LIBRARIES = {
    11: ("cudart.so.11.0", "cublas.so.11", "cublasLt.so.11", "cufft.so.10", "cusolver.so.11", "cusparse.so.11"),
    12: ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"),
}
#: How the names of a GPU and of a slice of one (MIG) begin.
_KINDS = ("GPU-", "MIG-")
_NO_FABRIC = "the NVSwitch fabric is not up"
_MPS = "restart the MPS daemon: type `echo quit | nvidia-cuda-mps-control`, then `nvidia-cuda-mps-control -d`"
#: The answers of ``cuInit`` that a person can do something about (CUDA driver API, ``CUresult``): what it means, and
#: what to type.
_CUDA_ANSWERS = {
    2: "no memory is left on the GPU or for this process: type `nvidia-smi` to see which processes hold it",
    3: "the driver could not be initialised: restart the machine, and on one with NVSwitch see that "
    "`systemctl status nvidia-fabricmanager` says active",
    34: "a stub library was loaded, which is made for linking alone: take .../stubs out of LD_LIBRARY_PATH",
    36: "the driver is too old for a call that was made: install a newer one",
    46: "another process has the card for itself (exclusive compute mode), or compute is prohibited on it: type "
    "`nvidia-smi` to see which; `sudo nvidia-smi -c 0` sets the default mode",
    100: "it finds no GPU: see that CUDA_VISIBLE_DEVICES does not hide it, and that `nvidia-smi -L` lists it",
    101: "a GPU or a slice (MIG) cannot be used: type `nvidia-smi -L` to see which there are, and choose another one "
    "with DEVICE=UUID",
    102: "this virtual GPU has no license: see `nvidia-smi -q`, and ask who runs the machine",
    214: "the GPU's memory has an error that cannot be corrected: see `nvidia-smi -q -d ECC`, and restart the machine",
    304: "a call of the operating system failed: type `sudo nvidia-modprobe -u -c=0`, which makes /dev/nvidia-uvm, and "
    "see `ulimit -a` for limits",
    800: "the driver permits this user nothing: see who may read and write /dev/nvidia*",
    801: "this machine or driver does not support it: type `nvidia-smi` to see what it says",
    802: f"{_NO_FABRIC}: type `sudo systemctl start nvidia-fabricmanager`, of the driver's own version",
    803: "its version is not that of the loaded driver, so restart the machine",
    804: "it is newer than this GPU's driver allows: take the folder of cuda-compat out of LD_LIBRARY_PATH, or install "
    "a newer driver",
    805: f"the MPS control daemon does not answer: {_MPS}",
    806: f"the MPS server does not answer: {_MPS}",
    807: f"the MPS server is not ready for clients: wait a moment, or {_MPS}",
    808: "the MPS server has as many clients as it takes: end one of them",
    809: "the MPS server has no room for another connection: end one of its clients",
    999: "type `sudo modprobe nvidia_uvm`, or restart the machine",
}
#: The same inside a container, whose devices can be gone while the host's work.
_INSIDE_CONTAINER = {
    802: f"{_NO_FABRIC}: type `sudo systemctl start nvidia-fabricmanager` on the host, of its driver's own version",
    803: "its version is not that of the loaded driver: restart the container, or restart the host",
    999: "restart the container, or restart the host",
}
#: What only containers have, by engine; the kernel's list of control groups names the others.
_CONTAINER_FILES = (".dockerenv", "run/.containerenv", ".singularity.d")
_CONTAINER_GROUPS = re.compile(r"[/-](docker|kubepods|libpod|lxc|containerd)|(docker|libpod|lxc)-")
_NO_PERMISSION = 4  # nvmlReturn_t


def gpu_uuids(load: Load = ctypes.CDLL, root: Path = Path("/")) -> tuple[str, ...]:
    """The UUIDs of the GPUs that the driver gives this process, in PCI bus order; empty text for one it does not give,
    as a GPU that is lost.

    Reads libnvidia-ml.so.1. Where that does not answer, the nodes in /dev say whether a GPU was given, and /proc which.
    """
    try:
        nvml = load("libnvidia-ml.so.1")
        if nvml.nvmlInit_v2() == 0:
            try:
                return _nvml_uuids(nvml)
            finally:
                nvml.nvmlShutdown()
    except (OSError, AttributeError):
        pass  # no such library, or one too old to have the function
    if not any(root.glob("dev/nvidia[0-9]*")):
        return ()  # /proc shows the host's GPUs to a container that was given none
    pages = [path.read_text(errors="replace") for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    found = [re.search(r"^GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$", page, re.MULTILINE) for page in pages]
    return tuple(match[1] if match else "" for match in found)


def cuda_version(load: Load = ctypes.CDLL) -> str | None:
    """The CUDA that libcuda.so.1 serves in this process, as ``12.8``; None where there is none or it does not say.

    In a container with the libraries of forward compatibility this is more than the driver's own (CUDA Compatibility).
    """
    version = ctypes.c_int(0)
    try:
        if load("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)) != 0 or not version.value:
            return None
    except (OSError, AttributeError):
        return None
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def _nvml_uuids(nvml: Any) -> tuple[str, ...]:
    count = ctypes.c_uint(0)
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return ()
    uuids = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        text = ctypes.create_string_buffer(96)  # NVML_DEVICE_UUID_V2_BUFFER_SIZE
        answer = nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
        if answer == _NO_PERMISSION:
            continue  # counted, and not given to this container
        known = answer == 0 and nvml.nvmlDeviceGetUUID(handle, text, ctypes.c_uint(len(text))) == 0
        uuids.append(text.value.decode("ascii", "replace") if known else "")
    return tuple(uuids)


def first_visible(cuda_visible_devices: str) -> str | None:
    """What CUDA takes first by this value of the variable: an index, or the beginning of a UUID; None for none.

    A list is of UUIDs of one kind or of numbers. A number is what its word begins with (``01`` is 1, ``0-1`` is 0), a
    word without one ends the list, and an entry given twice empties it (pytorch#92315, tested with driver 525). The
    harness reads it by the same rules (``bench.probes.gpu.selection``), and a test compares the two.
    """
    words = [word.strip() for word in cuda_visible_devices.split(",")]
    kind = words[0][:4]
    entries = map(_number, words) if kind not in _KINDS else (each if each[:4] == kind else None for each in words)
    listed = list(takewhile(lambda entry: entry is not None, entries))
    return listed[0] if listed and len(set(listed)) == len(listed) else None


def _number(word: str) -> str | None:
    """The number that a word begins with, as C's strtol reads it, without leading zeros; None for none or below 0."""
    found = re.match(r"([+-]?)0*(\d+)", word, re.ASCII)
    return None if found is None or (found[1] == "-" and found[2] != "0") else found[2]


def why_unusable(tf: Any, load: Load = ctypes.CDLL, root: Path = Path("/")) -> str | None:
    """Why TensorFlow, the module ``tf``, lists no GPU though there is one: a clause, None where nothing is wrong."""
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow is built for the CPU alone, so its environment must be rebuilt"
    missing = first_missing_library(libraries_needed(tf.sysconfig.get_build_info()), load, wheel_folders())
    if missing is not None:
        return f"{missing[0]} failed to load ({missing[1]})"
    cuda = load("libcuda.so.1")
    answer = cuda.cuInit(0)
    if not answer:
        return None
    meanings = {**_CUDA_ANSWERS, **(_INSIDE_CONTAINER if _in_container(root) else {})}
    meaning = f", {meanings[answer]}" if answer in meanings else ""
    return f"libcuda.so.1 loads and cuInit answers {answer}{_name_of(cuda, answer)}{meaning}"


def _name_of(cuda: Any, answer: int) -> str:
    """The driver's own name of an answer, in brackets; empty where it has none."""
    name = ctypes.c_char_p()
    try:
        known = cuda.cuGetErrorName(ctypes.c_int(answer), ctypes.byref(name)) == 0
    except AttributeError:
        return ""
    return f" ({name.value.decode('ascii', 'replace')})" if known and name.value else ""


def _in_container(root: Path) -> bool:
    if any((root / name).exists() for name in _CONTAINER_FILES):
        return True
    try:
        return _CONTAINER_GROUPS.search((root / "proc/1/cgroup").read_text(errors="replace")) is not None
    except OSError:
        return False


def libraries_needed(build: Mapping[str, Any]) -> tuple[str, ...]:
    """The file names of the libraries that a TensorFlow with this ``tf.sysconfig.get_build_info()`` opens, in order."""
    cuda = re.match(r"\d+", str(build.get("cuda_version", "")))
    cudnn = re.match(r"\d+", str(build.get("cudnn_version", "")))
    toolkit = _CUDA_LIBRARIES.get(int(cuda[0]) if cuda else 12, ())
    return ("libcuda.so.1", *(f"lib{name}" for name in toolkit), f"libcudnn.so.{cudnn[0] if cudnn else 9}")


def first_missing_library(names: Iterable[str], load: Load, folders: Sequence[Path]) -> tuple[str, str] | None:
    """The first of ``names`` that loads neither by the loader's search nor from ``folders``, and the loader's reason.

    Where a library is there and one that it needs is not, the reason names that one. None where all load.
    """
    for name in names:
        reason = ""
        for place in (name, *(str(folder / name) for folder in folders if (folder / name).exists())):
            try:
                load(place)
            except OSError as error:
                reason = str(error).removeprefix(f"{name}: ")
            else:
                break
        else:
            return name, reason
    return None


def wheel_folders() -> tuple[Path, ...]:
    """Where NVIDIA's wheels put their libraries, ``site-packages/nvidia/*/lib``: TensorFlow's run path leads there."""
    spec = importlib.util.find_spec("nvidia")
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return tuple(sorted(folder for place in places for folder in Path(place).glob("*/lib")))
