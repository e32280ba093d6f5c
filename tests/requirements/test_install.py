"""The set-up behind every make target, run for real on locks of one tiny wheel; no network."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import shutil
import signal
import socket
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

pytestmark = pytest.mark.skipif(
    not (3, 10) <= sys.version_info[:2] <= (3, 13),
    reason="the set-up hands over to another Python where this one is not 3.10 to 3.13; run the tests with one that is",
)


def build_wheel(folder: Path, name: str) -> str:
    """A wheel of one empty module, and the line of a lock that pins it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
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
    for name in ("install.py", "environment.py"):
        shutil.copy(SOURCE / name, folder / "requirements" / name)
    for lock in ("cpu", "gpu", "harness", "dev", "trainer-2.13", "trainer-2.17"):
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


# A finished environment


def test_finished_environment_is_left_alone_in_silence(finished: Checkout) -> None:
    before = (finished.venv / "installed.json").stat().st_mtime_ns
    result = finished.install("runtime")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (finished.venv / "installed.json").stat().st_mtime_ns == before
    assert finished.has("tiny_cpu")


def test_group_for_tests_is_added_to_what_is_there(copied: Checkout) -> None:
    mark = copied.venv / "mark"
    mark.touch()
    result = copied.install("dev")
    assert result.returncode == 0, result.stderr
    assert mark.exists()
    assert copied.has("tiny_cpu")
    assert copied.has("tiny_dev")
    assert set(copied.installed()) == {"cpu", "dev"}
    assert copied.install("runtime").stdout == ""


@pytest.mark.slow
def test_changed_lock_makes_the_environment_anew(copied: Checkout) -> None:
    copied.lock("cpu", build_wheel(copied.folder / "wheels", "tiny_other"))
    assert copied.install("runtime").returncode == 0
    assert copied.has("tiny_other")
    assert not copied.has("tiny_cpu")


@pytest.mark.parametrize("stamp", [None, "", "{", "[]", '{"python": "3.11", "base": "/", "locks": 3}'])
def test_environment_without_a_true_stamp_is_made_anew(copied: Checkout, stamp: str | None) -> None:
    (copied.venv / "installed.json").unlink()
    if stamp is not None:
        (copied.venv / "installed.json").write_text(stamp)
    assert copied.ask("environment.stamp()") == "None"


@pytest.mark.slow
def test_interrupted_environment_is_repaired(copied: Checkout) -> None:
    (copied.venv / "installed.json").unlink()
    (copied.venv / "bin" / "python").unlink()
    (copied.venv / "half-unpacked").mkdir()
    assert copied.install("runtime").returncode == 0
    assert not (copied.venv / "half-unpacked").exists()
    assert set(copied.installed()) == {"cpu"}


def test_environment_whose_python_was_replaced_is_made_anew(copied: Checkout) -> None:
    assert copied.ask("environment.stamp() is None") == "False"
    (copied.venv / "bin" / "python").unlink()
    (copied.venv / "bin" / "python").symlink_to("/bin/sh")
    assert copied.ask("environment.stamp() is None") == "True"


def test_environment_whose_python_cannot_be_looked_at_is_made_anew(copied: Checkout) -> None:
    (copied.venv / "bin" / "python").unlink()
    (copied.venv / "bin" / "python").symlink_to("x" * 300)  # Fails for root, too, as a closed folder does for others.
    assert copied.ask("environment.stamp()") == "None"


def test_environment_stays_with_another_python_unless_that_was_asked_for(copied: Checkout) -> None:
    stamp = json.loads((copied.venv / "installed.json").read_text())
    (copied.venv / "installed.json").write_text(json.dumps({**stamp, "python": "3.9"}))
    missing = "[lock.name for lock in environment.missing([Lock('cpu')], exact={})[1]]"
    assert copied.ask(missing.format(False)) == "[]"
    assert copied.ask(missing.format(True)) == "['cpu']"


def test_folder_that_something_else_made_is_left_as_it_is(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    (checkout.venv / "precious").touch()
    result = checkout.install("runtime")
    assert result.returncode == 4
    assert "move it away" in result.stderr
    assert [entry.name for entry in checkout.venv.iterdir()] == ["precious"]


@pytest.mark.slow
def test_trainer_environment_goes_where_it_is_told(checkout: Checkout, tmp_path: Path) -> None:
    where = tmp_path / "elsewhere"
    group = "trainer-2.13" if sys.version_info < (3, 12) else "trainer-2.17"
    if group == "trainer-2.17" and sys.version_info >= (3, 13):
        pytest.skip("no older TensorFlow has a build for this Python; run the tests with Python 3.10 to 3.12")
    assert checkout.install(group, "--venv", str(where)).returncode == 0
    assert list(json.loads((where / "installed.json").read_text())["locks"]) == [group]
    assert not checkout.venv.exists()


# What goes wrong


@pytest.mark.slow
def test_wheel_with_another_hash_is_refused_and_the_log_shown(checkout: Checkout) -> None:
    checkout.lock("cpu", "tiny_cpu==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    result = checkout.install("runtime")
    assert result.returncode == 4
    assert "DO NOT MATCH" in result.stderr
    assert "the whole log is .venv/install.log" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (checkout.venv / "installed.json").exists()


def test_disk_too_small_is_said_before_anything_is_made(checkout: Checkout) -> None:
    checkout.lock("cpu", "# download: 1000000000 MB\n")
    result = checkout.install("runtime")
    assert result.returncode == 4
    assert "make room" in result.stderr
    assert not (checkout.venv / "bin").exists()


def test_environment_that_cannot_be_written_is_one_sentence(checkout: Checkout) -> None:
    checkout.venv.touch()
    result = checkout.install("runtime")
    assert (result.returncode, result.stderr) == (4, ".venv cannot be written (File exists).\n")


def test_missing_venv_module_names_the_package(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n")
    result = checkout.install("runtime", PYTHONPATH=str(tmp_path))
    assert result.returncode == 4
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-venv" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not checkout.venv.exists()


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """A package index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.mark.slow
def test_ctrl_c_ends_at_once_and_the_next_run_repairs(checkout: Checkout, silent_index: socket.socket) -> None:
    index = f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"
    environment = checkout.environment(PIP_INDEX_URL=index, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    del environment["PIP_NO_INDEX"], environment["PIP_FIND_LINKS"]
    with subprocess.Popen(
        checkout.command("runtime"),
        cwd=checkout.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        connection, _ = silent_index.accept()
        with connection:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to make, this program and pip alike
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "Interrupted; the same command starts the set-up again.\n"
    assert not (checkout.venv / "installed.json").exists()
    assert checkout.install("runtime").returncode == 0
    assert checkout.has("tiny_cpu")


@pytest.mark.slow
def test_two_at_once_install_once(checkout: Checkout) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            checkout.command("runtime"),
            cwd=checkout.folder,
            env=checkout.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    both = [start(), start()]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("Installing" in output for output in outputs) == 1
    assert checkout.has("tiny_cpu")


# Which Python


def without_this_python(checkout: Checkout) -> None:
    """Make the copy believe that only Pythons of the far future will do."""
    program = checkout.folder / "requirements" / "install.py"
    text = program.read_text()
    assert '"runtime": ((3, 10), (3, 13))' in text
    program.write_text(text.replace('"runtime": ((3, 10), (3, 13))', '"runtime": ((3, 98), (3, 99))'))


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def test_unsupported_python_is_one_sentence_that_names_the_ones_looked_for(checkout: Checkout, tmp_path: Path) -> None:
    without_this_python(checkout)
    result = checkout.install("runtime", PATH=str(tmp_path))
    assert result.returncode == 4
    assert "Python 3.98 to 3.99 is needed" in result.stderr
    assert "none of python3.99, python3.98" in result.stderr
    assert result.stderr.count("\n") == 1


def test_unsupported_python_gives_way_to_a_real_one_on_path(checkout: Checkout, tmp_path: Path) -> None:
    without_this_python(checkout)
    write_program(tmp_path / "shims" / "python3.99", "echo 'not installed'; exit 127\n")
    write_program(tmp_path / "real" / "python3.98", 'if [ "$1" = -c ]; then echo 3.98; else echo "ran $2 $3"; fi\n')
    result = checkout.install("runtime", PATH=f"{tmp_path / 'shims'}:{tmp_path / 'real'}")
    assert (result.returncode, result.stdout) == (0, "ran runtime \n")


def test_python_named_by_the_person_gives_way_to_no_other(checkout: Checkout, tmp_path: Path) -> None:
    without_this_python(checkout)
    write_program(tmp_path / "real" / "python3.98", "echo 3.98\n")
    result = checkout.install("runtime", "--exact", PATH=str(tmp_path / "real"))
    assert result.returncode == 4
    assert "name another one with PYTHON=" in result.stderr


def test_entry_can_be_read_by_pythons_that_are_too_old() -> None:
    tree = ast.parse((SOURCE / "install.py").read_text(), feature_version=(3, 6))
    at_top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in at_top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in at_top if isinstance(node, ast.ImportFrom)}
    assert names <= {"argparse", "os", "subprocess", "sys", "typing"}


# CPU or GPU


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


@pytest.mark.slow
@pytest.mark.skipif(
    not CUDA_BUILDS,
    reason="TensorFlow has CUDA builds for x86_64 Linux alone, so the set-up asks no driver here; run the tests on it",
)
def test_gpu_gets_its_own_lock_and_keeps_it(copied: Checkout, fake_driver: dict[str, str]) -> None:
    assert set(copied.installed()) == {"cpu"}
    result = copied.install("runtime", DEVICE="", FAKE_GPUS="1", **fake_driver)
    assert result.returncode == 0, result.stderr
    assert set(copied.installed()) == {"gpu"}
    assert not copied.has("tiny_cpu"), "two builds of TensorFlow must never share a folder"
    assert copied.install("runtime", DEVICE="cpu").stdout == "", "an environment for GPUs serves the CPU too"


@pytest.mark.skipif(
    HAS_GPU_LIST,
    reason="the driver lists a GPU in /proc, which a fake library cannot hide; run the tests where there is none",
)
def test_driver_without_a_gpu_leaves_the_cpu_lock(finished: Checkout, fake_driver: dict[str, str]) -> None:
    assert finished.install("runtime", DEVICE="", FAKE_GPUS="0", **fake_driver).stdout == ""
    assert set(finished.installed()) == {"cpu"}


def test_device_cpu_asks_no_driver(finished: Checkout, fake_driver: dict[str, str]) -> None:
    assert finished.install("runtime", DEVICE="cpu", FAKE_GPUS="1", **fake_driver).stdout == ""
    assert set(finished.installed()) == {"cpu"}


# Runs in a container need no TensorFlow here


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """PATH with a container engine and NVIDIA's toolkit first on it; the engine leaves with FAKE_ENGINE."""

    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\nexit ${FAKE_ENGINE:-0}\n")
    (folder / "nvidia-ctk").write_text("#!/bin/sh\n")
    for each in folder.iterdir():
        each.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("given", "lock"),
    [
        ({}, "harness"),
        ({"WHERE": "container"}, "harness"),
        ({"WHERE": "native"}, "gpu"),
        ({"FAKE_ENGINE": "1"}, "gpu"),
        ({"FAKE_ENGINE": "1", "WHERE": "container"}, "harness"),
        ({"DEVICE": "cpu"}, "cpu"),
        ({"DEVICE": "cpu", "IMAGE": "cpu"}, "harness"),
        ({"TRAINER": "python train.py"}, "gpu"),
        ({"DOCKER": "no-such-engine"}, "gpu"),
    ],
)
@pytest.mark.skipif(not CUDA_BUILDS, reason="TensorFlow has CUDA builds for x86_64 Linux alone; run the tests on it")
def test_what_make_bench_needs_depends_on_where_it_will_run(
    checkout: Checkout, fake_driver: dict[str, str], programs: dict[str, str], given: dict[str, str], lock: str
) -> None:
    path = {"PYTHONPATH": str(checkout.folder / "requirements")}
    found = subprocess.run(
        [sys.executable, "-c", "from environment import *; print(main_lock('runtime', None))"],
        env=checkout.environment(**{"DEVICE": "", "FAKE_GPUS": "1", **fake_driver, **programs, **path, **given}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == lock


def test_without_the_toolkit_it_is_native(
    checkout: Checkout, fake_driver: dict[str, str], programs: dict[str, str]
) -> None:
    (Path(programs["PATH"].partition(os.pathsep)[0]) / "nvidia-ctk").unlink()
    question = "main_lock('runtime', None)"
    path = {"PYTHONPATH": str(checkout.folder / "requirements")}
    found = subprocess.run(
        [sys.executable, "-c", f"from environment import *; print({question})"],
        env=checkout.environment(**{"DEVICE": "", "FAKE_GPUS": "1", **fake_driver, **programs, **path}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == ("gpu" if CUDA_BUILDS else "cpu")


def test_the_harness_alone_is_small_stays_where_tensorflow_is_and_gives_way_to_it(
    checkout: Checkout, copied: Checkout
) -> None:
    assert copied.install("harness").stdout == "", "an environment with TensorFlow serves the harness"
    result = checkout.install("harness")
    assert "the harness, whose trainer runs in a container" in result.stdout
    assert set(checkout.installed()) == {"harness"}
    assert checkout.install("runtime", WHERE="container").stdout == ""
    checkout.install("native")
    assert set(checkout.installed()) == {"cpu"}
    assert not checkout.has("tiny_harness")
