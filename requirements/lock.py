"""Rewrites the lock files beside this file from their inputs: `make lock`. With `--upgrade` it takes newer versions.

A lock is one file for every supported Python and platform, each requirement pinned with the hashes of its files. It
names no package index, so it installs from whichever one pip is set up for. Needs uv and Python 3.11; installs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from pythons import PYTHONS, dotted

FOLDER = Path(__file__).resolve().parent
#: Oldest and newest Python that each lock must serve, in the order they are resolved: the later ones are held to the
#: versions of the first by `-c cpu.txt` in their inputs. pytest runs inside images too, and uv fetches for old Pythons.
SERVED = {
    "cpu": PYTHONS["cpu"],
    "gpu": PYTHONS["gpu"],
    "harness": PYTHONS["harness"],
    "dev": PYTHONS["cpu"],
    "parquet": PYTHONS["harness"],
    "uv": ((3, 8), (3, 14)),
    "pytest": ((3, 10), (3, 14)),
    "trainer-2.13": PYTHONS["trainer-2.13"],
    "trainer-2.17": PYTHONS["trainer-2.17"],
}
#: The machine whose download the header states.
USUAL_PYTHON, USUAL_PLATFORM = "3.11", "x86_64-manylinux_2_28"


def compile_with_uv(*arguments: str) -> None:
    """Run `uv pip compile` in this folder. Raises CalledProcessError where it finds no answer and has said why."""
    subprocess.run(["uv", "pip", "compile", "--quiet", "--no-header", *arguments], cwd=FOLDER, check=True)


def serves_usual_machine(wheel_name: str) -> bool:
    """Whether a wheel, by the tags in its name, installs on 64-bit Linux with the usual Python."""
    python, abi, platform = wheel_name.removesuffix(".whl").split("-")[-3:]
    own = "cp" + USUAL_PYTHON.replace(".", "")
    any_python = "py3" in python.split(".") or abi == "abi3"
    linux = "linux" in platform and platform.endswith("x86_64")
    return (any_python or python == own) and abi in (own, "abi3", "none") and (platform == "any" or linux)


def download_bytes(package: dict[str, Any]) -> int:
    """Size of the largest wheel of a package that the usual machine could take."""
    wheels = {wheel["url"].rsplit("/", 1)[1]: wheel["size"] for wheel in package.get("wheels", [])}
    return max((size for name, size in wheels.items() if serves_usual_machine(name)), default=0)


def download_megabytes(lock: str) -> int:
    """What installing a lock downloads on the usual machine, from the sizes the package index states."""
    with tempfile.TemporaryDirectory() as scratch:
        sizes = Path(scratch) / "pylock.toml"
        platform = ("--python-version", USUAL_PYTHON, "--python-platform", USUAL_PLATFORM)
        compile_with_uv(lock, "--no-deps", "--format", "pylock.toml", *platform, "-o", str(sizes))
        packages = tomllib.loads(sizes.read_text())["packages"]
    return round(sum(download_bytes(package) for package in packages) / 1e6)


def require_wheels(lock: str, python: str) -> None:
    """Raise CalledProcessError, with uv's word on stderr, where a pin has no wheel for a Python on 64-bit Linux."""
    machine = ("--python-version", python, "--python-platform", USUAL_PLATFORM, "--only-binary", ":all:")
    compile_with_uv(lock, "--no-deps", *machine, "-o", os.devnull)


def write_lock(name: str, extra: list[str]) -> None:
    """Resolve `name.in` into `name.txt`, with a header that says where it comes from and what it downloads."""
    path = FOLDER / f"{name}.txt"
    oldest, newest = map(dotted, SERVED[name])
    universal = ("--universal", "--python-version", oldest, "--fork-strategy", "fewest", "--generate-hashes")
    compile_with_uv(f"{name}.in", *universal, *extra, "-o", path.name)
    require_wheels(path.name, oldest)
    require_wheels(path.name, newest)
    megabytes = download_megabytes(path.name)
    header = f"# Locked from {name}.in by `make lock`; edit that file, not this one.\n# download: {megabytes} MB\n"
    path.write_text(header + path.read_text())
    print(f"requirements/{path.name}: {megabytes} MB to download on 64-bit Linux")


if __name__ == "__main__":
    for lock in SERVED:
        write_lock(lock, sys.argv[1:])
