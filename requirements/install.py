"""Makes the environment a checkout runs in: `python3 requirements/install.py runtime`, the first step of a make target.

Groups: `runtime` (the harness, and TensorFlow unless runs are made in a container), `native` (TensorFlow in any case),
`harness` (TensorFlow only where it is there already), `parquet` (`harness`, and what Parquet files need), `dev`
(`native`, and the tools of tests and checks), or one of the trainer's older environments by the name of its lock. This
file only sees to it that a Python that can read environment.py runs it, so its own syntax is that of Python 3.6.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # PYTHONSAFEPATH takes it out

from pythons import PYTHONS, RUNNING, Problem, use_another_python

GROUPS = ("runtime", "native", "harness", "parquet", "dev", "trainer-2.13", "trainer-2.17")
#: The oldest Python that can read environment.py, which then decides whether this one can hold what is to be installed.
OLDEST_READER = (3, 10)
#: Exit codes, the same for every program of this repository.
ENVIRONMENT_PROBLEM, INTERRUPTED = 4, 130


def complete_streams() -> None:
    """Open /dev/null for every standard stream that this program was started without, like bench.system.streams."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is this one. A child inherits it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as we run


def main() -> int:
    """Parse the command line and return the exit code."""
    complete_streams()
    parser = argparse.ArgumentParser(description="Make the environment this checkout runs in.")
    parser.add_argument("group", choices=sorted(GROUPS), help="what the environment is for")
    parser.add_argument("--venv", metavar="FOLDER", help="where it goes (.venv in the checkout)")
    parser.add_argument("--exact", action="store_true", help="use the Python that runs this, and no other")
    arguments = parser.parse_args()
    try:
        if RUNNING < OLDEST_READER:
            use_another_python(arguments.group if arguments.group in PYTHONS else "harness", arguments.exact)
        import environment  # only now: older Pythons cannot read it

        environment.prepare(arguments.group, arguments.venv, arguments.exact)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return ENVIRONMENT_PROBLEM
    except KeyboardInterrupt:
        print("Interrupted; the same command starts the set-up again.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
