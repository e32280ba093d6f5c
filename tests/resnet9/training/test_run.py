"""A whole run, small, as the harness sees it through the FIFO."""

import dataclasses
import functools
import os
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from bench import protocol
from bench.protocol import Writer
from resnet9.data import synthetic
from resnet9.errors import TrainingFailed
from resnet9.input.loops import DeviceLoop, HostLoop
from resnet9.training import run as training
from resnet9.training.phases import PhaseLog
from tests.resnet9.narrow import knots, narrow


@pytest.fixture(scope="module")
def request_of_two_epochs():
    recipe = narrow("smoke", widths=(2, 4, 8, 16), epochs=2, learning_rate=knots((0, 0.0), (1, 0.05), (2, 0.0)))
    # The thread counts of TensorFlow can be set once a process, before its first operation: 0 leaves them.
    return training.Request(recipe, seed=3, data="synthetic", input="host", precision="fp32", device="cpu", threads=0)


def events_of(tmp_path, call):
    fifo = tmp_path / "events.fifo"
    os.mkfifo(fifo)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(fifo.read_text().splitlines()))
    reader.start()
    try:
        with Writer(fifo) as writer:
            call(writer)
    finally:
        reader.join()
    return [protocol.decode(line) for line in lines]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, request_of_two_epochs):
    """One run of each input, made once: its events, its folder, every function traced and when, and how many events
    came before each file of predictions. On the device any accuracy reaches the target.
    """

    @functools.cache
    def train(name):
        folder, traced, written = tmp_path_factory.mktemp(name), [], []
        plain_function, plain_write = tf.function, Writer.write_predictions

        def function(function=None, **how):
            def body(*arguments, **named):
                traced.append((time.monotonic_ns(), function.__qualname__))
                return function(*arguments, **named)

            return plain_function(body, **how)

        def write(self, classes):
            written.append(self.events)
            plain_write(self, classes)

        target = 0.0 if name == "device" else None
        asked = dataclasses.replace(request_of_two_epochs, input=name, target_percent=target)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tf, "function", function)
            patch.setattr(Writer, "write_predictions", write)
            events = events_of(folder, lambda writer: training.train(asked, writer, PhaseLog(writer)))
        return events, folder, traced, written

    return train


@pytest.fixture
def run(trained):
    """The events of the host's run."""
    return trained("host")[0]


def test_a_run_greets_first_and_ends_with_done(run, request_of_two_epochs):
    hello, done = run[0], run[-1]
    assert (hello.kind, done.kind, done.status) == ("hello", "done", "done")
    assert hello.seed == 3 and hello.precision == "fp32" and hello.input == "host" and hello.device["kind"] == "cpu"
    assert hello.recipe["sha256"] == request_of_two_epochs.recipe.sha256
    assert hello.recipe["steps_per_epoch"] == 9 and hello.recipe["target_percent"] == 94.0
    assert hello.dataset["sha256"] == synthetic.make().sha256 and hello.dataset["state"] == "synthetic"
    assert hello.build["tensorflow_git"] and hello.build["onednn"] in ("on", "off", "default")
    assert done.events == len(run) and done.emit_ns > 0


def test_its_phases_are_contiguous_and_in_order(run):
    phases = [event for event in run if event.kind == "phase"]
    names = [phase.name for phase in phases]
    before = ["import", "device_init", "data_load", "compile", "build", "preprocess"]
    assert names == [*before, "train_k", "eval_k", "train_k", "final_eval", "exit"]
    assert [phase.epoch for phase in phases if phase.name.endswith("_k")] == [1.0, 1.0, 2.0]
    assert all(a.end_ns == b.begin_ns for a, b in pairwise(phases))


def test_every_epoch_is_reported_after_its_evaluation_has_ended(run):
    epochs = [event for event in run if event.kind == "epoch"]
    assert [(e.epoch, e.steps, e.images, e.total, e.view) for e in epochs] == [
        (n, 9, 4608, 2000, "plain") for n in (1.0, 2.0)
    ]
    ends = [event.end_ns for event in run if event.kind == "phase" and event.name in ("eval_k", "final_eval")]
    assert all(end <= epoch.t_ns for end, epoch in zip(ends, epochs, strict=True))
    waits = [event for event in run if event.kind == "waits"]
    assert [sum(w.counts) for w in waits] == [9, 9] and all(w.floor_us > 0 for w in waits)
    assert [(w.level_samples, w.level_capacity) for w in waits] == [(8, 4), (8, 4)]
    assert all(0 <= w.level_mean <= 4 and 0 <= w.level_empty_share <= 1 for w in waits)


def phases_of(run, name):
    return [(event.begin_ns, event.end_ns) for event in run if event.kind == "phase" and event.name == name]


@pytest.mark.parametrize("name", ["host", "device", pytest.param("memory", marks=pytest.mark.slow)])
def test_nothing_is_compiled_while_an_epoch_is_trained(trained, name):
    """Every trace of a compiled function lies in the compile phase; an epoch may make its pipeline anew, no more."""
    run, _, traced, _ = trained(name)
    ((began_ns, ended_ns),) = phases_of(run, "compile")
    inside = [function for at_ns, function in traced if began_ns <= at_ns <= ended_ns]
    assert any("train" in function for function in inside)
    for first_ns, last_ns in phases_of(run, "train_k"):
        assert [function for at_ns, function in traced if first_ns <= at_ns <= last_ns] == []
    waited_us = sum(event.sum_us for event in run if event.kind == "waits")
    trained_us = sum(last - first for first, last in phases_of(run, "train_k")) / 1e3
    assert waited_us < trained_us


@pytest.mark.slow
def test_the_control_input_waits_for_nothing_and_is_called_by_its_name(trained):
    run = trained("memory")[0]
    assert run[0].input == "memory" and not [event for event in run if event.kind == "waits"]
    epochs = [event for event in run if event.kind == "epoch"]
    assert [(event.steps, event.images) for event in epochs] == [(9, 4608), (9, 4608)]


def test_the_last_predictions_give_the_claimed_count(trained):
    run, folder, _, _ = trained("host")
    predictions = np.frombuffer((folder / "predictions.u8").read_bytes(), np.uint8)
    last = [event for event in run if event.kind == "epoch"][-1]
    assert int((predictions == synthetic.make().test_labels).sum()) == last.correct


def test_the_crossing_writes_predictions_before_it_is_announced(trained):
    run, _, _, written = trained("device")
    order = [event.kind for event in run]
    first, last = (i for i, kind in enumerate(order) if kind == "epoch")
    assert len(written) == 2 and written[0] <= first and first < written[1] <= last


@pytest.mark.parametrize("loop", [pytest.param(HostLoop, marks=pytest.mark.slow), DeviceLoop])
def test_a_loss_that_is_no_number_stops_the_run_in_one_sentence(tmp_path, request_of_two_epochs, monkeypatch, loop):
    diverging = dataclasses.replace(request_of_two_epochs.recipe, learning_rate=knots((0, 1e30)))
    name = "host" if loop is HostLoop else "device"
    bad = dataclasses.replace(request_of_two_epochs, recipe=diverging, input=name)
    with pytest.raises(TrainingFailed, match=r"diverged.*PRECISION=fp32"):
        events_of(tmp_path, lambda writer: training.train(bad, writer, PhaseLog(writer)))


def test_an_error_reaches_the_harness_and_the_person(tmp_path, request_of_two_epochs, monkeypatch, capsys):
    fifo = tmp_path / "events.fifo"
    os.mkfifo(fifo)
    monkeypatch.setenv(protocol.EVENTS_VARIABLE, str(fifo))
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(fifo.read_text().splitlines()))
    reader.start()
    code = training.run(dataclasses.replace(request_of_two_epochs, data=str(tmp_path / "nowhere")))
    reader.join()
    error = protocol.decode(lines[-1])
    assert code == 3 and error.kind == "error" and "nowhere" in error.message
    shown = capsys.readouterr().err
    assert shown.startswith("resnet9: ") and "Traceback" not in shown


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (OSError(28, "No space left on device"), 4, "No space left on device"),
        (type("ResourceExhaustedError", (Exception,), {})("OOM when allocating"), 5, "no memory left"),
    ],
)
def test_a_full_disk_and_a_full_device_are_sentences(request_of_two_epochs, monkeypatch, capsys, error, code, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr(training, "train", fail)
    assert training.run(request_of_two_epochs) == code
    shown = capsys.readouterr().err
    assert sentence in shown and shown.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["host", "device"])
def test_one_seed_twice_gives_identical_accuracies(request_of_two_epochs, name, capsys):
    asked = dataclasses.replace(request_of_two_epochs, input=name)
    tables = []
    for _ in range(2):
        assert training.run(asked) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
        tables.append([[row[i] for i in (0, 1, 3, 4, 6, 7)] for row in rows])
    assert tables[0] == tables[1] and len(tables[0]) == 2


@pytest.mark.slow
def test_the_trainer_adds_no_keras_to_what_tensorflow_itself_imports():
    """Keras 2 and 3 differ and change, so nothing the trainer runs may lean on either."""
    import subprocess
    import sys

    code = """
import sys, tensorflow
before = set(sys.modules)
import resnet9.training.run, resnet9.input.loops, resnet9.training.evaluation
print([name for name in set(sys.modules) - before if "keras" in name])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_crossing_is_found_in_whole_numbers_as_the_harness_finds_it(tmp_path, request_of_two_epochs, monkeypatch):
    written, labels = [], synthetic.make().test_labels
    # A share of the 2,000 images whose product with 2,000 is, in floats, more than the count it was made from.
    count = next(n for n in range(1, 2000) if 100 * n < (n / 20) * 2000)
    classes = np.where(np.arange(2000) < count, labels, (labels + 1) % 10).astype(np.uint8)
    monkeypatch.setattr(Writer, "write_predictions", lambda self, classes: written.append(self.events))
    monkeypatch.setattr("resnet9.training.evaluation.Evaluation.run", lambda self, view: (classes, 1.0))
    exact = dataclasses.replace(request_of_two_epochs, target_percent=count / 20)
    events_of(tmp_path, lambda writer: training.train(exact, writer, PhaseLog(writer)))
    assert len(written) == 2
