"""What the NVIDIA driver shows to this process, and which library keeps TensorFlow from using it.

TensorFlow says that it could not load some library and not which (tensorflow issues 63362 and 66987). So the libraries
it opens are opened here in its order, by the loader's own search and from NVIDIA's wheels. Asked only after
TensorFlow was: a library that is once open would be found by TensorFlow too.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

#: Opens a shared library by name or path, as ``ctypes.CDLL`` does; raises OSError with the loader's reason.
Load = Callable[[str], Any]

#: What TensorFlow opens before it registers a GPU (tsl/platform/default/dlopen_checker.cc), by CUDA generation.
_CUDA_LIBRARIES = {
    11: ("cudart.so.11.0", "cublas.so.11", "cublasLt.so.11", "cufft.so.10", "cusolver.so.11", "cusparse.so.11"),
    12: ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"),
}
#: The answers of ``cuInit`` that a person can do something about (CUDA driver API, ``CUresult``).
_CUDA_ANSWERS = {
    100: "it finds no GPU",
    803: "its version is not that of the loaded driver, so restart the machine",
    804: "it is newer than this GPU's driver allows",
    999: "start the container anew, or the machine",
}


def gpu_uuids(load: Load = ctypes.CDLL, root: Path = Path("/")) -> tuple[str, ...]:
    """The UUIDs of the GPUs that the driver gives this process, in PCI bus order; empty text for one it does not tell.

    Asks libnvidia-ml.so.1. Where that does not answer, the nodes in /dev say whether a GPU was given, and /proc which.
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
        if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
            continue  # counted, and not given to this container
        told = nvml.nvmlDeviceGetUUID(handle, text, ctypes.c_uint(len(text))) == 0
        uuids.append(text.value.decode("ascii", "replace") if told else "")
    return tuple(uuids)


def why_unusable(tf: Any, load: Load = ctypes.CDLL) -> str | None:
    """Why TensorFlow, the module ``tf``, lists no GPU though there is one: a clause, None where nothing is wrong."""
    if not tf.test.is_built_with_cuda():
        return "this TensorFlow is built for the CPU alone, so its environment must be made anew"
    missing = first_missing_library(libraries_needed(tf.sysconfig.get_build_info()), load, wheel_folders())
    if missing is not None:
        return f"{missing[0]} failed to load ({missing[1]})"
    answer = load("libcuda.so.1").cuInit(0)
    if answer:
        meaning = _CUDA_ANSWERS.get(answer)
        return f"libcuda.so.1 loads and cuInit answers {answer}" + (f", {meaning}" if meaning else "")
    return None


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
