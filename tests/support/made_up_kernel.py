"""Files of a kernel, made up: a machine whose every number is known, and processes on it."""

from __future__ import annotations

from pathlib import Path

#: user nice system idle iowait irq softirq steal guest guest_nice, in hundredths of a second
STAT = "cpu  1000 200 300 90000 700 40 60 500 1000 0\ncpu0 500 100 150 45000 350 20 30 250 0 0\nintr 5 1\n"
MEMINFO = "MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable:     50 kB\nBuffers: 2 kB\nCached:   30 kB\nSwapCached: 7 kB\n"
VMSTAT = "nr_free_pages 5\npswpin 3\npswpout 4\npgfault 9\n"
FILES = {
    "proc/stat": STAT,
    "proc/meminfo": MEMINFO,
    "proc/vmstat": VMSTAT,
    "proc/loadavg": "1.25 0.50 0.25 2/345 6789\n",
    "proc/self/cgroup": "0::/jobs/mine\n",
    "sys/fs/cgroup/jobs/mine/cpu.stat": "usage_usec 1\nnr_throttled 2\nthrottled_usec 1500000\n",
    "sys/fs/cgroup/jobs/cpu.stat": "usage_usec 1\nthrottled_usec 250000\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
    "proc/pressure/cpu": "some avg10=1.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 total=7\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=125000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2000000\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3000000\n",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "9000000\n",
}


def machine(root: Path, without: tuple[str, ...] = (), **replaced: str) -> Path:
    """Write FILES under ``root``, without those whose path begins so, and with others in their place."""
    for name, text in {**FILES, **replaced}.items():
        if not name.startswith(without or ("-",)):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return root


def process(
    root: Path,
    pid: int,
    times: tuple[int, int, int, int],
    children: tuple[int, ...] = (),
    disk_bytes: int | None = None,
    session: int = 1,
    environ: str | None = None,
    start: int = 99,
) -> None:
    """The files of a process whose name is as awkward as names may be; ``times`` as in its ``stat``.

    ``environ`` is one setting; there is no such file where it is None.
    """
    folder = root / "proc" / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(
        f"{pid} (a ) b) S 1 1 {session} 0 -1 0 0 0 0 0 {' '.join(map(str, times))} 20 0 1 0 {start} 9\n"
    )
    (folder / "statm").write_text("500 25 10 1 0 9 0\n")
    (folder / "task" / str(pid) / "children").write_text(" ".join(map(str, children)) + " ")
    if disk_bytes is not None:
        (folder / "io").write_text(f"rchar: 1\nread_bytes: {disk_bytes}\nwrite_bytes: 3\n")
    if environ is not None:
        (folder / "environ").write_bytes(b"A=1\0" + environ.encode() + b"\0")


def end(root: Path, pid: int) -> None:
    """What a kept-open file of a process that is gone reads as: nothing."""
    (root / "proc" / str(pid) / "stat").write_text("")
