import io

import pytest

from bench.protocol import Phase
from resnet9.input import waits
from resnet9.training.epoch_table import COLUMNS, EpochTable
from resnet9.training.phases import LONGEST_START_NS, PhaseLog, began_ns, process_start_ns


class Collected:
    """Stands where the writer stands and keeps what it is given."""

    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)


def test_phases_before_the_greeting_are_held_back_and_then_sent_in_order():
    writer = Collected()
    phases = PhaseLog(writer)
    phases.next("device_init")
    phases.next("data_load")
    assert writer.events == []
    phases.release()
    assert [event.name for event in writer.events] == ["import", "device_init"]
    phases.next("exit")
    assert writer.events[-1].name == "data_load"


def test_a_phase_begins_when_the_one_before_it_ends_and_says_how_long_that_took():
    writer = Collected()
    phases = PhaseLog(writer)
    phases.release()
    seconds = phases.next("train_k", 1.0)
    phases.close()
    first, second = writer.events
    assert isinstance(first, Phase) and first.end_ns == second.begin_ns and second.epoch == 1.0
    assert seconds == (first.end_ns - first.begin_ns) / 1e9 > 0


def test_waits_are_counted_into_half_decades():
    counts = waits.histogram([0.0, 9.9, 10.0, 99.0, 100.0, 2e6])
    assert counts[0] == 2 and counts[1] == 1 and counts[2] == 1 and counts[3] == 1 and counts[-1] == 1
    assert sum(counts) == 6 and len(counts) == len(waits.EDGES_US) + 1


def test_the_table_has_the_columns_of_cifar10_fast_and_one_heading():
    stream = io.StringIO()
    table = EpochTable(stream)
    for epoch in (1, 2):
        table.row(dict.fromkeys(COLUMNS, 0.5) | {"epoch": epoch})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and "train loss" in lines[0] and lines[1].split()[0] == "1"
    with pytest.raises(KeyError):
        table.row({"epoch": 3})


def test_a_process_knows_when_it_began():
    import subprocess
    import sys
    import time

    before = time.monotonic_ns()
    code = "import time; time.sleep(0.05); from resnet9.training.phases import process_start_ns as s; print(s())"
    began = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    # The kernel's clock ticks are 10 ms.
    assert before - 20_000_000 <= began <= before + 2_000_000_000
    assert time.monotonic_ns() - began > 50_000_000


def test_the_first_phase_begins_when_the_harness_started_the_run_however_long_a_container_took_to_begin():
    earlier_ns = process_start_ns() - 3_000_000_000
    assert began_ns({"BENCH_STARTED_NS": str(earlier_ns)}) == earlier_ns


def test_a_start_of_another_day_or_of_the_future_or_no_number_is_not_believed():
    own_ns = process_start_ns()
    for told in (own_ns + 1_000_000_000, own_ns - 2 * LONGEST_START_NS, "soon", ""):
        assert abs(began_ns({"BENCH_STARTED_NS": str(told)}) - own_ns) < 20_000_000
    assert abs(began_ns({}) - own_ns) < 20_000_000
