"""How this TensorFlow was built, in short texts without the folders of the machine that built it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from resnet9.device import driver

#: The keys of TensorFlow's build information that are recorded; a CPU build has only the first.
_ASKED = ("is_cuda_build", "cuda_version", "cudnn_version", "cpu_compiler")
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_FOLDERS = re.compile(r"(?:[^\s:=]*/)+([^\s:=/]*)")
_LONGEST = 120


def describe(
    tf: Any,
    environ: Mapping[str, str] = os.environ,
    cuda_driver: Callable[[], str | None] = driver.cuda_version,
) -> dict[str, str]:
    """Return the build of the module ``tf`` as ``hello`` carries it; unknown keys are absent.

    ``tensorflow_git`` and ``tensorflow_compiler`` are its commit and compiler, ``onednn`` is what TF_ENABLE_ONEDNN_OPTS
    asks for: on, off, or ``default``, which is on for x86 from TensorFlow 2.9 on. ``cuda_compute_capabilities`` are the
    GPUs it has code for, and ``cuda_driver`` is the CUDA that the driver serves to this process.
    """
    info = dict(tf.sysconfig.get_build_info())
    found = {name: info[name] for name in _ASKED if info.get(name) not in (None, "")}
    capabilities = info.get("cuda_compute_capabilities")
    if capabilities:
        found["cuda_compute_capabilities"] = ", ".join(map(str, capabilities))
    served = cuda_driver()
    if served is not None:
        found["cuda_driver"] = served
    found |= {"tensorflow_git": tf.version.GIT_VERSION, "tensorflow_compiler": tf.version.COMPILER_VERSION}
    return {**{name: _short(value) for name, value in found.items()}, "onednn": _onednn(environ.get(_ONEDNN))}


def _onednn(value: str | None) -> str:
    if not value:
        return "default"
    return "off" if value.lower() in ("0", "false") else "on"


def _short(value: object) -> str:
    text = _FOLDERS.sub(r"\1", value.decode() if isinstance(value, bytes) else str(value))
    return text.strip()[:_LONGEST]
