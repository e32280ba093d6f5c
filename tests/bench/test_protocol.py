"""The door: what is written is read again, and nothing else gets in."""

import dataclasses
import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import protocol
from bench.protocol import Done, Epoch, Error, Hello, Phase, ProtocolError, Waits, Warning, Writer

HELLO = Hello(
    trainer="resnet9 0.1.0",
    framework="tensorflow 2.21.0",
    runs=1,
    seed=0,
    recipe={
        "name": "page24",
        "sha256": "0" * 64,
        "target_percent": 94.0,
        "epochs": 24,
        "steps_per_epoch": 97,
        "batch": 512,
    },
    dataset={"name": "cifar10", "sha256": "1" * 64, "state": "canonical"},
    precision="bf16",
    input="device",
    device={"kind": "gpu", "name": "V100", "uuid": "GPU-1"},
    threads=8,
    xla={"on": True, "flags": {}},
)
LEVEL = Waits(1, [], [9], 4.5, level_samples=8, level_mean=4, level_capacity=4, level_empty_share=1)
EVENTS = [
    HELLO,
    Phase("import", 1, 2),
    Phase("train_k", 2, 3, epoch=1.0),
    Epoch(9.9, 87, 44544, 0.25, 9401, 10000, "six"),
    Waits(1.0, [10.0, 100.0], [1, 2, 3], 4.5, sum_us=321.0),
    Waits(1.0, [0, 10.0], [1, 2, 3], 0, 0, level_samples=0, level_mean=0, level_capacity=0, level_empty_share=0),
    LEVEL,
    Warning("careful", "do this"),
    Error("no", ""),
    Done("done", events=7, emit_ns=12345),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_survives_its_line(event):
    line = protocol.encode(event)
    assert "\n" not in line and json.loads(line)["v"] == 1
    assert protocol.decode(line) == event
    assert protocol.decode(line.encode()) == event


def changed(event, /, **fields):
    return json.dumps({**protocol.to_json(event), **fields})


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("nonsense", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        ("[" * 100_000, "not a line of JSON"),
        ("[]", "must be a JSON object"),
        (changed(HELLO, v=2), "`v` must be 1"),
        (changed(HELLO, event="hallo"), "`event` must be one of"),
        (changed(HELLO, event=["x"]), "`event` must be one of"),
        (changed(HELLO, seed=-1), "`seed` must be at least 0"),
        (changed(HELLO, seed=True), "`seed` must be a whole number"),
        (changed(HELLO, recipe={"name": "x"}), "`recipe` lacks"),
        (changed(HELLO, device={"kind": "tpu", "name": "", "uuid": ""}), "`device.kind` must be one of"),
        (changed(Phase("import", 1, 2), end_ns=0), "ends 1 ns before it begins"),
        (changed(Phase("import", 1, 2), name="lunch"), "`name` must be one of"),
        (changed(Phase("import", 1, 2), epoch=1), "has no `epoch`"),
        (changed(Phase("import", 1, 2), name="train_k"), "needs `epoch`"),
        (changed(EVENTS[3], correct=10001), "is more than `total`"),
        (changed(EVENTS[3], total=0), "`total` must be at least 1"),
        (changed(EVENTS[3], view="ten"), "`view` must be one of"),
        (changed(EVENTS[3], loss="low"), "`loss` must be a finite number"),
        (changed(EVENTS[3], loss=float("nan")), "no JSON number"),
        (changed(EVENTS[3], loss=10**400), "must be a finite number"),
        (changed(EVENTS[3], steps=10**400), "fit 63 bits, not a number of over 40 digits"),
        ('{"v":1,"event":"done","run":' + "9" * 5000 + "}", "not a line of JSON"),
        (changed(EVENTS[4], counts=[1]), "one entry more"),
        (changed(EVENTS[4], edges_us=[2, 1]), "must increase"),
        (changed(EVENTS[4], edges_us=[-1, 1]), "`edges_us` must be at least 0, not -1"),
        (changed(EVENTS[4], floor_us=-0.1), "`floor_us` must be at least 0, not -0.1"),
        (changed(EVENTS[4], sum_us=-1), "`sum_us` must be at least 0, not -1"),
        (changed(EVENTS[4], sum_us=True), "`sum_us` must be a finite number"),
        (changed(LEVEL, level_mean=-0.5), "`level_mean` must be at least 0"),
        (changed(LEVEL, level_mean=4.5), "`level_mean` (4.5) is more than `level_capacity` (4)"),
        (changed(LEVEL, level_empty_share=-0.1), "`level_empty_share` must be at least 0"),
        (changed(LEVEL, level_empty_share=40), "at most 1, not 40"),
        (changed(LEVEL, level_samples=1.5), "`level_samples` must be a whole number"),
        (
            changed(LEVEL, level_empty_share=None),
            "`level_samples` without level_empty_share: give all fields of the level or none",
        ),
        (changed(EVENTS[4], level_mean=1.0), "without level_samples, level_capacity, level_empty_share"),
        ('{"v":1,"event":"done","run":0,"t_ns":1}', "lacks `status`"),
        ('{"v":1,"event":"done","status":"done"}', "lacks `run`"),
        ('{"v":1,"event":"error","run":0,"t_ns":1,"message":"m","code":5}', "`code` must be"),
        ("x" * (protocol.MAX_LINE_BYTES + 1), "is longer than"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused_in_one_sentence(line, sentence):
    with pytest.raises(ProtocolError) as caught:
        protocol.decode(line)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_fields_are_ignored_so_that_trainers_may_be_newer():
    assert protocol.decode(changed(EVENTS[1], colour="blue")) == EVENTS[1]


def test_nan_is_not_sent():
    with pytest.raises(ProtocolError, match="finite"):
        protocol.encode(dataclasses.replace(EVENTS[3], loss=float("nan")))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(EVENTS), st.data())
def test_no_value_in_any_field_gets_past_or_raises_anything_else(event, data):
    body = protocol.to_json(event)
    field = data.draw(st.sampled_from(sorted(body)))
    body[field] = data.draw(json_values)
    try:
        accepted = protocol.decode(json.dumps(body))
    except ProtocolError:
        return
    assert protocol.decode(protocol.encode(accepted)) == accepted


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(line):
    with pytest.raises(ProtocolError):
        protocol.decode(line)


def test_without_a_harness_the_writer_does_nothing(monkeypatch):
    monkeypatch.delenv(protocol.EVENTS_VARIABLE, raising=False)
    with Writer.from_environment() as writer:
        writer.emit(Warning("unheard"))
        writer.write_predictions(b"123")
    assert writer.events == 0 and writer.predictions_path is None


def test_the_writer_stamps_events_in_order_through_a_fifo(tmp_path, monkeypatch):
    fifo = tmp_path / "events.fifo"
    os.mkfifo(fifo)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(fifo.read_text().splitlines()))
    reader.start()
    monkeypatch.setenv(protocol.EVENTS_VARIABLE, str(fifo))
    with Writer.from_environment() as writer:
        for event in EVENTS:
            writer.emit(event)
    reader.join()
    received = [protocol.decode(line) for line in lines]
    assert [event.kind for event in received] == [event.kind for event in EVENTS]
    stamps = [event.t_ns for event in received]
    assert stamps == sorted(stamps) and stamps[0] > 0
    assert writer.events == len(EVENTS) and writer.emit_ns > 0


def test_predictions_land_beside_the_fifo_whole(tmp_path):
    writer = Writer(tmp_path / "events.fifo")
    writer.write_predictions(b"\x01\x02")
    writer.write_predictions(b"\x03\x04\x05")
    assert (tmp_path / "predictions.u8").read_bytes() == b"\x03\x04\x05"
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.u8"]
