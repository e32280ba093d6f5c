"""``python -m bench``: run a command and turn what goes wrong into one sentence and the exit code of the contract.

``BENCH_DEBUG=1`` shows the traceback of an error that is meant for the person, too.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence

import click

from bench.cli import bench
from bench.errors import EnvironmentProblem, printable
from bench.system import streams

INTERRUPTED = 130
#: What writing to a standard stream ends with: a full disk, a terminal that is gone, a file opened to be read.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_CLOSED_PIPE = 141  # What a shell reports of a program that SIGPIPE ended: `python -m bench report | head` is no error.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code (contracts, section 5)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    streams.complete()
    try:
        code, message = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        streams.discard("stdout")  # Python flushes the stream once more when it exits.
        return _CLOSED_PIPE
    except OSError as error:
        # Errors of files we write carry a file name; an error without one is of our own output.
        if error.errno not in _UNWRITABLE or error.filename is not None or os.environ.get("BENCH_DEBUG"):
            raise
        streams.discard("stdout")
        code = EnvironmentProblem.exit_code
        message = (
            f"bench: cannot write to standard output ({error.strerror}); send it to a terminal or a file with room, "
            "then type the same command again."
        )
    try:
        if message:
            print(message, file=sys.stderr, flush=True)
    except OSError:
        streams.discard("stderr")  # stderr is gone; the exit code stays.
    return code


def _run(words: Sequence[str]) -> tuple[int, str]:
    """The exit code of a command and what is to be said of it. Raises what our own output cannot be written with."""
    try:
        # Not through click's own main, which takes a closed pipe for an exit code of 1, a gate's "no".
        with bench.make_context("python -m bench", list(words), obj=time.monotonic_ns()) as context:
            result = bench.invoke(context)
        return result if isinstance(result, int) else 0, ""
    except click.exceptions.Exit as done:
        return done.exit_code, ""
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED, "\nbench: interrupted."  # The terminal has just written ^C.
    except Exception as error:
        # Ours, the trainer's and click's own errors each carry their code; what does not is a bug and shows itself
        # whole.
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int) or os.environ.get("BENCH_DEBUG"):
            raise
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return code, "bench: " + "\n".join(map(printable, message.split("\n")))


if __name__ == "__main__":
    sys.exit(main())
