"""Run programs to their end: git, the container engine, a download."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


def run_attached(argv: Sequence[str], cwd: Path) -> int:
    """Run a command that shares our terminal, such as a download, to its end.

    Returns its exit code, or 128 + the signal that ended it.
    """
    return _code(subprocess.run(list(argv), cwd=cwd, check=False).returncode)


def run_with_stderr(argv: Sequence[str], cwd: Path, *, echo: bool = False) -> tuple[int, str]:
    """Run a command as ``run_attached`` does and return its standard error, also shown if ``echo``."""
    with subprocess.Popen(list(argv), cwd=cwd, stderr=subprocess.PIPE) as started:
        assert started.stderr is not None
        output = bytearray()
        while chunk := os.read(started.stderr.fileno(), 1 << 12):
            output += chunk
            if echo:
                os.write(2, chunk)
    return _code(started.returncode), output.decode("utf-8", "replace")


def _code(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


@dataclass(frozen=True)
class CompletedCommand:
    """A program's exit code, standard output and standard error."""

    exit_code: int
    out: str
    err: str


class RunCaptured(Protocol):
    """The type of ``run_captured``, for injection."""

    def __call__(
        self, argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None, /
    ) -> CompletedCommand: ...


def run_captured(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """Return a program's exit code and output, run in ``env`` if given. Raises as ``capture_stdout`` does."""
    with _start(argv, subprocess.PIPE, env) as popen:
        out, err = _communicate(popen, argv, seconds)
        return CompletedCommand(
            _code(popen.returncode), out.decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace")
        )


def capture_stdout(argv: Sequence[str], seconds: float) -> str:
    """Return a program's standard output, whatever its exit status.

    Raises OSError if it cannot be started, TimeoutError after ``seconds``; its process group is killed then.
    """
    with _start(argv, subprocess.DEVNULL) as popen:
        return _communicate(popen, argv, seconds)[0].decode("utf-8", "replace")


def _start(argv: Sequence[str], stderr: int, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True, env=env
    )


def _communicate(popen: subprocess.Popen[bytes], argv: Sequence[str], seconds: float) -> tuple[bytes, bytes | None]:
    try:
        return popen.communicate(timeout=seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"{argv[0]} took longer than {seconds:g} s") from None
        raise
