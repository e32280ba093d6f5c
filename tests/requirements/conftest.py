"""Small checkouts for tests of the set-up: the real programs, locks of one tiny wheel each, and a fake driver."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "requirements"
HAS_GPU_LIST = Path("/proc/driver/nvidia/gpus").is_dir() and any(Path("/proc/driver/nvidia/gpus").iterdir())
CUDA_BUILDS = sys.platform == "linux" and platform.machine() == "x86_64"


def build_wheel(folder: Path, name: str, program: str | None = None) -> str:
    """A wheel of one empty module, and of a program if one is given, and the line of a lock that pins it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        if program is not None:
            script = zipfile.ZipInfo(f"{name}-1.0.data/scripts/{name}")
            script.external_attr = 0o100755 << 16
            wheel.writestr(script, program)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass
class Checkout:
    """A folder with the real programs and small locks."""

    folder: Path

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    def lock(self, name: str, text: str) -> None:
        (self.folder / "requirements" / f"{name}.txt").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.folder / "requirements" / "install.py"), *arguments]

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "wheels"}
        return {**kept, **pip, "DEVICE": "cpu", **extra}

    def install(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def ask(self, question: str) -> str:
        """What an expression over `environment`, this folder's .venv as the program sees it, gives."""
        program = f"from environment import *; environment = Environment(Path('.venv')); print({question})"
        path = {"PYTHONPATH": str(self.folder / "requirements")}
        command = [sys.executable, "-c", program]
        return subprocess.check_output(command, cwd=self.folder, env=self.environment(**path), text=True).strip()

    def installed(self) -> dict[str, str]:
        return json.loads((self.venv / "installed.json").read_text())["locks"]

    def has(self, module: str) -> bool:
        return any(self.venv.glob(f"lib/python*/site-packages/{module}.py"))


def make_checkout(folder: Path) -> Checkout:
    checkout = Checkout(folder)
    (folder / "requirements").mkdir(parents=True)
    for name in ("install.py", "environment.py", "pythons.py"):
        shutil.copy(SOURCE / name, folder / "requirements" / name)
    for lock in ("cpu", "gpu", "harness", "dev", "parquet", "trainer-2.13", "trainer-2.17"):
        module = "tiny_" + lock.replace("-", "_").replace(".", "_")
        checkout.lock(lock, "# download: 1 MB\n" + build_wheel(folder / "wheels", module))
    return checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path / "a checkout")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose CPU environment is complete; tests must leave it so."""
    made = make_checkout(tmp_path_factory.mktemp("finished") / "checkout")
    result = made.install("runtime")
    assert result.returncode == 0, result.stderr
    assert "about 1 MB to download" in result.stdout
    return made


@pytest.fixture
def copied(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished one, to break. (The links of an environment are to the Python outside it.)"""
    shutil.copytree(finished.folder, tmp_path / "checkout", symlinks=True)
    return Checkout(tmp_path / "checkout")


@pytest.fixture
def fake_driver(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that put a small NVML, which counts FAKE_GPUS devices, in the way of the real one."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the fake driver with; install one that is called cc, such as gcc")
    source = tmp_path / "nvml.c"
    source.write_text(
        "#include <stdlib.h>\n"
        "int nvmlInit_v2(void) { return 0; }\n"
        "int nvmlShutdown(void) { return 0; }\n"
        'int nvmlDeviceGetCount_v2(unsigned *count) { *count = atoi(getenv("FAKE_GPUS")); return 0; }\n'
    )
    subprocess.run([compiler, "-shared", "-fPIC", str(source), "-o", str(tmp_path / "libnvidia-ml.so.1")], check=True)
    return {"LD_LIBRARY_PATH": str(tmp_path)}


@pytest.fixture
def claims(tmp_path: Path) -> dict[str, dict[str, str]]:
    """By version, the variables that make this Python claim it, on a PATH without any Python."""

    def claiming(minor: int) -> dict[str, str]:
        folder = tmp_path / f"claims 3.{minor}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(f"import sys\nsys.version_info = (3, {minor}, 0, 'final', 0)\n")
        return {"PYTHONPATH": str(folder), "PATH": str(tmp_path / "programs")}

    return {f"3.{minor}": claiming(minor) for minor in (9, 10, 12, 14, 15)}
