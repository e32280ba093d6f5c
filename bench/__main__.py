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

from bench.commands import bench
from bench.errors import EnvironmentProblem, printable

INTERRUPTED = 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_CLOSED_PIPE = 141  # What a shell reports of a program that SIGPIPE ended: `python -m bench report | head` is no error.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code (contracts, section 5)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        # Not through click's own main, which takes a closed pipe for an exit code of 1, a gate's "no".
        with bench.make_context("python -m bench", words, obj=time.monotonic_ns()) as context:
            result = bench.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("\nbench: interrupted.", file=sys.stderr)  # The terminal has just written ^C.
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes the stream once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    except Exception as error:
        # The files that we write tell their own troubles, by name; what has none is our own output.
        if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            error = EnvironmentProblem(
                f"cannot write what is to be said here ({error.strerror}); free some space, then type `make report`."
            )
        # Ours, the trainer's and click's own errors each carry their code; what does not is a bug and shows itself
        # whole.
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int) or os.environ.get("BENCH_DEBUG"):
            raise
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        print("bench:", "\n".join(map(printable, message.split("\n"))), file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main())
