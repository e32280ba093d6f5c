from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.probes.load import Load
from bench.record.metrics import read_from
from tests.support.made_up_kernel import machine

PAGE = os.sysconf("SC_PAGE_SIZE")
HOST = read_from("host")
NOTHING = {each.name: None for each in HOST} | {"pressure_seconds": {}}


def test_every_value_of_the_host_is_read_in_the_unit_of_its_row(tmp_path: Path) -> None:
    load = Load(machine(tmp_path), cpus=(0, 1))

    assert load.read(HOST) == {
        "system_busy_seconds": 16.0,
        "steal_seconds": 5.0,
        "cpu_mhz": 2500.0,
        "load_average": 1.25,
        "memory_available_bytes": 50 * 1024,
        "page_cache_bytes": 30 * 1024,
        "swapped_bytes": 7 * PAGE,
        "throttled_seconds": 1.75,  # of the groups above us, too
        "pressure_seconds": {"cpu": 2.5, "memory": 0.0, "io": 0.125},
    }
    assert load.absent == ()


def test_version_1_groups_count_in_nanoseconds(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "3:cpu,cpuacct:/job\n",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.stat": "nr_periods 9\nthrottled_time 2000000000\n",
    }
    root = machine(tmp_path, without=("sys/fs/cgroup/jobs", "sys/fs/cgroup/cpu.stat"))

    assert Load(machine(root, **group), cpus=(0,)).read(HOST)["throttled_seconds"] == 2.0


def test_values_are_read_anew_each_time(tmp_path: Path) -> None:
    load = Load(machine(tmp_path), cpus=(0,))
    (tmp_path / "proc/loadavg").write_text("7.50 1 1 1/1 1\n")

    assert load.read(HOST)["load_average"] == 7.5


def test_what_a_kernel_does_not_show_is_none_and_named(tmp_path: Path) -> None:
    load = Load(machine(tmp_path, without=("proc/pressure/io", "proc/vmstat", "sys/", "proc/stat")), cpus=(0, 1))

    assert load.absent == (
        "system_busy_seconds",
        "steal_seconds",
        "cpu_mhz",
        "swapped_bytes",
        "throttled_seconds",
        "pressure_seconds.io",
    )
    assert load.read(HOST)["swapped_bytes"] is None
    assert load.read(HOST)["pressure_seconds"] == {"cpu": 2.5, "memory": 0.0}


def test_no_proc_at_all_leaves_everything_unknown(tmp_path: Path) -> None:
    load = Load(tmp_path, cpus=(0,))

    assert load.read(HOST) == NOTHING
    assert len(load.absent) == 11


def test_without_a_frequency_driver_the_list_of_cpus_tells(tmp_path: Path) -> None:
    cpuinfo = "processor: 0\ncpu MHz\t\t: 2600.000\n\nprocessor: 1\ncpu MHz\t\t: 2800.500\n"
    root = machine(tmp_path, without=("sys/devices",), **{"proc/cpuinfo": cpuinfo})

    assert Load(root, cpus=(0, 1)).read(HOST)["cpu_mhz"] == 2700.25


def test_a_frequency_that_cannot_be_looked_for_is_missing(tmp_path: Path) -> None:
    root = machine(tmp_path, without=("sys/devices",))
    (root / "sys/devices/system/cpu/cpu0").mkdir(parents=True)
    (root / "sys/devices/system/cpu/cpu0/cpufreq").symlink_to("a" * 300)  # a name too long to be asked for

    assert Load(root, cpus=[0]).read(HOST)["cpu_mhz"] is None


def test_only_so_many_frequencies_are_read_as_a_tick_has_time_for(tmp_path: Path) -> None:
    moments = iter((0.0, 0.01))  # the first read took 10 ms, as before Linux 5.18

    load = Load(machine(tmp_path), cpus=(0, 1), clock=lambda: next(moments))

    assert load.read(HOST)["cpu_mhz"] == 2000.0


def test_of_many_cpus_some_are_read_evenly(tmp_path: Path) -> None:
    many = {f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq": f"{cpu}000\n" for cpu in range(64)}

    load = Load(machine(tmp_path, **many), cpus=range(64), clock=lambda: 0.0)

    assert load.read(HOST)["cpu_mhz"] == sum(range(0, 64, 4)) / 16


@pytest.mark.parametrize("said", ["", "nonsense", "cpu\n", "cpu 1 2 3\n"])
def test_a_file_in_another_form_is_no_value(tmp_path: Path, said: str) -> None:
    load = Load(
        machine(tmp_path, **{"proc/stat": said, "proc/vmstat": said, "proc/loadavg": said, "proc/pressure/cpu": said}),
        cpus=(0,),
    )

    found = load.read(HOST)
    assert (found["system_busy_seconds"], found["swapped_bytes"], found["load_average"]) == (None, None, None)
    assert "cpu" not in found["pressure_seconds"]


def test_a_closed_load_gives_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    load = Load(machine(tmp_path), cpus=(0, 1))
    load.close()

    assert load.read(HOST) == NOTHING
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_this_machine_is_read(tmp_path: Path) -> None:
    found = Load().read(HOST)

    assert found["system_busy_seconds"] > 0
    assert found["memory_available_bytes"] > 1 << 20
