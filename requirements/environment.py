"""The virtual environment of a checkout: what it must hold, what it holds, and how it is made (started by install.py).

A finished environment must cost next to nothing, because every make target asks for it: a stamp, written last, holds
the hashes of the installed locks. Without a true stamp an environment is made anew, which also repairs one whose
installation was interrupted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from pythons import NOT_INHERITED, RUNNING, SHOWN_LINES, Problem, dotted, require_venv, supported, use_another_python

LOCKS = Path(__file__).resolve().parent
#: An unpacked wheel takes about twice its download, and pip may keep the download on the same disk.
DISK_PER_DOWNLOAD = 3
#: How the locks are called in the line that says what is being installed.
TITLES = {
    "cpu": "TensorFlow for the CPU",
    "gpu": "TensorFlow for NVIDIA GPUs",
    "harness": "the harness, whose trainer runs in a container",
    "dev": "the tools for tests and checks",
    "parquet": "what reads and writes Parquet files",
}
#: Locks that are added to a main one, each by the group of its name.
ADDED = ("dev", "parquet")
#: The programs by which NVIDIA's container toolkit shows that it is there.
TOOLKIT = ("nvidia-ctk", "nvidia-container-cli")
#: An engine answers in a fraction of a second; one that is wedged costs this once.
ENGINE_SECONDS = 20
RUNNING_PYTHON = dotted(RUNNING)


@dataclass(frozen=True)
class Lock:
    """A lock file beside this one."""

    name: str

    @property
    def path(self) -> Path:
        """The file."""
        return LOCKS / f"{self.name}.txt"

    @property
    def sha256(self) -> str:
        """Hash of the file; empty where it is gone, which no installed lock's hash equals."""
        return sha256(self.path.read_bytes()).hexdigest() if self.path.exists() else ""

    @property
    def requirements(self) -> int:
        """How many packages it names."""
        return sum("==" in line for line in self.path.read_text().splitlines())

    @property
    def download_megabytes(self) -> int:
        """What its header says installing it downloads on 64-bit Linux; 0 where it says nothing."""
        header = [line for line in self.path.read_text().splitlines() if line.startswith("# download:")]
        return int(header[0].split()[2]) if header else 0


@dataclass(frozen=True)
class Stamp:
    """What a finished environment holds: its Python, where that really lies, and each installed lock's hash by name."""

    python: str
    base: str
    locks: dict[str, str]


def nvml_devices() -> int:
    """How many GPUs the NVIDIA driver's management library counts; 0 where there is no driver."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        if nvml.nvmlInit_v2() != 0:
            return 0
        count = ctypes.c_uint(0)
        status = nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return 0
    return count.value if status == 0 else 0


def machine_has_gpu() -> bool:
    """Whether an NVIDIA GPU is there: listed by the driver or, where that list is missing (WSL), counted by NVML."""
    listed = Path("/proc/driver/nvidia/gpus")
    try:
        return any(listed.iterdir()) or nvml_devices() > 0
    except OSError:
        return nvml_devices() > 0


def runs_in_container() -> bool:
    """Whether `make bench` will train in a container, so that no TensorFlow is needed here.

    As WHERE and IMAGE say, else where a GPU, an engine that answers and NVIDIA's container toolkit are there, as
    `bench.containers.selection` decides, too.
    """
    where = os.environ.get("WHERE") or "auto"
    if where == "native" or os.environ.get("TRAINER"):
        return False
    if where == "container" or os.environ.get("IMAGE"):
        return True
    if os.environ.get("DEVICE") == "cpu" or not machine_has_gpu() or not any(map(shutil.which, TOOLKIT)):
        return False
    engine = os.environ.get("DOCKER") or next((name for name in ("docker", "podman") if shutil.which(name)), None)
    # Podman is given GPUs by CDI alone, whose descriptions lie in these folders.
    described = any(path.is_file() for place in ("/etc/cdi", "/var/run/cdi") for path in Path(place).glob("nvidia*"))
    return engine is not None and answers(engine) and (Path(engine).name != "podman" or described)


def answers(engine: str) -> bool:
    """Whether a container engine can be used by whoever asks."""
    try:
        done = subprocess.run(
            [engine, "version"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=ENGINE_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def main_lock(group: str, stamp: Stamp | None) -> str:
    """`harness`, `cpu` or `gpu`.

    An environment for GPUs serves DEVICE=cpu too, and one with TensorFlow serves a trainer in a container, so they
    stay: going to and fro would install gigabytes each time.
    """
    if stamp is not None and "gpu" in stamp.locks:
        return "gpu"
    if group in ("harness", "parquet") or (group == "runtime" and runs_in_container()):
        return "cpu" if stamp is not None and "cpu" in stamp.locks else "harness"
    # TensorFlow publishes CUDA builds for 64-bit Intel and AMD Linux only.
    if os.environ.get("DEVICE") == "cpu" or sys.platform != "linux" or platform.machine() != "x86_64":
        return "cpu"
    return "gpu" if machine_has_gpu() else "cpu"


def wanted_locks(group: str, stamp: Stamp | None) -> list[Lock]:
    """The locks a group needs, in the order they are installed; Parquet, once asked for, stays through every change."""
    if group not in ("runtime", "native", "harness", *ADDED):
        return [Lock(group)]
    kept = ("parquet",) if stamp is not None and "parquet" in stamp.locks else ()
    return [Lock(main_lock(group, stamp))] + [Lock(name) for name in ADDED if name == group or name in kept]


class Environment:
    """A virtual environment at `folder`, finished or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self._stamp = folder / "installed.json"
        self._log = folder / "install.log"
        self._lock = folder / "install.lock"

    def stamp(self) -> Stamp | None:
        """The stamp, or None where the environment is not finished, or its Python is gone or was replaced since."""
        try:
            body = json.loads(self._stamp.read_text())
            stamp = Stamp(body["python"], body["base"], dict(body["locks"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        # Not Path.exists, which raises for a Python in a folder that only somebody else may enter.
        there = os.path.exists(self.python)
        return stamp if there and os.path.realpath(self.python) == stamp.base else None

    def missing(self, wanted: list[Lock], exact: bool) -> tuple[list[Lock], list[Lock]]:
        """The locks that stay and those to install; none of the former where the environment must be made anew.

        Only what ADDED names is ever added to an environment, or renewed in it. Any other change starts from nothing,
        because two builds of TensorFlow overwrite each other's files.
        """
        stamp = self.stamp()
        if stamp is None or (exact and stamp.python != RUNNING_PYTHON):
            return [], wanted
        stays = [Lock(name) for name, value in stamp.locks.items() if Lock(name).sha256 == value]
        missing = [lock for lock in wanted if lock not in stays]
        return ([], wanted) if wanted[0] in missing else (stays, missing)

    @contextmanager
    def locked(self) -> Iterator[TextIO]:
        """Hold the environment: two makes at once take turns. Raises Problem for a folder that something else made."""
        if self.folder.is_dir() and any(self.folder.iterdir()) and not self._lock.exists():
            what_to_do = "move it away and run the same command again."
            raise Problem(f"{self.folder} was not made by this program, so it is left as it is: {what_to_do}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = self._lock.open("a")
        except OSError as error:
            raise Problem(f"{self.folder} cannot be written ({error.strerror}).") from None
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"Waiting for another set-up of {self.folder} to end.", flush=True)
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream

    def install(self, stays: list[Lock], missing: list[Lock], held: TextIO) -> None:
        """Add the missing locks, to an emptied folder unless some stay; the stamp comes last. Raises Problem."""
        self._require_space(missing)
        if not stays:
            self._empty()
        before = self.stamp()
        python = before.python if before and stays else RUNNING_PYTHON
        for lock in missing:
            size = f"about {lock.download_megabytes} MB to download"
            title = TITLES.get(lock.name, lock.name)
            print(f"Installing {title} into {self.folder} (Python {python}, {size}; log: {self._log})", flush=True)
            if not self.python.exists():
                self._run([sys.executable, "-m", "venv", str(self.folder)], held, 0)
            pip = [str(self.python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            # A lock is complete, so nothing is left for pip to resolve; and a fresh machine has no compiler.
            pip += ["--progress-bar", "off", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
            self._run([*pip, "-r", str(lock.path)], held, lock.requirements)
        self._write_stamp(python, stays + missing)

    def _write_stamp(self, python: str, locks: list[Lock]) -> None:
        stamp = Stamp(python, os.path.realpath(self.python), {lock.name: lock.sha256 for lock in locks})
        part = self._stamp.with_suffix(".part")
        part.write_text(json.dumps(asdict(stamp), indent=1) + "\n")
        part.replace(self._stamp)

    def _empty(self) -> None:
        """Remove everything but the lock, the stamp first: no moment may show a stamp without what it promises."""
        self._stamp.unlink(missing_ok=True)
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != self._lock:
                entry.unlink()

    def _require_space(self, locks: list[Lock]) -> None:
        needed = DISK_PER_DOWNLOAD * 1e6 * sum(lock.download_megabytes for lock in locks)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            have = f"the disk of {self.folder} has {free / 1e9:.1f} GB free"
            raise Problem(
                f"Installing needs about {needed / 1e9:.1f} GB and {have}: make room, then run the same command again."
            )

    def _run(self, command: list[str], held: TextIO, total: int) -> None:
        """Run a command with its output in the log and a counter on a terminal. Raises Problem with the log's end."""
        # The child inherits the lock: where this process is killed, the next one waits until the child is gone too.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={key: value for key, value in os.environ.items() if key not in NOT_INHERITED},
            pass_fds=(held.fileno(),),
            encoding="utf-8",
            errors="replace",
        )
        assert child.stdout is not None
        terminal, collected = sys.stdout.isatty(), 0
        with self._log.open("a", encoding="utf-8") as log, child:
            for line in child.stdout:
                log.write(line)
                collected += line.startswith("Collecting ")
                if terminal and line.startswith(("Collecting ", "Installing ")):
                    what = line.split()[1].split("=")[0] if line.startswith("Collecting ") else "unpacking"
                    print(f"\r  {collected}/{total} {what}\x1b[K", end="", flush=True)
        if terminal:
            print("\r\x1b[K", end="", flush=True)
        if child.returncode != 0:
            tail = self._log.read_text(encoding="utf-8").splitlines()[-SHOWN_LINES:]
            advice = "Check the network and the free disk space, then run the same command again."
            sentence = f"Setting up the environment failed; the whole log is {self._log}. {advice}"
            raise Problem("\n".join([f"  | {line}" for line in tail] + [sentence]))


def prepare(group: str, folder: str | None, exact: bool) -> None:
    """See to it that the environment in a folder (.venv in the checkout) holds the group. Raises Problem.

    Only an environment that is made anew depends on the Python that runs this, and gives way to another one where this
    one cannot hold the lock; with `exact` it must be made with this very Python.
    """
    environment = Environment(Path(os.path.relpath(Path(folder) if folder else LOCKS.parent / ".venv")))
    stays, missing = environment.missing(wanted_locks(group, environment.stamp()), exact)
    if not missing:
        return
    if not stays and RUNNING not in supported(missing[0].name):
        use_another_python(missing[0].name, exact)
    require_venv()
    with environment.locked() as held:
        # Asked again: whoever held it before may have done the work.
        stays, missing = environment.missing(wanted_locks(group, environment.stamp()), exact)
        if missing:
            began = time.monotonic()
            environment.install(stays, missing, held)
            print(f"Ready after {time.monotonic() - began:.0f} s.", flush=True)
