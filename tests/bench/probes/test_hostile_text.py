"""Text without an end, made to keep a pattern busy: a trainer, an image and a registry write what they like."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.containers import engine
from bench.system import redaction
from bench.system.env_snapshot import VERSION, recorded
from bench.system.identity import Identity

SOMEBODY = Identity.of("gpubox7.lab.example.edu", "alice", "/home/alice")
#: As it was: the same versions, in a time that grew with the square of their digits.
_AMBIGUOUS = re.compile(r"v?\d+(\.\d+)*([.+-]?[a-z]{0,5}\d+(\.\d+)*)?")


@given(st.text("v01.+-abcdef", max_size=14))
def test_a_version_is_what_it_was(text: str) -> None:
    assert bool(VERSION.fullmatch(text)) == bool(_AMBIGUOUS.fullmatch(text))


@pytest.mark.parametrize("version", ["2.21.0", "12.8.0.38", "v1", "25.02-tf2", "2.21.0rc1", "1.0+cu128", "1..2", "x"])
def test_a_version_in_a_field_of_that_name_is_told(version: str) -> None:
    kept = redaction.redact_event({"cudnn_version": version}, SOMEBODY)
    assert kept == {"cudnn_version": version}


@pytest.mark.parametrize(
    "value",
    [
        "10abc:8080",
        "_a:80",
        f"{'a' * 300}:8080",
        "x.example.com",
        "-.org",
        "a::b",
        "::",
        "00:11:22:33:44:55",
        "1.2.3.4",
    ],
)
def test_an_address_in_a_variable_is_withheld(value: str) -> None:
    assert recorded({"TF_X": value}, SOMEBODY) == {"TF_X": "(withheld)"}


@pytest.mark.parametrize(
    ("value", "kept"), [("/a/b/c", "c"), ("x=/a/b,y", "x=b,y"), ("a/b/ c", "b c"), ("//", ""), ("(/x/y)z", "(y)z")]
)
def test_a_path_in_a_variable_is_its_last_part(value: str, kept: str) -> None:
    assert recorded({"TF_X": value}, SOMEBODY) == {"TF_X": kept}


def test_what_an_engine_says_last_is_what_counts() -> None:
    noise = "nvidia-container-cli " * 100_000
    assert "disk is full" in engine.meaning(f"{noise}\nno space left on device").message


UNITS = (
    *("1", "a", "f", "0.", "a.", "a-", "_", "-", ".", ":", "a:", "1:", "/", "a/", "~", "~a/", "@", "a@", "a@b."),
    *("://", "a://", "GPU-a", "GPU-12345678-", "0f0f0f0f-", "'/", "'", '"/a', " ", "=/", "--a=", "../", "/../"),
    *("ip-1-1", "127.0.0.", "1.1.1.1.", "a.com.", "/home/", "/home/alice ", "alice", "alice_", "::1", "localhost:"),
    *("é", "-I/usr", "version 1.2.3.4 ", "permission denied ", "statfs ", "nvidia-container-cli "),
)


@pytest.mark.deep
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("tail", ["", "!", "é", "1", "/"])
def test_four_times_the_text_takes_no_sixteen_times_as_long(unit: str, tail: str) -> None:
    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit)) + tail
        began = time.process_time()
        redaction.redact_event({"message": text, "cudnn_version": text}, SOMEBODY)
        recorded({"TF_X": text, "TF_X_VERSION": text}, SOMEBODY)
        engine.meaning(text)
        return time.process_time() - began

    few = min(seconds(16_000) for _ in range(3))
    assert few < 0.05 or min(seconds(64_000) for _ in range(3)) < 10 * few
