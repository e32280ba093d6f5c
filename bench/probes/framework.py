"""TensorFlow as the trainer will find it: its version, its GPUs, and why it sees none.

The harness imports no framework, and TensorFlow can end its process when a driver is incomplete, so a short script runs
in a process of its own and this module reads its output.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError

#: Runs a program for at most some seconds and returns what it wrote on standard output, whatever its exit status.
#: Raises OSError where it cannot be started and TimeoutError where it takes longer.
RunCommand = Callable[[Sequence[str], float], str]

#: An import takes 5 s on a slow disk and opening a GPU as long again; longer than this is a hang.
PATIENCE_SECONDS = 180.0

_MARK = "framework-answer "
#: TensorFlow names a library it cannot load only at verbosity 1 of its loader (tensorflow issue 66987; tsl
#: dso_loader.cc), so it is raised for that file, and its log goes to the stream of the script's answer.
_SCRIPT = f"""
import json, os, sys
sys.path.insert(0, sys.argv[1])
os.dup2(1, 2)
os.environ.update(TF_CPP_MIN_LOG_LEVEL="0", TF_CPP_VMODULE="dso_loader=1")
def say(**answer):
    print("\\n{_MARK}" + json.dumps(answer), flush=True)
try:
    import tensorflow as tf
    say(version=tf.__version__)
    gpus = []
    try:
        gpus = [gpu.name for gpu in tf.config.list_physical_devices("GPU")]
        say(gpus=gpus)
    finally:
        if not gpus:
            from resnet9.device import driver
            say(why_no_gpu=driver.why_unusable(tf))
except Exception as error:
    say(error=f"{{type(error).__name__}}: {{error}}")
"""

_FAILED_LIBRARY = re.compile(r"Could not load dynamic library '([^']+)'; dlerror: ([^;\n]*)")
_FAILED_INIT = re.compile(r"failed call to cuInit: ([^\n]+)")
_NO_RUNTIME = "Could not find cuda drivers on your machine"
_VERSIONS = re.compile(r"kernel version (\S+) does not match DSO version (\S+)")


@dataclass(frozen=True)
class Answer:
    """What the script reported; None is what it did not get to.

    ``why_no_gpu`` is a clause, also on a machine without a GPU; ``error`` is what went wrong in the script.
    """

    version: str | None = None
    gpus: tuple[str, ...] | None = None
    why_no_gpu: str | None = None
    error: str | None = None


def ask(run_command: RunCommand, checkout: Path, python: str = sys.executable) -> Answer:
    """Return what the TensorFlow of the interpreter ``python`` reports; a failure is an answer, too."""
    try:
        return read(run_command([python, "-c", _SCRIPT, str(checkout.absolute())], PATIENCE_SECONDS))
    except TimeoutError:
        return Answer(error=f"TensorFlow did not answer within {PATIENCE_SECONDS:.0f} s")
    except (OSError, BenchError) as error:
        return Answer(error=str(error))


def read(output: str) -> Answer:
    """Return the answer in the script's output, as far as it got."""
    found: dict[str, Any] = {}
    for line in output.splitlines():
        if line.startswith(_MARK):
            try:
                found.update(json.loads(line[len(_MARK) :]))
            except (TypeError, ValueError):
                continue  # the process ended in the middle of its line
    error = found.get("error")
    if error is None and "gpus" not in found:
        error = "TensorFlow ended without an answer" + (" while looking for its GPUs" if "version" in found else "")
    gpus = found.get("gpus")
    why = None if gpus else found.get("why_no_gpu") or explain_missing_gpu(output)
    return Answer(found.get("version"), None if gpus is None else tuple(gpus), why, error)


def explain_missing_gpu(log: str) -> str | None:
    """Return why TensorFlow has no GPU by its log: a clause that names the library, None where the log has no reason.

    The log has it with TF_CPP_VMODULE=dso_loader=1 or TF_CPP_MAX_VLOG_LEVEL above 0. TensorRT is not needed and left
    out. With TensorFlow 2.21 a missing libcudart.so is reported as missing drivers (seen with its wheel).
    """
    failed: dict[str, str] = {}
    for name, reason in _FAILED_LIBRARY.findall(log):
        if not name.startswith("libnvinfer"):
            failed.setdefault(name, reason.strip())
    if failed:
        name, reason = next(iter(failed.items()))
        reason = reason.removeprefix(f"{name}: ")
        others = [other for other in failed if other != name]
        return f"it could not load {name} ({reason})" + (f", nor {', '.join(others)}" if others else "")
    if versions := _VERSIONS.search(log):
        return f"the driver's kernel module is version {versions[1]} and its library libcuda.so.1 is {versions[2]}"
    if init := _FAILED_INIT.search(log):
        return f"libcuda.so.1 could not start ({init[1].strip()})"
    if _NO_RUNTIME in log:
        return "it could not load libcudart.so, the CUDA runtime"
    return None
