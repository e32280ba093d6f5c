"""Makes the environment a checkout runs in: `python3 requirements/install.py runtime`, the first step of a make target.

Groups: `runtime` (the harness, and TensorFlow unless runs are made in a container), `native` (TensorFlow in any case),
`harness` (TensorFlow only where it is there already), `parquet` (`harness`, and what Parquet files need), `dev`
(`native`, and the tools of tests and checks), or one of the trainer's older environments by the name of its lock. This
file only sees to it that a Python that can serve the group runs environment.py. Whatever `python3` is must be able to
read it, to say which Python is needed: the syntax is that of Python 3.6, and only the standard library is used.
"""

import argparse
import os
import subprocess
import sys
from typing import List, Optional, Tuple

Version = Tuple[int, int]

#: Oldest and newest Python that has wheels of everything in a group's locks.
GROUPS = {
    "runtime": ((3, 10), (3, 13)),
    "dev": ((3, 10), (3, 13)),
    "native": ((3, 10), (3, 13)),
    "harness": ((3, 10), (3, 13)),
    "parquet": ((3, 10), (3, 13)),
    "trainer-2.13": ((3, 10), (3, 11)),
    "trainer-2.17": ((3, 10), (3, 12)),
}
#: The exit code of an environment problem, the same for every program of this repository.
ENVIRONMENT_PROBLEM = 4


def dotted(version: Version) -> str:
    """`3.11` for (3, 11)."""
    return "{}.{}".format(*version)


def supported(group: str) -> List[Version]:
    """The Pythons a group can use, newest first."""
    oldest, newest = GROUPS[group]
    return [(3, minor) for minor in range(newest[1], oldest[1] - 1, -1)]


def answers_as(candidate: str, version: Version) -> bool:
    """Whether a program really is this Python: version managers put names on PATH that only print an excuse."""
    question = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0 and answer.stdout.decode("ascii", "replace").strip() == dotted(version)


def find_python(versions: List[Version]) -> Optional[str]:
    """The first of these Pythons on PATH, or None."""
    for version in versions:
        for folder in os.get_exec_path():
            candidate = os.path.join(folder, "python" + dotted(version))
            if os.access(candidate, os.X_OK) and answers_as(candidate, version):
                return candidate
    return None


def use_another_python(group: str, exact: bool) -> str:
    """Start again under a Python that can serve the group; where that cannot be, return the sentence that says why."""
    versions = supported(group)
    wanted = "Python {} to {} is needed".format(dotted(versions[-1]), dotted(versions[0]))
    have = "{} is Python {}".format(sys.executable, dotted(sys.version_info[:2]))
    if exact:
        return "{}, and {}: name another one with PYTHON=/path/to/python.".format(wanted, have)
    found = find_python(versions)
    if found is not None:
        os.execv(found, [found, os.path.abspath(__file__), *sys.argv[1:]])
    names = ", ".join("python" + dotted(version) for version in versions)
    return "{}, but {} and PATH has none of {}: install one, or name it with PYTHON=/path/to/python.".format(
        wanted, have, names
    )


def main() -> int:
    """Parse the command line and return the exit code."""
    parser = argparse.ArgumentParser(description="Make the environment this checkout runs in.")
    parser.add_argument("group", choices=sorted(GROUPS), help="what the environment is for")
    parser.add_argument("--venv", metavar="FOLDER", help="where it goes (.venv in the checkout)")
    parser.add_argument("--exact", action="store_true", help="use the Python that runs this, and no other")
    arguments = parser.parse_args()
    if sys.version_info[:2] not in supported(arguments.group):
        print(use_another_python(arguments.group, arguments.exact), file=sys.stderr)
        return ENVIRONMENT_PROBLEM
    import environment  # only now: it is written for the Pythons that are supported

    return environment.main(arguments.group, arguments.venv, arguments.exact)


if __name__ == "__main__":
    sys.exit(main())
