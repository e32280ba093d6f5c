"""The words of a side of an A/B: what they set, what they may not, and what is published of them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.campaign.ab_settings import SETTINGS, ArmSettings, read
from bench.errors import UsageError
from bench.system.identity import Identity

NOBODY = Identity.of()


def test_words_are_split_as_a_shell_does_into_options_and_variables() -> None:
    told = read("A", "PRECISION=fp16 'XLA_FLAGS=--xla_one --xla_two=3' THREADS=4 OMP_NUM_THREADS=", NOBODY)

    assert told.settings == {"PRECISION": "fp16", "THREADS": "4"} and told.threads == 4
    assert told.variables == {"XLA_FLAGS": "--xla_one --xla_two=3", "OMP_NUM_THREADS": ""}


def test_no_words_are_nothing_of_its_own() -> None:
    assert read("A", " \n", NOBODY) == ArmSettings() and ArmSettings().threads is None


@pytest.mark.parametrize("value", ["auto", "host", "device"])
def test_an_input_is_one_that_makes_results(value: str) -> None:
    assert read("B", f"INPUT={value}", NOBODY).settings == {"INPUT": value}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("'PRECISION=fp16", "A has a quote that is not closed"),
        ("fp16", "A has the word 'fp16', which is not KEY=VALUE."),
        ("=fp16", "which is not KEY=VALUE"),
        ("INPUT=host INPUT=device", "A has INPUT twice"),
        ("TF_X=1 TF_X=1", "A has TF_X twice"),
        ("INPUT=memory", "a control and no input."),
        ("PRECISION=fp23", "A has PRECISION=fp23, which is none of auto, bf16, fp16, fp32."),
        ("CACHE=warm", "none of kept, cold"),
        ("THREADS=0", "not a number of CPU threads from 1"),
        ("PRECISION=\u2028fp16", "A has PRECISION= fp16, which is none of"),
        ("THREADS=²", "not a number of CPU threads from 1"),
        ("IMAGE=", "A has IMAGE= and no value."),
        ("RECIPE=page24", "`make ablate` compares recipes"),
        ("DATA=/somewhere", "A has DATA, which both sides share."),
        ("SEEDS=3", "both sides share"),
        ("DEVICE=1", "both sides run on one device"),
        ("TRAINER=mine", "`bench ab` trains recipes"),
        ("TARGET=95", "Leave TARGET out"),
        ("PRECISON=fp16", "did you mean PRECISION?"),
        ("precision=fp16", "did you mean PRECISION?"),
        ("PATH=/bin", "neither one of INPUT, "),
        ("LD_PRELOAD=x.so", "nor a variable that records keep (TF_*, XLA_*, CUDA_* and others)."),
        ("CUDA_VISIBLE_DEVICES=1", "says where a run is made and not how"),
        ("CUDA_CACHE_PATH=/x", "or CACHE"),
        ("TF_VAR_secret=1", "must be redacted"),
        ("TF_TOKEN=1", "must be redacted"),
        ("TF_CONFIG=somebody@example.com", "must be redacted"),
    ],
)
def test_what_may_not_differ_or_is_no_word_is_refused_in_a_sentence(typed: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read("A", typed, NOBODY)

    assert said in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith("A has ") and str(error.value).endswith((".", "?"))


def test_what_is_published_tells_neither_a_home_nor_a_path() -> None:
    told = read("A", "DOCKER=/home/ann/docker XLA_FLAGS=--xla_dump_to=/home/ann/dump IMAGE=a.com/b/c:1", NOBODY)

    published = told.published(Identity.of("/home/ann", "ann"))

    assert published.settings == {"DOCKER": "docker", "IMAGE": "a.com/b/c:1"}
    assert published.variables == {"XLA_FLAGS": "--xla_dump_to=dump"}


WORDS = st.one_of(
    st.text(max_size=12),
    st.builds(
        "{}={}".format, st.sampled_from([*SETTINGS, "TF_X", "XLA_FLAGS", "DATA", "CUDA_PATH"]), st.text(max_size=8)
    ),
)


@given(st.lists(WORDS, max_size=4).map(" ".join))
def test_whatever_is_typed_is_understood_or_refused_in_one_sentence(typed: str) -> None:
    try:
        told = read("A", typed, NOBODY)
    except UsageError as error:
        said = str(error)
    else:
        said = "understood"
        assert len(told.settings) + len(told.variables) == len(shlex.split(typed))
        assert told.settings.keys() <= SETTINGS.keys() and told.threads != 0
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("flag", ["--env=TOKEN=hunter2", "-e TOKEN=hunter2"])
def test_a_sides_flags_are_published_without_the_values_of_variables(flag: str) -> None:
    side = read("A", f"DOCKER_FLAGS='{flag} --cpus=2'", Identity.of())
    assert "hunter2" in side.settings["DOCKER_FLAGS"]
    assert side.published(Identity.of()).settings["DOCKER_FLAGS"] == "'--env=TOKEN=(withheld)' --cpus=2"


def test_a_side_whose_flags_would_become_the_image_is_refused() -> None:
    with pytest.raises(UsageError):
        read("A", "DOCKER_FLAGS='ubuntu:24.04'", Identity.of())
