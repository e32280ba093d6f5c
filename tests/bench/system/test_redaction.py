"""What a trainer says, as a record may tell it: nothing that says whose machine it is, and the rest as it was."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.system.hashing import hashed
from bench.system.identity import Identity
from bench.system.redaction import redact, redact_event

ALICE = Identity.of("gpubox7.lab.example.edu", "alice", "/home/alice")
PUBLISHED = Path(__file__).parents[3] / "results" / "published"
UUID = "aaaaaaaa-0000-1111-2222-333333333333"


@pytest.mark.parametrize(
    "words",
    [
        "tensorflow 2.21.0",
        "CUDA 12.8.0.38, cuDNN 9.1.0.70, driver version: 570.86.10.1",
        "12:30:45 took 3 s, at 2026-11-23T12:30:45+00:00",
        "images/s and/or N/A, 1/2 of CIFAR-10",
        "tensorflow/core/platform/gpu_device.cc:2343] tsl::errors std::vector a::b",
        "tf.io.read_file in resnet9.py:1234",
        "NVIDIA H200 under Ubuntu 22.04, rooted",
        "a GPU-accelerated, GPU-based kernel",
        "./train here/z ../data/x.bin",
        "~5 minutes at ~10 %",
        "page24 air94-muon cifar10 sha256:1234",
        f"tensorflow:23.01-tf2-py3@sha256:{'0' * 64}",
        f"GPU-{'0' * 16}",
        "0123456789abcdef" * 4,
        "",
    ],
)
def test_words_that_tell_nobody_stay_as_they_are(words: str) -> None:
    assert redact(words, ALICE) == words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("No such file: '/home/alice/secret/data.bin'", "No such file: 'data.bin'"),
        ("cannot open /home/bob/cache: full", "cannot open cache: full"),
        ("'/data/bob smith/net.h5' is bad", "'net.h5' is bad"),
        ("in /home/bob, ~bob or ~bob/x", "in ~, ~ or x"),
        ("in ~/x and ../../home/bob/y", "in x and y"),
        ("-I/usr/include -L/home/bob/lib --xla_dump_to=/srv/dump", "-Iinclude -Llib --xla_dump_to=dump"),
        (f"GPU-{UUID} fell off", f"GPU-{hashed(f'GPU-{UUID}')} fell off"),
        (f"MIG-GPU-{UUID}/1/0", f"MIG-GPU-{hashed(f'GPU-{UUID}')}/1/0"),
        (f"card {UUID}", f"card {hashed(UUID)}"),
        ("alice@gpubox7 and bob@example", "(withheld) and (withheld)"),
        ("ALICE's alice_net on gpubox7", "(withheld)'s (withheld)_net on (withheld)"),
        ("peer 10.0.0.7:2222 is gone", "peer (withheld):2222 is gone"),
        ("peers node3:2222, fe80::1%eth0, aa:bb:cc:dd:ee:0f", "peers (withheld), (withheld), (withheld)"),
        ("from gs://bucket/x or https://u:p@host/x", "from (withheld) or (withheld)"),
        ("login.cluster.internal ip-10-0-0-8", "(withheld) (withheld)"),
        ("nas.lab.example.edu", "(withheld)"),
    ],
)
def test_a_word_that_tells_more_is_replaced_and_its_sentence_stays(words: str, shown: str) -> None:
    assert redact(words, ALICE) == shown


def test_a_home_with_a_space_in_it_is_a_home() -> None:
    assert redact("cannot open /home/al x/data.bin", Identity.of("/home/al x")) == "cannot open data.bin"


def test_every_text_of_an_event_is_told_and_no_number_touched() -> None:
    body = {
        "event": "hello",
        "trainer": "t of alice",
        "seed": 7,
        "recipe": {"name": "n", "epochs": 1.5, "more": ["/home/bob/x", 2, None, True]},
        "device": {"kind": "gpu", "uuid": "GPU-abc"},
        "build": {"/home/bob/key": "x", "cuda_version": "12.8.0.38", "prefix": "/home/bob/env"},
    }
    assert redact_event(body, ALICE) == {
        "event": "hello",
        "trainer": "t of (withheld)",
        "seed": 7,
        "recipe": {"name": "n", "epochs": 1.5, "more": ["x", 2, None, True]},
        "device": {"kind": "gpu", "uuid": f"GPU-{hashed('GPU-abc')}"},
        "build": {"key": "x", "cuda_version": "12.8.0.38", "prefix": "env"},
    }


@pytest.mark.parametrize("identity", [ALICE, Identity.of("h200", "ubuntu", "/home/ubuntu")])
def test_no_word_that_our_own_trainer_has_published_is_changed(identity: Identity) -> None:
    lines = [line for path in PUBLISHED.rglob("events.jsonl") for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines]
    assert any(event["event"] == "hello" for event in events)
    assert [event for event in events if redact_event(event, identity) != event] == []


def test_no_log_that_is_published_tells_more_than_a_record() -> None:
    lines = {line for path in PUBLISHED.rglob("trainer.log") for line in path.read_text().splitlines()}
    assert [line for line in lines if redact(line, ALICE) != line] == []


def test_an_event_deeper_than_any_honest_one_does_not_exhaust_the_stack() -> None:
    body: dict[str, Any] = {}
    for _ in range(900):
        body = {"x": body}
    assert str(redact_event(body, ALICE)).count("x") == 21


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["a", "/", "a.", "a@", "'/", "1.2.", "a:", "~", "a-", " -I", "GPU-", "a://", "../"])
def test_the_longest_line_that_is_read_is_told_within_seconds(pattern: str) -> None:
    began = time.process_time()
    redact(pattern * (1_000_000 // len(pattern)), ALICE)
    assert time.process_time() - began < 20  # far from the hours of a pattern that goes back over its text


pieces = st.sampled_from(["alice", "gpubox7", "/home/alice", "/home/bob/x", "10.0.0.7", UUID, "GPU-", "'", "=", "-"])


@given(st.lists(pieces | st.text(max_size=5), max_size=10).map(" ".join))
def test_no_text_tells_the_names_and_what_was_told_is_told_alike_again(text: str) -> None:
    shown = redact(text, ALICE)
    assert not ALICE.is_told_by(shown)
    assert "10.0.0.7" not in shown
    assert UUID not in shown
