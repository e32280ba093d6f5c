"""Rules on the GPU that trains: who else is on it, how warm it is, how it is set, and what held its clocks down."""

from __future__ import annotations

from statistics import median

from bench.record import Record
from bench.record.telemetry import BUSY_PERCENT, SILENT
from bench.rules.facts import Facts
from bench.rules.rule import Finding, Rule, fail, ok, percent, warn

#: Idle cards of a data centre have 25 to 45 C, and 50 to 65 C right after a run. V100, A100 and H100 begin to slow
#: themselves down between 83 and 90 C (their data sheets), and one that starts at over 70 gets there.
COOLEST_CELSIUS, WARMEST_CELSIUS = 10, 70
#: Slowing down for a fiftieth of a run moves its time by about that, which five runs can detect.
THROTTLED_SHARE = 0.02
#: The software power cap is how a card at full load works; below this it is not worth a word.
CAPPED_SHARE = 0.10
#: A V100 steps its clock by 7.5 MHz of 1380 to 1530, half a percent: this is several steps in one direction.
CLOCK_DRIFT = 0.03
#: An H200 at rest shows 0.65 GB in use, which its driver keeps for itself; a desktop takes up to 1 GB.
IDLE_BYTES = 1.5 * 2**30
#: With fewer epochs there are no thirds to compare.
LEAST_EPOCHS = 3
#: Abnormal causes of a slowdown, by their names in the driver's counters and event reasons. One event may be counted
#: under several causes, so each is compared alone and never their sum.
THROTTLES = (
    "thermal",
    "software_thermal",
    "hardware_thermal",
    "hardware_slowdown",
    "power_brake",
    "board_limit",
    "reliability",
)


def _gpu(facts: Facts) -> Finding:
    if facts.device == "cpu":
        return ok("not used, as DEVICE=cpu says")
    if facts.gpu_names is None:
        return fail(facts.gpu_problem or "the driver does not work", "fix that, or type DEVICE=cpu")
    if not facts.gpu_names and facts.tensorflow_gpus:
        value = f"TensorFlow has {facts.tensorflow_gpus} that the harness cannot watch: {facts.gpu_problem}"
        # With DEVICE=gpu it trains all the same; with auto the person would get a CPU's result on a machine with a GPU.
        start = "start the container with the driver capability `utility`, or " if facts.is_contained else ""
        advice = f"{start}remove .venv and type `make bench`"
        return (
            warn(value, advice) if facts.device == "gpu" else fail(value, f"{advice}; or train unwatched, DEVICE=gpu")
        )
    if not facts.gpu_names:
        none = f"none: {facts.gpu_problem}"
        return ok(none) if facts.device == "auto" else fail(none, "type DEVICE=cpu")
    if facts.gpu_hidden_by:
        hidden = f"none: {facts.gpu_hidden_by} hides {', '.join(facts.gpu_names)}"
        if facts.device == "auto":
            return warn(hidden, "type `unset CUDA_VISIBLE_DEVICES` to train on the GPU, or DEVICE=cpu")
        return fail(hidden, "type `unset CUDA_VISIBLE_DEVICES`, or DEVICE=cpu")
    if facts.card is None and facts.gpu_problem:
        return fail(facts.gpu_problem, "name one of them with DEVICE=, or type DEVICE=cpu")
    names = ", ".join(facts.gpu_names)
    # TensorFlow was not imported here, or is in an image.
    if facts.tensorflow_gpus or facts.tensorflow_version is None or facts.in_container:
        return ok(names)
    why = facts.tensorflow_why_no_gpu or facts.tensorflow_error or "it does not say why"
    return fail(f"{names}, which TensorFlow cannot use: {why}", "fix that, or type DEVICE=cpu to train on the CPU")


def _lost_others(facts: Facts) -> Finding | None:
    if facts.card is None or not facts.gpu_lost:
        return None  # where none can be chosen, the rule on the GPU says so
    return warn("; ".join(facts.gpu_lost), "restart the machine; until then, runs are made on another GPU")


def _had_lost_others(record: Record) -> str | None:
    lost = record.fingerprint.get("gpu.lost")
    if not isinstance(lost, int) or not lost:
        return None
    return f"{lost} other GPU{'s' if lost > 1 else ''} of the machine did not answer"


def _nvml_package(facts: Facts) -> Finding | None:
    if facts.nvml_package_problem:
        return warn(facts.nvml_package_problem, "type `make bench`, which installs the package nvidia-ml-py into .venv")
    return ok(facts.nvml_package) if facts.nvml_package else None


def trains(record: Record) -> bool:
    """Return whether the sampled card is the one that the run trained on."""
    return record.telemetry.gpu.get("role") == "trains"


#: Prefixes of reasons in ``calls`` that mean a failure.
_FAILED = ("no permission", "code", SILENT)


def has_failed(why: object) -> bool:
    """Return whether ``why`` is a failure, not a value that the card or its driver does not support."""
    return isinstance(why, str) and why.startswith(_FAILED)


def failed_calls(record: Record) -> dict[str, str]:
    """Return the failed calls of the card that trains, each with its reason."""
    calls = record.telemetry.gpu.get("calls")
    if not isinstance(calls, dict) or not trains(record):
        return {}
    return {name: why for name, why in calls.items() if has_failed(why)}


def _others(facts: Facts) -> Finding | None:
    if facts.card is None:
        return None
    if facts.card.foreign_processes is None:
        why = facts.card.calls.get("processes", "yes")  # which may answer once and not again
        return ok(f"not known, as the driver does not list them{'' if why == 'yes' else f' ({why})'}")
    if not facts.card.foreign_processes:
        return ok("the driver lists none")
    return fail(_processes(facts.card.foreign_processes), "type `nvidia-smi` to see whose they are, and end them")


def _foreign(record: Record) -> str | None:
    foreign = record.telemetry.foreign_processes
    if not foreign or not trains(record):
        return None
    how = "told apart by number" if record.telemetry.gpu.get("processes") == "pids" else "more than the trainer's one"
    return f"{_processes(foreign)} that {'is' if foreign == 1 else 'are'} not the trainer's ({how})"


def _in_use_before(facts: Facts) -> Finding | None:
    if facts.card is None:
        return None
    used = _used(facts.card.utilisation_percent, facts.card.memory_bytes)
    if used:
        return warn(used, "type `nvidia-smi` to see what uses it, and end that")
    return None if facts.card.memory_bytes is None and facts.card.utilisation_percent is None else ok("no")


def _in_use(record: Record) -> str | None:
    before = record.telemetry.gpu.get("before")
    if not isinstance(before, dict) or not trains(record):
        return None
    used = _used(before.get("utilisation_percent"), before.get("memory_bytes"))
    return f"before the trainer started, the GPU was in use: {used}" if used else None


def _used(utilisation_percent: object, memory_bytes: object) -> str:
    parts = []
    if isinstance(utilisation_percent, (int, float)) and utilisation_percent > BUSY_PERCENT:
        parts.append(f"{utilisation_percent:.0f} % busy")
    if isinstance(memory_bytes, (int, float)) and memory_bytes > IDLE_BYTES:
        parts.append(f"{memory_bytes / 1e9:.1f} GB of memory taken")
    return ", ".join(parts)


def _not_listed(record: Record) -> str | None:
    telemetry = record.telemetry
    if why := failed_calls(record).get("processes"):
        return f"others on the GPU: not told, as the driver does not list its processes ({why})"
    calls = telemetry.gpu.get("calls")
    listed = isinstance(calls, dict) and calls.get("processes") == "yes" and telemetry.sampling.ticks
    if not listed or telemetry.foreign_processes is not None or not trains(record):
        return None
    return "others on the GPU: not told, as the driver's list of processes never showed even the trainer"


def _processes(count: int) -> str:
    return "1 compute process" if count == 1 else f"{count} compute processes"


def _temperature(facts: Facts) -> Finding | None:
    if facts.card is None or facts.card.temperature_celsius is None:
        return None
    celsius = facts.card.temperature_celsius
    if celsius > WARMEST_CELSIUS:
        return warn(f"{celsius:.0f} C", "let it rest with IDLE=60, and look at its fans")
    return ok(f"{celsius:.0f} C") if celsius >= COOLEST_CELSIUS else warn(f"{celsius:.0f} C", "look at its sensor")


def _started_warm(record: Record) -> str | None:
    celsius = record.telemetry.start_temperature_celsius
    if celsius is None or not trains(record) or COOLEST_CELSIUS <= celsius <= WARMEST_CELSIUS:
        return None
    return f"the GPU's temperature was {celsius:.0f} C when the run began"


def _persistence(facts: Facts) -> Finding | None:
    if facts.card is None or facts.card.persistence is None:
        return None
    if facts.card.persistence:
        return ok("on")
    return warn("off", "type `sudo nvidia-smi -pm 1`; later undo it with `sudo nvidia-smi -pm 0`")


def _without_persistence(record: Record) -> str | None:
    off = record.fingerprint.get("gpu.persistence") is False
    return "the driver may have been loaded anew for the run, which takes seconds" if off else None


def _ecc(facts: Facts) -> Finding | None:
    card = facts.card
    if card is None or card.ecc is None:
        return None
    value = "on" if card.ecc else "off"
    if card.ecc_pending is not None and card.ecc_pending != card.ecc:
        then = "on" if card.ecc_pending else "off"
        return warn(f"{value}, and {then} after the next restart", "restart first, or a later run is on another card")
    if card.ecc:
        return ok(value)
    return warn(value, "type `sudo nvidia-smi -e 1` and restart; later undo it with `sudo nvidia-smi -e 0`")


def _without_ecc(record: Record) -> str | None:
    return "the GPU's memory was not checked (ECC off)" if record.fingerprint.get("gpu.ecc") is False else None


def _mig(facts: Facts) -> Finding | None:
    if facts.card is None or not facts.card.mig:
        return None
    return warn("on: a run gets a slice", "type `sudo nvidia-smi -mig 0`; later undo it with `sudo nvidia-smi -mig 1`")


def _sliced(record: Record) -> str | None:
    return "the run had a slice of the GPU (MIG on)" if record.fingerprint.get("gpu.mig") is True else None


def _power_limit(facts: Facts) -> Finding | None:
    card = facts.card
    if card is None or card.power_limit_watts is None:
        return None
    value, usual = f"{card.power_limit_watts:.0f} W", card.default_power_limit_watts
    if usual is None or card.power_limit_watts >= usual:
        return ok(value)
    undo = f"later undo it with `sudo nvidia-smi -pl {card.power_limit_watts:.0f}`"
    return warn(f"{value} of {usual:.0f}", f"type `sudo nvidia-smi -pl {usual:.0f}`; {undo}")


def _limited(record: Record) -> str | None:
    return _lowered(record, "gpu.power_limit_watts", "gpu.default_power_limit_watts", "its power limit was", "W")


def _clock_limit(facts: Facts) -> Finding | None:
    card = facts.card
    if card is None or card.clock_limit_mhz is None:
        return None
    value, usual = f"{card.clock_limit_mhz:.0f} MHz for applications", card.default_clock_limit_mhz
    if usual is None or card.clock_limit_mhz >= usual:
        return ok(value)
    return warn(f"{value}, of {usual:.0f}", "type `sudo nvidia-smi -rac` and `sudo nvidia-smi -rgc`, which take away "
                f"what was set; later undo it with `sudo nvidia-smi -lgc {card.clock_limit_mhz:.0f}`")  # fmt: skip


def _clocked_down(record: Record) -> str | None:
    names = "gpu.application_sm_clock_mhz", "gpu.default_application_sm_clock_mhz"
    lowered = _lowered(record, *names, "its clock for applications was", "MHz")
    share = record.telemetry.reason_shares.get("application_clocks", 0.0)
    if lowered is not None or not trains(record) or share <= CAPPED_SHARE:
        return lowered
    return f"a clock that somebody had set held it down at {percent(share)} of the ticks in training"


def _lowered(record: Record, name: str, usual_name: str, what: str, unit: str) -> str | None:
    now, usual = record.fingerprint.get(name), record.fingerprint.get(usual_name)
    if not isinstance(now, (int, float)) or not isinstance(usual, (int, float)) or now >= usual:
        return None
    return f"{what} {now:.0f} {unit}, by default {usual:.0f} {unit}"


def _throttled(record: Record) -> str | None:
    """By the driver's counters or by its event reasons, either alone: each of them misses what the other sees.

    A poll misses what is short. A counter that stands still proves nothing: which of them a driver fills is not
    documented, before driver 575 there is none for power brakes, and of an older call for such times it is documented
    that its part on heat does not work (NVML API reference, nvmlDeviceGetViolationStatus).
    """
    if not trains(record):
        return None
    found = [(cause, _witnesses(record, cause)) for cause in THROTTLES]
    parts = [f"{cause.replace('_', ' ')} {' and '.join(witnesses)}" for cause, witnesses in found if witnesses]
    return f"the GPU slowed itself down: {', '.join(parts)}" if parts else None


def _witnesses(record: Record, cause: str) -> list[str]:
    """What says that ``cause`` held the clocks down for too long: its counter, its reason, or both."""
    parts = []
    lost, life_seconds = record.telemetry.lost_seconds.get(cause, 0.0), (record.life_ns or 0) / 1e9
    if life_seconds and lost > THROTTLED_SHARE * life_seconds:
        parts.append(f"for {lost:.1f} s of its life of {life_seconds:.1f} s by the driver's counter")
    share = record.telemetry.reason_shares.get(cause, 0.0)
    if share > THROTTLED_SHARE:
        parts.append(f"at {percent(share)} of the ticks in training")
    return parts


def _power_capped(record: Record) -> str | None:
    share = record.telemetry.reason_shares.get("software_power_cap", 0.0)
    if not trains(record) or share <= CAPPED_SHARE:
        return None
    return f"the power limit held the clocks down at {percent(share)} of the ticks in training"


def _drifted(record: Record) -> str | None:
    usages = [each.usage for each in record.telemetry.epochs if each.usage is not None]
    clocks = [usage.sm_clock_mhz.median for usage in usages if usage.sm_clock_mhz is not None]
    if len(clocks) < LEAST_EPOCHS or not trains(record):
        return None
    third = len(clocks) // 3
    first, last = median(clocks[:third]), median(clocks[-third:])
    if not first or abs(last - first) <= CLOCK_DRIFT * first:
        return None
    went = "fell" if last < first else "rose"
    return f"its clock {went} from {first:.0f} to {last:.0f} MHz between the first and the last third of the epochs"


CARD = (
    Rule("gpu", "GPU", threshold="not there where one is required, not working, not to be used by TensorFlow, or used "
         "by it and not to be watched, or hidden by CUDA_VISIBLE_DEVICES", before=_gpu),
    Rule("gpu-neighbour", "other GPUs", "note", "restart the machine: a GPU that does not answer needs a reset",
         "one that the driver counts and that does not answer, besides the one that trains",
         _lost_others, _had_lost_others),
    Rule("nvml-package", "GPU binding", threshold="not NVIDIA's nvidia-ml-py, or one older than 12.535 or from 14 on",
         before=_nvml_package),
    Rule("foreign-process", "others on the GPU", "invalid", "type `nvidia-smi` to see whose they are, end them, and "
         "run it again", "before: one compute process or more; after: one or more besides the trainer's, on the card "
         "that trains", _others, _foreign),
    Rule("process-list", "GPU process list", "note",
         "type `nvidia-smi` on the machine itself while a run lasts, to see who is on the card",
         "the driver lists processes, and the trainer was never among them; or it should list them and does not",
         after=_not_listed),
    Rule("gpu-in-use", "GPU in use", "note",
         "type `nvidia-smi` to see what uses it, and end that",
         f"before the trainer is on it: over {BUSY_PERCENT} % busy, or over {IDLE_BYTES / 2**30:g} GiB of memory taken",
         _in_use_before, _in_use),
    Rule("temperature", "GPU temperature", "suspect", "let it rest between runs with IDLE=60, and look at its fans",
         f"at the start outside {COOLEST_CELSIUS} to {WARMEST_CELSIUS} C", _temperature, _started_warm),
    Rule("persistence", "GPU persistence", "note", "type `sudo nvidia-smi -pm 1`; undo it with `sudo nvidia-smi -pm 0`",
         "off", _persistence, _without_persistence),
    Rule("ecc", "GPU ECC", "note", "say so beside the number: cards with ECC have less bandwidth and memory",
         "off, or before: to change at the next restart", _ecc, _without_ecc),
    Rule("mig", "GPU slices (MIG)", "note", "say so beside the number: it is no whole card's", "on", _mig, _sliced),
    Rule("power-limit", "GPU power limit", "note", "type `nvidia-smi -q -d POWER` for the default; set it with "
         "`sudo nvidia-smi -pl WATTS`, and undo that likewise", "below the card's default", _power_limit, _limited),
    Rule("clock-limit", "GPU clock limit", "note", "type `sudo nvidia-smi -rac` and `sudo nvidia-smi -rgc`",
         f"below the card's default, or after: what held it down at more than {percent(CAPPED_SHARE)} of the ticks",
         _clock_limit, _clocked_down),
    Rule("throttled", "GPU throttling", "suspect", "cool the card, or let it rest between runs with IDLE=60",
         f"one cause, heat or hardware, by either of two witnesses: more than {percent(THROTTLED_SHARE)} of the life "
         f"of the process by the driver's counter, or more than {percent(THROTTLED_SHARE)} of the ticks in training",
         after=_throttled),
    Rule("power-capped", "GPU power cap", "note", "none is needed: it is how a card at full load works",
         f"more than {percent(CAPPED_SHARE)} of the ticks in training", after=_power_capped),
    Rule("clock-drift", "GPU clock drift", "suspect", "make a warm-up run first, or fix the clocks with "
         "`sudo nvidia-smi -lgc MHZ`; undo that with `sudo nvidia-smi -rgc`",
         f"more than {percent(CLOCK_DRIFT)} between the medians of the first and the last third of the epochs, of "
         f"{LEAST_EPOCHS} or more",          after=_drifted),
)  # fmt: skip
