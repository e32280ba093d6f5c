"""What this TensorFlow was built from and with, in short texts that tell no folder of the machine that built it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

#: What TensorFlow says of its build that a reader of a result asks for; a build for CPUs has none but the first.
_ASKED = ("is_cuda_build", "cuda_version", "cudnn_version", "cpu_compiler")
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_FOLDERS = re.compile(r"(?:[^\s:=]*/)+([^\s:=/]*)")
_LONGEST = 120


def told(tf: Any, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The build of the module ``tf`` by name, as ``hello`` tells it; what it does not say is absent.

    ``tensorflow_git`` and ``tensorflow_compiler`` are its commit and compiler, ``onednn`` is what TF_ENABLE_ONEDNN_OPTS
    asks for: on, off, or ``default``, which is on for x86 from TensorFlow 2.9 on.
    """
    info = dict(tf.sysconfig.get_build_info())
    found = {name: info[name] for name in _ASKED if info.get(name) not in (None, "")}
    found |= {"tensorflow_git": tf.version.GIT_VERSION, "tensorflow_compiler": tf.version.COMPILER_VERSION}
    return {**{name: _short(value) for name, value in found.items()}, "onednn": _onednn(environ.get(_ONEDNN))}


def _onednn(value: str | None) -> str:
    if not value:
        return "default"
    return "off" if value.lower() in ("0", "false") else "on"


def _short(value: object) -> str:
    text = _FOLDERS.sub(r"\1", value.decode() if isinstance(value, bytes) else str(value))
    return text.strip()[:_LONGEST]
