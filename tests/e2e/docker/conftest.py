"""A real engine for the tests of this folder: started once, with the image `cpu` built on a stand-in base."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("engine.sh")
#: Debian's client, which has BuildKit built in.
DOCKER = "/usr/bin/docker"
NEEDED = ("dockerd", "debootstrap", "docker-registry", "make")
REGISTRY = f"127.0.0.1:{os.environ.get('BENCH_TEST_REGISTRY_PORT', '5443')}"
ENABLE = "BENCH_TEST_ENGINE=1 as root on Debian with docker.io, debootstrap and docker-registry starts one"


@dataclass(frozen=True)
class Engine:
    """The engine, and how long ``make image`` took at first and again, in seconds."""

    first_build_seconds: float
    second_build_seconds: float

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([DOCKER, *words], capture_output=True, text=True, check=check)

    def containers(self) -> list[str]:
        """The names of all containers, running or not."""
        return self.docker("ps", "--all", "--format", "{{.Names}}").stdout.split()


def make(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """``make`` in the checkout, with this engine."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("BENCH_TEST", "PYTEST"))}
    return subprocess.run(
        ["make", *words, f"DOCKER={DOCKER}"], cwd=ROOT, env={**env, **environ}, capture_output=True, text=True
    )


def build(name: str, base: str) -> float:
    """Build an image as the README says; the seconds it took."""
    import time

    began = time.monotonic()
    done = make("image", f"IMAGE={name}", "DOCKER_BUILD_FLAGS=--network=host", BASE_IMAGE=base)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - began


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if os.environ.get("BENCH_TEST_ENGINE") != "1":
        pytest.skip(f"no container engine is started unasked: {ENABLE}")
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"no container engine can be started here ({', '.join(missing) or 'not root'}): {ENABLE}")
    # Not pytest's own folder, whose path is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="bench-engine-"))
    try:
        started = subprocess.run([SCRIPT, "start", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if "bench-engine-cannot" in started.stdout:
            pytest.skip(f"this machine lets nobody start a container engine: {started.stdout.strip()[-500:]}")
        assert started.returncode == 0, started.stdout
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
            patch.delenv("DOCKER_CONTEXT", raising=False)
            yield Engine(build("cpu", "standin-base:py311"), build("cpu", "standin-base:py311"))
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=False)
