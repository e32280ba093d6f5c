"""The fingerprint: complete, true to the checkout, and silent about whose machine it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.probes import gpu, machine
from bench.probes.machine import fingerprint, installed_lock, package_version
from bench.record.fingerprint_keys import check
from bench.system import subprocesses
from bench.system.env_snapshot import WITHHELD, Identity, hashed
from bench.system.subprocesses import CompletedCommand
from tests.bench.probes.test_host import plant


def hear(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """Starts the program for real, as ``bench.launch.launch`` will."""
    return subprocesses.run_captured(argv, seconds, env)


def no_command(argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """A machine without git."""
    raise FileNotFoundError(argv[0])


def test_what_an_image_says_of_itself_is_told_without_the_names_of_this_machine() -> None:
    facts = {"image.labels": ["maintainer=kurt@example.org", "title=x", f"long={'y' * 500}"], "image.id": "sha256:1"}
    told = machine.redacted({**facts, "run.rootless": False}, Identity.of("hal9000", "kurt"))
    assert told["image.id"] == "sha256:1"
    assert told["run.rootless"] is False
    assert not any("kurt" in label for label in told["image.labels"])
    assert told["image.labels"][1] == "title=x"
    assert max(map(len, told["image.labels"])) <= 200


def test_the_installed_lock_is_the_one_that_results_depend_on(tmp_path: Path) -> None:
    (tmp_path / "installed.json").write_text(json.dumps({"python": "3.11", "locks": {"dev": "d", "cpu": "c"}}))
    assert installed_lock(tmp_path) == {"lock.name": "cpu", "lock.sha256": "c"}


@pytest.mark.parametrize("stamp", [None, "", "[]", "{}", '{"locks": []}', '{"locks": {"dev": "d"}}', '{"locks": 1}'])
def test_an_environment_of_unknown_origin_names_no_lock(tmp_path: Path, stamp: str | None) -> None:
    if stamp is not None:
        (tmp_path / "installed.json").write_text(stamp)
    assert installed_lock(tmp_path) == {"lock.name": None, "lock.sha256": None}


def test_a_package_is_asked_for_without_importing_it() -> None:
    assert package_version("pytest") == packages.version("pytest")
    assert package_version("no-such-package-anywhere") is None


def test_this_machines_fingerprint_keeps_to_the_registry_and_to_json(tmp_path: Path) -> None:
    found = fingerprint(tmp_path, hear, environ={"TF_X": "1", "PATH": "/bin"})
    assert check(found) == ()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["env.TF_X"] == "1"


V100 = gpu.Gpu(0, "GPU-aaaa", "V100", 2**34, "550.54.15", None, (7, 0))


def seen(answer: gpu.GpuInventory | Exception, **options: Any) -> dict[str, Any]:
    """The fingerprint where the driver answers so."""

    def look() -> gpu.GpuInventory:
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = fingerprint(Path("/nowhere"), no_command, look=look, **{"environ": {}, **options})
    assert check(found) == ()
    return found


def test_the_gpu_of_the_run_is_told_apart_and_not_named(tmp_path: Path) -> None:
    found = seen(gpu.GpuInventory((V100,)), environ={"CUDA_CACHE_PATH": str(tmp_path)})
    assert (found["gpu.count"], found["gpu.name"], found["gpu.compute_capability"]) == (1, "V100", "7.0")
    assert (found["gpu.uuid_hash"], found["gpu.cuda_driver_version"]) == (hashed("GPU-aaaa"), None)
    assert "aaaa" not in json.dumps(found).replace(hashed("GPU-aaaa"), "")
    assert found["cache.cuda_kernels"] == "cold"


@pytest.mark.parametrize(("disabled", "state"), [("0", "warm"), ("1", "cold")])
def test_a_cache_with_kernels_is_warm_unless_it_is_off(tmp_path: Path, disabled: str, state: str) -> None:
    (tmp_path / "0").mkdir()
    environ = {"CUDA_CACHE_PATH": str(tmp_path), "CUDA_CACHE_DISABLE": disabled}
    assert seen(gpu.GpuInventory((V100,)), environ=environ)["cache.cuda_kernels"] == state


def test_a_run_on_the_cpu_has_no_gpu_and_the_machine_still_has_it() -> None:
    found = seen(gpu.GpuInventory((V100,)), device="cpu")
    assert (found["gpu.count"], found["gpu.name"], found["gpu.uuid_hash"]) == (1, None, None)
    assert found["cache.cuda_kernels"] is None


def test_a_driver_that_does_not_work_leaves_the_gpus_unknown_and_says_so() -> None:
    found = seen(gpu.DriverMismatch("restart"))
    assert (found["gpu.count"], found["gpu.why_none"]) == (None, "the driver does not work (DriverMismatch)")


def test_a_gpu_that_is_not_there_does_not_stop_the_fingerprint() -> None:
    found = seen(gpu.GpuInventory((V100,)), device="GPU-zzzz")
    assert (found["gpu.count"], found["gpu.name"]) == (1, None)


who = st.from_regex(r"q[a-z0-9]{2,9}", fullmatch=True)  # no word of an honest fingerprint begins so


@given(host=who, user=who, word=st.sampled_from(["{host}", "/home/{user}/x", "{user}@{host}", "/srv/y z", "--d=/a/b"]))
def test_no_fingerprint_tells_host_user_home_or_an_absolute_path(host: str, user: str, word: str) -> None:
    value = word.format(host=host, user=user)
    environ = dict.fromkeys(("TF_X", "XLA_FLAGS", "CUDA_HOME", "NCCL_PEER", "NVIDIA_X", "OMP_X"), value)
    identity = Identity.of(f"{host}.example.edu", user, f"/home/{user}")
    found = fingerprint(Path(f"/home/{user}/checkout"), no_command, environ=environ, identity=identity)
    told = json.dumps({name: value for name, value in found.items() if name.startswith("env.")})
    assert host not in told
    assert user not in told
    assert "/" not in told
    assert f"/home/{user}" not in json.dumps(found)


def test_a_kernel_named_after_its_builder_is_withheld(tmp_path: Path) -> None:
    release = tmp_path / "proc/sys/kernel/osrelease"
    release.parent.mkdir(parents=True)
    release.write_text("6.1.0-alice\n")
    found = fingerprint(tmp_path, no_command, root=tmp_path, environ={}, identity=Identity.of("alice"))
    assert found["kernel.release"] == WITHHELD


DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (f"nvcr.io/nvidia/tensorflow:23.01-tf2-py3@{DIGEST}", f"tensorflow:23.01-tf2-py3@{DIGEST}"),
        (f"registry.of.alice:5000/team/bench@{DIGEST}", f"bench@{DIGEST}"),
        (f"alices-bench@{DIGEST}", WITHHELD),
        ("bench:latest", WITHHELD),
        ("", None),
        (None, None),
    ],
)
def test_an_image_is_told_by_name_and_digest_and_never_by_its_registry(image: str | None, told: str | None) -> None:
    found = fingerprint(Path("/nowhere"), no_command, image=image, environ={}, identity=Identity.of("alice"))
    assert found["image"] == told


def test_the_kernel_cache_is_looked_for_in_the_trainers_home(tmp_path: Path) -> None:
    assert seen(gpu.GpuInventory((V100,)), environ={"HOME": str(tmp_path)})["cache.cuda_kernels"] == "cold"
    (tmp_path / ".nv/ComputeCache/0").mkdir(parents=True)
    assert seen(gpu.GpuInventory((V100,)), environ={"HOME": str(tmp_path)})["cache.cuda_kernels"] == "warm"


HOST, USER = "quasar7", "qmallory"
HOSTILE_FILES = {
    "proc/cpuinfo": f"processor: 0\nmodel name: AMD EPYC of {HOST}\nflags: avx2\n",
    "proc/sys/kernel/osrelease": f"6.1.0-{USER}-tuned\n",
    "proc/self/cgroup": f"0::/home/{USER}/docker-{HOST}\n",
    "etc/os-release": f'PRETTY_NAME="Linux for {HOST.upper()}"\n',
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": f"{USER}\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": f"{HOST}_pstate\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": f"clock-of-{USER}\n",
}


def test_a_whole_fingerprint_of_a_hostile_machine_tells_no_name_address_or_path(tmp_path: Path) -> None:
    root = plant(tmp_path, HOSTILE_FILES)
    (tmp_path / "installed.json").write_text(json.dumps({"locks": {f"/home/{USER}/{HOST}": f"{USER}"}}))
    card = replace(V100, name=f"V100 of {HOST}", driver_version=f"550-{USER}", uuid=f"GPU-{HOST}")
    found = fingerprint(
        Path(f"/home/{USER}/checkout"),
        lambda argv, seconds, env=None: CompletedCommand(
            0, f"version 1.2.3-{USER}\n# branch.oid {HOST}\n", f"fatal: {HOST}"
        ),
        image=f"{HOST}.example.edu/{USER}/{USER}s-image:{HOST}@{DIGEST}",
        root=root,
        prefix=tmp_path,
        environ={
            "TF_X": f"{USER}@{HOST}",
            "XLA_FLAGS": f"--xla_dump_to=/home/{USER}/x",
            f"TF_{USER.upper()}": "1",
            "CUDA_CACHE_PATH": f"/home/{USER}/cache",
            "CUDA_VISIBLE_DEVICES": f"GPU-{HOST}",
            "NCCL_SOCKET": "10.1.2.3:4000",
        },
        identity=Identity.of(f"{HOST}.example.edu", USER, f"/home/{USER}"),
        look=lambda: gpu.GpuInventory((card,)),
    )
    told = json.dumps(found).lower()
    assert HOST not in told
    assert USER not in told
    assert "10.1.2.3" not in told
    assert [value for value in found.values() if isinstance(value, str) and "/" in value] == []
    assert check(found) == ()
