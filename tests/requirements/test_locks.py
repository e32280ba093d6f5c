"""The lock files hold what their inputs ask for, agree with each other, and name no place to download from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "requirements"
LOCKS = ("cpu", "gpu", "harness", "dev", "parquet", "uv", "pytest", "trainer-2.13", "trainer-2.17")


@dataclass
class Pin:
    """One requirement of a lock."""

    name: str
    version: str
    marker: str
    hashes: list[str] = field(default_factory=list)


def pins(lock: str) -> list[Pin]:
    """The requirements of a lock; any line that is not one, a hash or a comment fails the test."""
    found: list[Pin] = []
    for line in (FOLDER / f"{lock}.txt").read_text().splitlines():
        text = line.split("#")[0].rstrip(" \\")
        if match := re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ; (.+))?", text):
            found.append(Pin(match[1], match[2], match[3] or ""))
        elif match := re.fullmatch(r"    --hash=(sha256:[0-9a-f]{64})", text):
            found[-1].hashes.append(match[1])
        else:
            assert not text.strip(), f"{lock}.txt has a line that is neither a pin nor a hash: {line}"
    return found


def versions(lock: str) -> dict[str, set[str]]:
    table: dict[str, set[str]] = {}
    for pin in pins(lock):
        table.setdefault(pin.name, set()).add(pin.version)
    return table


def inputs(lock: str) -> list[str]:
    """The names that a lock's input asks for, those of the file it includes among them."""
    names = []
    for line in (FOLDER / f"{lock}.in").read_text().splitlines():
        if line.startswith("-r "):
            names += inputs(line.split()[1].removesuffix(".in"))
        elif line and not line.startswith(("#", "-c ")):
            names.append(re.split(r"[\[=<> ]", line)[0])
    return names


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_hashes(lock: str) -> None:
    assert len(pins(lock)) > (0 if lock in ("parquet", "uv") else 5)
    assert [pin.name for pin in pins(lock) if not pin.hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_everything_its_input_asks_for(lock: str) -> None:
    assert set(inputs(lock)) <= set(versions(lock))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.*")), ids=lambda path: path.name)
def test_no_place_to_download_from_is_named(path: Path) -> None:
    assert re.findall(r"https?:|//|index-url|find-links", path.read_text()) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_header_says_what_will_be_downloaded(lock: str) -> None:
    first, second = (FOLDER / f"{lock}.txt").read_text().splitlines()[:2]
    assert first == f"# Locked from {lock}.in by `make lock`; edit that file, not this one."
    assert int(re.fullmatch(r"# download: (\d+) MB", second)[1]) >= (2 if lock == "pytest" else 10)


def test_cudnn_still_has_kernels_for_v100() -> None:
    """cuDNN 9.11 dropped compute capability 7.0 from its ops, cnn and adv libraries."""
    (version,) = versions("gpu")["nvidia-cudnn-cu12"]
    assert tuple(map(int, version.split("."))) < (9, 11)


def test_gpu_lock_is_the_cpu_lock_and_cuda() -> None:
    cpu, gpu = versions("cpu"), versions("gpu")
    assert {name: version for name, version in gpu.items() if name in cpu} == {
        name: version for name, version in cpu.items() if name != "tensorflow-cpu"
    }
    assert all(name.startswith("nvidia-") for name in gpu.keys() - cpu.keys())
    assert gpu["tensorflow"] == cpu["tensorflow"] == cpu["tensorflow-cpu"]


def test_tools_do_not_change_a_version_of_the_environment_they_are_added_to() -> None:
    cpu, dev = versions("cpu"), versions("dev")
    assert {name: dev[name] for name in dev.keys() & cpu.keys()} == {
        name: cpu[name] for name in dev.keys() & cpu.keys()
    }


def test_parquet_is_written_by_the_version_it_is_tested_with() -> None:
    parquet = versions("parquet")
    assert {name: versions("dev")[name] for name in parquet} == parquet


@pytest.mark.parametrize("lock", ["cpu", "gpu", "harness"])
def test_parquet_changes_no_version_of_the_environment_it_is_added_to(lock: str) -> None:
    parquet, base = versions("parquet"), versions(lock)
    assert parquet.keys() & base.keys() == {"pillow"}
    assert parquet["pillow"] == base["pillow"]


def test_one_version_of_a_package_serves_every_python() -> None:
    assert {name: found for name, found in versions("gpu").items() if len(found) > 1} == {}
    assert [pin.name for pin in pins("cpu") if "python" in pin.marker] == []


def test_oldest_trainer_has_the_oldest_numpy() -> None:
    assert versions("trainer-2.13")["tensorflow-cpu"] == {"2.13.1"}
    assert versions("trainer-2.13")["numpy"] == {"1.22.4", "1.23.2"}
    assert versions("trainer-2.17")["tensorflow-cpu"] == {"2.17.1"}
