"""Rules on the CPUs and the memory, and on who else uses them, before a run and while it lasts."""

from __future__ import annotations

from bench.record import Record
from bench.rules.facts import Facts
from bench.rules.rule import Finding, Rule, in_container, ok, percent, warn

#: Other work above this share of the machine's CPUs is more than the system's own.
BUSY_SHARE = 0.25
#: Five runs of a recipe can detect a difference of a few percent; steal time and throttling must stay below that.
#: Shares of the CPU time demanded, and of the life of the process.
STEAL_SHARE, STOPPED_SHARE = 0.02, 0.02
#: The trainer and the harness together stay under 3 GiB; an eighth more leaves the system something.
ENOUGH_MEMORY_BYTES = 3 * 2**30 * 9 // 8
#: A kernel moves idle pages of other programs by the MB; one batch of images has 6 MB.
SWAPPED_BYTES = 64 * 2**20
#: Tasks of a machine with free memory never wait for it (kernel documentation, accounting/psi).
MEMORY_WAIT_SHARE = 0.02
#: What to do about a limit on CPU time, in a container and outside one.
_WHOLE_CPUS = "give the container whole CPUs (--cpuset-cpus)"
_NO_LIMIT = "run it without a limit on CPU time (CPUQuota of its systemd slice)"
#: What many machines lack: frequencies in a cloud, a limit on CPU time, pressure in kernels built without it.
NOT_EVERYWHERE = ("cpu_mhz", "throttled_seconds", "pressure_seconds")


def _cpu(facts: Facts) -> Finding:
    value = f"{facts.cpu_model or 'model not known'}, {facts.cpu_cores} cores"
    limit = facts.cpu_limit_cores
    if limit is not None and limit < facts.cpu_cores:
        whole = _WHOLE_CPUS if facts.is_contained else _NO_LIMIT
        advice = f"{whole}, or its threads will be stopped in turn"
        return warn(f"{value}, of which it may use the time of {limit:g} core{'' if limit == 1 else 's'}", advice)
    return ok(value)


def _stopped(record: Record) -> str | None:
    stopped, life_ns = record.telemetry.throttled_seconds, record.life_ns
    if stopped is None or not life_ns or stopped <= STOPPED_SHARE * life_ns / 1e9:
        return None
    return f"its threads were stopped for {stopped:.1f} s, all CPUs together, in a life of {life_ns / 1e9:.1f} s"


def _load(facts: Facts) -> Finding:
    cores, load = facts.cpu_online or facts.cpu_cores, facts.load_average
    if load is None:
        return ok("not known")
    value = f"{load:.1f} of {cores} cores busy in the last minute"
    if load > BUSY_SHARE * cores:
        return warn(value, "stop what else is running, or times will not be this machine's best")
    return ok(value)


def _contention(record: Record) -> str | None:
    other = record.telemetry.training.other_cpu_cores
    cores = record.fingerprint.get("cpu.online") or record.fingerprint.get("cpu.cores")
    if other is None or not isinstance(cores, int):
        return None
    # The harness's own work is included in what was seen.
    harness = (record.harness.cpu_seconds or 0.0) * 1e9 / record.life_ns if record.life_ns else 0.0
    busy = other.mean - harness
    if busy <= BUSY_SHARE * cores:
        return None
    return f"other programs kept {busy:.1f} of {cores} cores busy while it trained (up to {other.max:.1f})"


def _steal(record: Record) -> str | None:
    share = record.telemetry.steal_share
    if share is None or share <= STEAL_SHARE:
        return None
    return f"the host gave {percent(share)} of the CPU time that this machine asked for to others"


def _governor(facts: Facts) -> Finding:
    governor = facts.cpu_governor
    if governor is None:
        return ok("not shown, as in most clouds")
    if governor == "performance":
        return ok(governor)
    undo = f"later undo it with `-g {governor.split(',')[0]}`"
    return warn(governor, f"type `sudo cpupower frequency-set -g performance`; {undo}")


def _governed(record: Record) -> str | None:
    governor = record.fingerprint.get("cpu.governor")
    return None if governor in (None, "performance") else f"the frequency governor was {governor}"


def _turbo(facts: Facts) -> Finding | None:
    if facts.cpu_turbo is None:
        return None
    if facts.cpu_turbo:
        return ok("on")
    intel = facts.cpu_driver in ("intel_pstate", "intel_cpufreq")
    switch = "intel_pstate/no_turbo" if intel else "cpufreq/boost"
    on, off = (0, 1) if intel else (1, 0)
    command = f"sudo tee /sys/devices/system/cpu/{switch}"
    return warn("off", f"type `echo {on} | {command}`; later undo it with `echo {off} | {command}`")


def _without_turbo(record: Record) -> str | None:
    return "the CPUs kept to their base frequency" if record.fingerprint.get("cpu.turbo") is False else None


def _bf16(facts: Facts) -> Finding:
    if facts.cpu_bf16:
        return ok(" ".join(facts.cpu_bf16))
    if facts.has_gpu:
        return ok("none, and the GPU needs none")
    return warn("none", "expect fp32 to be used, at a fraction of the speed")


def _memory(facts: Facts) -> Finding:
    known = [size for size in (facts.memory_total_bytes, facts.memory_limit_bytes) if size is not None]
    if not known:
        return ok("not known")
    value, needed = f"{min(known) / 2**30:.1f} GiB", f"{ENOUGH_MEMORY_BYTES / 2**30:.1f} GiB"
    if min(known) < ENOUGH_MEMORY_BYTES:
        return warn(value, f"expect a run on the whole dataset to be killed: it needs {needed}")
    free = facts.memory_available_bytes
    if free is not None and free < ENOUGH_MEMORY_BYTES:
        free_value = f"{value}, {free / 2**30:.1f} GiB of it free"
        return warn(free_value, f"close other programs: a run on the whole dataset needs {needed}")
    return ok(value)


def _waited_for_memory(record: Record) -> str | None:
    share = record.telemetry.pressure_shares.get("memory")
    if not isinstance(share, (int, float)) or share <= MEMORY_WAIT_SHARE:
        return None
    return f"programs waited for memory in {percent(share)} of the time"


def _swap(facts: Facts) -> Finding | None:
    if facts.swap_used_bytes is None:
        return None
    value = f"{facts.swap_used_bytes / 2**30:.1f} GiB in use"
    free = facts.memory_available_bytes
    if facts.swap_used_bytes > SWAPPED_BYTES and free is not None and free < ENOUGH_MEMORY_BYTES:
        return warn(value, "close other programs, or parts of a run may end up on the disk")
    return ok(value)


def _swapped(record: Record) -> str | None:
    swapped = record.telemetry.swapped_bytes
    if swapped is None or swapped <= SWAPPED_BYTES:
        return None
    return f"{swapped / 2**20:.0f} MiB went to swap and back while it ran"


def _unreadable(facts: Facts) -> Finding | None:
    if not facts.unreadable:
        return None
    return warn(f"cannot read {', '.join(facts.unreadable)}", _SHOW_PROC_INSIDE if facts.is_contained else _SHOW_PROC)


def _was_unreadable(record: Record) -> str | None:
    absent = [name for name in record.telemetry.host_absent if not name.startswith(NOT_EVERYWHERE)]
    return f"not recorded, as this machine does not show it: {', '.join(absent)}" if absent else None


_SHOW_PROC = "mount /proc and /sys as usual, readable to this user; what is missing stays empty in records"
_SHOW_PROC_INSIDE = "start the container with /proc and /sys mounted as usual; what is missing stays empty in records"
MACHINE = (
    Rule("cpu-limit", "CPU", "suspect", f"{_NO_LIMIT}, or pin it to whole CPUs (taskset)",
         f"before: a limit below the CPUs it may run on; after: stopped by it for more than {percent(STOPPED_SHARE)} "
         "of its life", _cpu, _stopped, instead=in_container(f"{_WHOLE_CPUS} and no share of their time")),
    Rule("cpu-contention", "other work", "suspect", "stop what else runs on this machine, and run it again",
         f"more than {percent(BUSY_SHARE)} of the machine's CPUs, before: load of the last minute; after: mean over "
         "training, the trainer and the harness left out", _load, _contention),
    Rule("steal", "steal time", "suspect", "use a machine with CPUs of its own, or run it at another time",
         f"more than {percent(STEAL_SHARE)} of the CPU time demanded", after=_steal),
    Rule("governor", "CPU governor", "note",
         "type `sudo cpupower frequency-set -g performance` before a run; undo it with the governor's old name",
         "anything but performance, where it is shown", _governor, _governed),
    Rule("turbo", "CPU turbo", "note", "say so beside the number: `make doctor` tells how to switch turbo on",
         "switched off", _turbo, _without_turbo),
    Rule("bf16", "CPU bfloat16", threshold="no instructions for it, where the CPU would train", before=_bf16),
    Rule("memory", "memory", "suspect", "close other programs, or use a machine with more memory",
         f"before: less than {ENOUGH_MEMORY_BYTES / 2**30:.1f} GiB in all, or free; after: something waited for memory "
         f"in more than {percent(MEMORY_WAIT_SHARE)} of the time", _memory, _waited_for_memory),
    Rule("swap", "swap", "suspect", "close other programs, or type `sudo swapoff -a`; later undo it with `swapon -a`",
         f"before: over {SWAPPED_BYTES / 2**20:.0f} MiB in use and too little memory free; after: over "
         f"{SWAPPED_BYTES / 2**20:.0f} MiB moved while it ran", _swap, _swapped),
    Rule("unreadable", "/proc and /sys", "note", _SHOW_PROC,
         "before: a file that every Linux shows and that cannot be read here; after: a value that the sampler could "
         "not read from the kernel, save frequencies, limits and pressure, which not every kernel shows",
         _unreadable, _was_unreadable, instead=in_container(_SHOW_PROC_INSIDE)),
)  # fmt: skip
