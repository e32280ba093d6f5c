"""The set-up behind every make target, run for real on locks of one tiny wheel; no network."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requirements.conftest import CUDA_BUILDS, HAS_GPU_LIST, Checkout, build_wheel

pytestmark = pytest.mark.skipif(
    not (3, 11) <= sys.version_info[:2] <= (3, 13),
    reason="the set-up hands over to another Python where this one is not 3.11 to 3.13; run the tests with one that is",
)


# A finished environment


def test_finished_environment_is_left_alone_in_silence(finished: Checkout) -> None:
    before = (finished.venv / "installed.json").stat().st_mtime_ns
    result = finished.install("runtime")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (finished.venv / "installed.json").stat().st_mtime_ns == before
    assert finished.has("tiny_cpu")


def test_finished_environment_needs_no_other_python(finished: Checkout, claims: dict[str, dict[str, str]]) -> None:
    result = finished.install("runtime", **claims["3.14"])
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


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


def test_parquet_is_added_where_it_is_asked_for_and_stays(copied: Checkout) -> None:
    result = copied.install("parquet")
    assert result.returncode == 0, result.stderr
    assert copied.has("tiny_cpu") and copied.has("tiny_parquet")
    assert set(copied.installed()) == {"cpu", "parquet"}
    assert copied.install("runtime").stdout == ""
    wanted = "[lock.name for lock in wanted_locks('{}', environment.stamp())]"
    assert copied.ask(wanted.format("dev")) == "['cpu', 'dev', 'parquet']"
    assert copied.ask(wanted.format("trainer-2.13")) == "['trainer-2.13']"


def test_parquet_needs_no_tensorflow(checkout: Checkout) -> None:
    assert checkout.ask("[lock.name for lock in wanted_locks('parquet', None)]") == "['harness', 'parquet']"


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
        pytest.skip("no older TensorFlow has a build for this Python; run the tests with Python 3.11 or 3.12")
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


# CPU or GPU


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
