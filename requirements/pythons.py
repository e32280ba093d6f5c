"""Which Python can hold a lock, where one is found, and how one is fetched where there is none.

Whatever `python3` is must be able to read this file and install.py, to find a better one or to say which is needed: the
syntax is that of Python 3.6, and only the standard library is used.
"""

import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from typing import List, Optional, Tuple

Version = Tuple[int, int]

FOLDER = os.path.dirname(os.path.abspath(__file__))
#: Fetched Pythons lie here: `make clean` removes them, and .venv can be made anew without fetching one again.
FETCHED = os.path.join(os.path.dirname(FOLDER), ".cache", "python")
#: Oldest and newest Python that has wheels of everything in a lock. TensorFlow 2.21 has none for 3.14.
PYTHONS = {
    "harness": ((3, 11), (3, 14)),
    "cpu": ((3, 11), (3, 13)),
    "gpu": ((3, 11), (3, 13)),
    "trainer-2.13": ((3, 10), (3, 11)),
    "trainer-2.17": ((3, 10), (3, 12)),
}
#: What a person has set up for other Pythons, or to look into them, which must not reach into one that is started here.
NOT_INHERITED = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONPLATLIBDIR", "PYTHONINSPECT", "PYTHONOPTIMIZE"),
    *("PYTHONWARNINGS", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"),
)
RUNNING = (sys.version_info[0], sys.version_info[1])
#: The newest Python that is fetched, which serves the harness and TensorFlow alike.
NEWEST_FETCHED = PYTHONS["cpu"][1]
#: Lines shown of what pip or uv printed when they fail.
SHOWN_LINES = 15


class Problem(Exception):
    """Why there is no environment, in sentences for the person who asked for it."""


def dotted(version: Version) -> str:
    """Return `3.11` for (3, 11)."""
    return "{}.{}".format(*version)


def supported(lock: str) -> List[Version]:
    """Return the Pythons that can hold a lock, newest first."""
    oldest, newest = PYTHONS[lock]
    return [(3, minor) for minor in range(newest[1], oldest[1] - 1, -1)]


def answers_as(candidate: str, version: Version) -> bool:
    """Return whether a program really is this Python: version managers put names on PATH that only print an excuse."""
    question = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(question, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0 and answer.stdout.decode("ascii", "replace").strip() == dotted(version)


def find_python(versions: List[Version]) -> Optional[str]:
    """Return the first of these Pythons that is on PATH or was fetched before, or None."""
    folders = os.get_exec_path() + sorted(glob.glob(os.path.join(FETCHED, "cpython-*", "bin")))
    for version in versions:
        for folder in folders:
            candidate = os.path.join(folder, "python" + dotted(version))
            if os.access(candidate, os.X_OK) and answers_as(candidate, version):
                return candidate
    return None


def require_venv() -> None:
    """Raise Problem, naming the package to install, where Python came without the means to make environments."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = "python{}-venv".format(dotted(RUNNING))
        if shutil.which("apt-get"):
            what = "type `{}apt-get install {}`".format("" if os.geteuid() == 0 else "sudo ", package)
        else:
            what = "install your system's package for them, often called {}".format(package)
        message = "{} lacks the modules venv and ensurepip: {}, then run the same command again."
        raise Problem(message.format(sys.executable, what)) from None


def run(command: List[str], **extra: str) -> None:
    """Run a command in silence. Raises Problem with the end of what it printed."""
    environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    environment.update(extra)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    if done.returncode != 0:
        lines = done.stdout.decode("utf-8", "replace").splitlines()[-SHOWN_LINES:]
        raise Problem("\n".join("  | " + line for line in lines))


def fetch_python(version: Version) -> str:
    """Return the path of a Python that uv fetches into FETCHED. Raises Problem with what pip or uv printed.

    uv is the one that uv.txt pins; it is installed into a temporary environment, which is removed again.
    """
    os.makedirs(FETCHED, exist_ok=True)
    with open(os.path.join(FETCHED, "fetch.lock"), "a") as held, tempfile.TemporaryDirectory(dir=FETCHED) as scratch:
        fcntl.flock(held, fcntl.LOCK_EX)
        if find_python([version]) is None:  # else whoever held the lock before has fetched it
            print("Fetching Python {} with uv into {}.".format(dotted(version), os.path.relpath(FETCHED)), flush=True)
            run([sys.executable, "-m", "venv", scratch])
            pip = [os.path.join(scratch, "bin", "python"), "-I", "-m", "pip", "install", "--no-input", "--no-deps"]
            run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", os.path.join(FOLDER, "uv.txt")])
            uv = [os.path.join(scratch, "bin", "uv"), "python", "install", "--no-bin", "--install-dir", FETCHED]
            run([*uv, dotted(version)], UV_CACHE_DIR=os.path.join(scratch, "cache"))
    found = find_python([version])
    if found is None:
        raise Problem("  | the fetched Python does not start")
    return found


def use_another_python(lock: str, exact: bool) -> None:
    """Start the program again under a Python that can hold a lock, fetched if need be. Raises Problem without one."""
    versions = supported(lock)
    wanted = "Python {} to {} is needed".format(dotted(versions[-1]), dotted(versions[0]))
    wanted += "" if lock == "harness" else " for TensorFlow"
    have = "{} is Python {}".format(sys.executable, dotted(RUNNING))
    if exact:
        raise Problem("{}, and {}: name another one with PYTHON=, or leave it out.".format(wanted, have))
    found = find_python(versions)
    if found is None:
        require_venv()
        version = min(versions[0], NEWEST_FETCHED)
        try:
            found = fetch_python(version)
        except (Problem, OSError) as error:
            log = str(error) if isinstance(error, Problem) else "  | {}".format(error)
            commands = "`pipx install uv` and `uv python install {}`".format(dotted(version))
            why = "PATH has no other, and uv could not fetch one"
            advice = "type {}, then run the same command again".format(commands)
            raise Problem("{}\n{}, but {}, {}: {}.".format(log, wanted, have, why, advice)) from None
    os.execv(found, [found, *sys.argv])
