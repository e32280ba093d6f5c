"""DOCKER_FLAGS as an engine reads them: what is refused, what is told of them, and what they are judged to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.system import container_flags
from bench.system.container_flags import added, redacted_flags, split, variables

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("", ()),
        ("--cpuset-cpus=0-7", ("--cpuset-cpus=0-7",)),
        ("--cpuset-cpus 0-7 --ulimit nofile=4096:4096", ("--cpuset-cpus=0-7", "--ulimit=nofile=4096:4096")),
        ("-m4g -c 512", ("--memory=4g", "--cpu-shares=512")),
        ("--privileged --network=host", ("--privileged", "--network=host")),
        ("--init=false", ("--init=false",)),
        ("--memory-swap -1", ("--memory-swap=-1",)),
        ("--ipc host --read-only=false", ("--ipc=host", "--read-only=false")),
        (f"--env=TOKEN={SECRET}", ("--env=TOKEN=(withheld)",)),
        (f"--env TOKEN={SECRET}", ("--env=TOKEN=(withheld)",)),
        (f"-e TOKEN={SECRET}", ("--env=TOKEN=(withheld)",)),
        (f"-eTOKEN={SECRET}", ("--env=TOKEN=(withheld)",)),
        (f"-e=TOKEN={SECRET}", ("--env=TOKEN=(withheld)",)),
        (f"-ie TOKEN={SECRET}", ("--interactive", "--env=TOKEN=(withheld)")),
        (f"-e 'A B={SECRET} {SECRET}'", ("--env=A B=(withheld)",)),
        (f"--env=TOKEN=a={SECRET}", ("--env=TOKEN=(withheld)",)),
        ("--env TOKEN", ("--env=TOKEN",)),
        (f"--log-opt splunk-token={SECRET}", ("--log-opt=(withheld)",)),
        (f"--label=key={SECRET}", ("--label=(withheld)",)),
        (f"--mount type=volume,volume-opt=o=password={SECRET}", ("--mount=(withheld)",)),
        (f"-v /home/{SECRET}:/x", ("--volume=(withheld)",)),
        (f"--some-new-flag={SECRET}", ("--some-new-flag=(withheld)",)),
        (f"--entrypoint='/bin/sh -c {SECRET}'", ("--entrypoint=(withheld)",)),
        (f"--network=http://user:{SECRET}@host", ("--network=(withheld)",)),
        (f"--security-opt seccomp=/home/{SECRET}/profile.json", ("--security-opt=(withheld)",)),
        ("--security-opt seccomp=unconfined", ("--security-opt=seccomp=unconfined",)),
        (f"--gpus=device=GPU-{SECRET}", ("--gpus=(withheld)",)),
        (f"--gpus '\"device=0,MIG-{SECRET}\"'", ("--gpus=(withheld)",)),
        ("--gpus=all", ("--gpus=all",)),
    ],
)
def test_flags_are_told_as_the_engine_reads_them_and_without_secrets(typed: str, shown: tuple[str, ...]) -> None:
    assert redacted_flags(split(typed)) == shown
    assert SECRET not in " ".join(shown)


@pytest.mark.parametrize(
    "typed",
    [
        "ubuntu:24.04",
        "--cpuset-cpus=0-7 ubuntu:24.04",
        "--privileged ubuntu",
        "--privileged false",
        "--cpuset-cpus 0-7 8-15",
        "--init=true python3",
        "--",
        "-",
        "-- ubuntu",
        "''",
        "--env",
        "--network --env=TOKEN=x",
        "-m -e",
        "-e",
        "-ie",
        "--env=",
        "-e =x",
        "--cpuset-cpus",
        "--some-new-flag",
        "--some-new-flag ubuntu",
        "-Z",
        "--name=mine",
        "--name mine",
        "-d",
        "-id",
        "--detach=true",
        "--rm",
        "--restart=always",
        "--help",
        "--Privileged",
        "--=x",
        "'",
    ],
)
def test_what_would_become_the_image_or_take_the_container_away_is_a_usage_error(typed: str) -> None:
    with pytest.raises(UsageError):
        split(typed)


@pytest.mark.parametrize("word", ["TOKEN", "--ENV=TOKEN", "--env_x=TOKEN", "---"])
def test_a_refusal_tells_no_value(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        split(f"{word}={SECRET}")
    assert SECRET not in str(refused.value)


WORDS = st.one_of(
    st.sampled_from(["--network", "-e", "-m", "-i", "--env", "--init", "--label", "--cpus=2", "--new="]),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8),
)


@given(st.lists(WORDS, max_size=4))
def test_words_are_read_or_refused_and_no_secret_is_told(words: list[str]) -> None:
    try:
        shown = " ".join(redacted_flags([*words, f"--env=TOKEN={SECRET}"]))
    except UsageError as why:
        shown = str(why)
    assert SECRET not in shown


def test_the_variables_a_trainer_gets_are_known() -> None:
    words = split("--env=XLA_FLAGS=--xla_gpu_autotune_level=0 -e TF_X=1 --env PASSED --cpus=2")
    assert variables(words) == {"XLA_FLAGS": "--xla_gpu_autotune_level=0", "TF_X": "1"}


@pytest.mark.parametrize(
    ("flag", "judged"),
    [
        *((flag, "harmless") for flag in ("--cpus=2", "--memory=4g", "--shm-size=2g", "--ulimit=stack=1")),
        *((flag, "replaces") for flag in ("--entrypoint=sh", "--volume=x:y", "--tmpfs=/bench", "--pull=always")),
        *((f"--env={name}=x", "replaces") for name in ("PATH", "PYTHONPATH", "LD_PRELOAD", "BENCH_SEED")),
        *((flag, "opens") for flag in ("--privileged", "--network=host", "--cap-add=ALL", "--user=0", "--new=1")),
        ("--env=TOKEN=x", "opens"),
    ],
)
def test_flags_are_harmless_or_replace_what_runs_or_open_the_container(flag: str, judged: str) -> None:
    (found,) = container_flags.read([flag])
    assert {"harmless": found.is_harmless, "replaces": found.replaces}.get(
        judged, not (found.is_harmless or found.replaces)
    )


OWN = ("--init", "--network=none", "--user=caller", "--mount=checkout:ro", "--mount=run:rw", "--gpus=device=UUID")


def test_a_persons_flags_are_told_from_the_harnesss_own() -> None:
    assert added(OWN) == ()
    assert added(()) == ()
    assert added((*OWN, "--network=host")) == container_flags.read(["--network=host"])


def test_a_word_that_was_recorded_as_the_image_is_known_for_what_it_is() -> None:
    assert added((*OWN, "ubuntu:24.04")) is None
