"""Rules on the GPU that trains: who else is on it, how warm it is, how it is set, and what held its clocks down."""

from __future__ import annotations

from statistics import median

from bench.checks.facts import Facts
from bench.checks.rule import Finding, Rule, fail, ok, percent, warn
from bench.record import Record

#: Idle cards of a data centre have 25 to 45 C, and 50 to 65 C right after a run. V100, A100 and H100 begin to slow
#: themselves down between 83 and 90 C (their data sheets), and one that starts at over 70 gets there.
COOLEST_CELSIUS, WARMEST_CELSIUS = 10, 70
#: Slowing down for a fiftieth of the training moves a time by about that, which five runs can tell.
THROTTLED_SHARE = 0.02
#: The software power cap is how a card at full load works; below this it is not worth a word.
CAPPED_SHARE = 0.10
#: A V100 steps its clock by 7.5 MHz of 1380 to 1530, half a percent: this is several steps in one direction.
CLOCK_DRIFT = 0.03
#: With fewer epochs there are no thirds to compare.
LEAST_EPOCHS = 3
#: Causes of a slowdown that is no way to work, as the driver's counters and its event reasons are called; one event
#: may be under several of these, so that the largest counts and not their sum.
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
        return fail(facts.gpu_problem or "the driver does not work", "mend that, or type DEVICE=cpu")
    if not facts.gpu_names and facts.tensorflow_gpus:
        value = f"TensorFlow has {facts.tensorflow_gpus} that the harness cannot watch: {facts.gpu_problem}"
        return fail(value, "remove .venv and type `make bench`, or start the container with NVML in it")
    if not facts.gpu_names:
        none = f"none: {facts.gpu_problem}"
        return ok(none) if facts.device == "auto" else fail(none, "type DEVICE=cpu")
    if facts.card is None and facts.gpu_problem:
        return fail(facts.gpu_problem, "name one of them with DEVICE=, or type DEVICE=cpu")
    names = ", ".join(facts.gpu_names)
    if facts.tensorflow_gpus or facts.tensorflow_version is None:  # without an import there is nothing to say about it
        return ok(names)
    why = facts.tensorflow_why_no_gpu or facts.tensorflow_error or "it does not say why"
    return fail(f"{names}, which TensorFlow cannot use: {why}", "mend that, or type DEVICE=cpu to train on the CPU")


def _nvml_package(facts: Facts) -> Finding | None:
    if facts.nvml_package_problem:
        return warn(facts.nvml_package_problem, "type `make bench`, which installs the package nvidia-ml-py into .venv")
    return ok(facts.nvml_package) if facts.nvml_package else None


def trains(record: Record) -> bool:
    """Whether the card that was sampled is the one that the run asked for, and not one that was only watched."""
    return record.telemetry.gpu.get("role") == "trains"


def _others(facts: Facts) -> Finding | None:
    if facts.card is None or facts.card.foreign_processes is None:
        return None
    if not facts.card.foreign_processes:
        return ok("none")
    return fail(_processes(facts.card.foreign_processes), "type `nvidia-smi` to see whose they are, and end them")


def _foreign(record: Record) -> str | None:
    foreign = record.telemetry.foreign_processes
    if not foreign or not trains(record):
        return None
    how = "told apart by number" if record.telemetry.gpu.get("processes") == "pids" else "more than the trainer's one"
    return f"{_processes(foreign)} that {'is' if foreign == 1 else 'are'} not the trainer's ({how})"


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
    return f"the GPU had {celsius:.0f} C when the run began"


def _persistence(facts: Facts) -> Finding | None:
    if facts.card is None or facts.card.persistence is None:
        return None
    if facts.card.persistence:
        return ok("on")
    return warn("off", "type `sudo nvidia-smi -pm 1`; later undo it with `sudo nvidia-smi -pm 0`")


def _without_persistence(record: Record) -> str | None:
    off = record.fingerprint.get("gpu.persistence") is False
    return "the driver was loaded anew for the run, which takes seconds" if off else None


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
    return f"{what} {now:.0f} {unit}, by default {usual:.0f}"


def _throttled(record: Record) -> str | None:
    """By the driver's counters where it has them: a poll can miss what they count."""
    if not trains(record):
        return None
    train_seconds = sum(each.train_seconds or 0.0 for each in record.epochs)
    lost = {name: seconds for name, seconds in record.telemetry.lost_seconds.items() if name in THROTTLES}
    if lost:
        name = max(lost, key=lambda each: lost[each])
        if not train_seconds or lost[name] <= THROTTLED_SHARE * train_seconds:
            return None
        return f"the GPU slowed itself down for {lost[name]:.1f} s of {train_seconds:.1f} s training ({_words(name)})"
    seen = {name: share for name, share in record.telemetry.reason_shares.items() if name in THROTTLES}
    name = max(seen, key=lambda each: seen[each], default="")
    if not name or seen[name] <= THROTTLED_SHARE:
        return None
    return f"the GPU slowed itself down at {percent(seen[name])} of the ticks in training ({_words(name)})"


def _words(cause: str) -> str:
    return cause.replace("_", " ")


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
    Rule("gpu", "GPU", threshold="not there, not working, or not to be used by TensorFlow", before=_gpu),
    Rule("nvml-package", "GPU binding", threshold="not from nvidia-ml-py 12.535 up to 12", before=_nvml_package),
    Rule("foreign-process", "others on the GPU", "invalid", "type `nvidia-smi` to see whose they are, end them, and "
         "run it again", "one compute process or more", _others, _foreign),
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
         f"slowed down by heat or hardware for more than {percent(THROTTLED_SHARE)} of training, by the driver's "
         "counters, or else of the ticks", after=_throttled),
    Rule("power-capped", "GPU power cap", "note", "none is needed: it is how a card at full load works",
         f"more than {percent(CAPPED_SHARE)} of the ticks in training", after=_power_capped),
    Rule("clock-drift", "GPU clock drift", "suspect", "make a warm-up run first, or fix the clocks with "
         "`sudo nvidia-smi -lgc MHZ`; undo that with `sudo nvidia-smi -rgc`",
         f"more than {percent(CLOCK_DRIFT)} between the medians of the first and the last third of the epochs",
         after=_drifted),
)  # fmt: skip
