"""The host probe on small copies of /proc, /sys and /etc as kernels and containers show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.probes import host


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write files under ``root`` and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


SERVER = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 amx_bf16 sse\n\n"
    "processor\t: 1\nmodel name\t: another\nflags\t\t: fpu\n",
    "proc/meminfo": "MemTotal:        2048 kB\nMemFree:  1 kB\nMemAvailable: 1024 kB\n"
    "SwapTotal: 8 kB\nSwapFree: 0 kB\n",
    "proc/stat": "cpu 1 2 3\n",
    "proc/self/stat": "1 (python)",
    "proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
    "proc/loadavg": "1.50 0.70 0.30 1/200 4242\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "sys/devices/system/cpu/online": "0-1\n",
}


def test_a_server_is_read_whole(tmp_path: Path) -> None:
    seen = host.read(plant(tmp_path, SERVER))
    assert (seen.cpu_model, seen.cpu_flags) == ("Intel(R) Xeon(R)", ("amx_bf16", "avx2"))
    assert (seen.memory_total_bytes, seen.load_average) == (2 * 2**20, 1.5)
    assert (seen.kernel_release, seen.os_name) == ("6.1.0-13-amd64", "Debian GNU/Linux 12")
    assert (seen.memory_available_bytes, seen.swap_total_bytes, seen.swap_free_bytes) == (2**20, 8192, 0)
    assert seen.unreadable == ()


def test_what_is_not_shown_is_missing_and_never_zero(tmp_path: Path) -> None:
    seen = host.read(tmp_path)
    assert (seen.cpu_model, seen.kernel_release, seen.os_name) == (None, None, None)
    assert (seen.memory_available_bytes, seen.swap_total_bytes, seen.swap_free_bytes) == (None, None, None)
    assert (seen.memory_total_bytes, seen.load_average, seen.cgroup_cpu_cores, seen.cgroup_memory_bytes) == (None,) * 4
    assert seen.cpu_flags == ()


def test_this_machine_has_a_core_and_memory() -> None:
    seen = host.read()
    assert seen.cpu_cores >= 1
    assert seen.memory_total_bytes is None or seen.memory_total_bytes > 2**28


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {**SERVER, "proc/stat": ""})
    (tmp_path / "proc/loadavg").unlink()
    assert host.read(tmp_path).unreadable == ("/proc/stat", "/proc/loadavg")


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        pytest.param(
            {
                "proc/self/cgroup": "0::/pod/box\n",
                "sys/fs/cgroup/pod/box/cpu.max": "max 100000",
                "sys/fs/cgroup/pod/box/memory.max": "8192",
                "sys/fs/cgroup/pod/cpu.max": "150000 100000",
                "sys/fs/cgroup/pod/memory.max": "4096",
            },
            1.5,
            4096,
            id="version 2, where the group above is the tighter one",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/host/path\n3:cpu,cpuacct:/host/path\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1024",
            },
            2.0,
            1024,
            id="version 1, in a container that is told its host's path",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/\n1:cpu:/\n0::/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/memory.max": "max",
            },
            None,
            None,
            id="no limit",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "50000 100000", "memory.max": "1"},
            0.5,
            None,
            id="a namespace that leads out of the mount",
        ),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path, files: dict[str, str], cores: float | None, memory: int | None
) -> None:
    seen = host.read(plant(tmp_path, files))
    assert (seen.cgroup_cpu_cores, seen.cgroup_memory_bytes) == (cores, memory)
