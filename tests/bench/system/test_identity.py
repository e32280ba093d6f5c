"""The names that a record must not tell, and those that so many share that they tell nobody."""

from __future__ import annotations

import pytest

from bench.system.identity import Identity


def test_this_process_has_a_home_at_least() -> None:
    assert any(name.startswith("/") for name in Identity.of_this_process().names)


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("ubuntu", "Ubuntu 22.04.5 LTS"),
        ("debian", "Debian GNU/Linux 12 (bookworm)"),
        ("nvidia", "NVIDIA H200"),
        ("h200", "NVIDIA H200"),
        ("tesla", "Tesla V100-SXM2-16GB"),
        ("v100", "Tesla V100-SXM2-16GB"),
        ("rtx4090", "NVIDIA GeForce RTX4090"),
        ("intel", "Intel(R) Xeon(R) Platinum 8488C"),
        ("amd", "AMD EPYC 9654 96-Core Processor"),
        ("threadripper", "AMD Ryzen Threadripper PRO 5975WX 32-Cores"),
        ("adam", "adam"),
        ("resnet", "resnet9 0.1.0"),
        ("resnet9", "resnet9 0.1.0"),
        ("root", "root"),
        ("train", "train_k"),
        ("device", "device"),
    ],
)
def test_a_name_that_many_share_tells_nobody(name: str, fact: str) -> None:
    assert not Identity.of(name, f"/home/{name}").is_told_by(fact)


@pytest.mark.parametrize(("name", "fact"), [("sam", "sample"), ("ann", "channels"), ("tim", "times"), ("a", "a100")])
def test_a_short_name_is_told_by_a_whole_word_alone(name: str, fact: str) -> None:
    assert not Identity.of(name).is_told_by(fact)
    assert Identity.of(name).is_told_by(f"6.1.0-{name.upper()}_x")


@pytest.mark.parametrize("text", ["6.1.0-alice", "alices-bench", "Linux for ALICE", "alice's", "job_alice2"])
def test_a_distinct_name_is_told_wherever_a_word_begins_with_it(text: str) -> None:
    assert Identity.of("alice").is_told_by(text)


def test_a_distinct_name_is_not_told_within_a_word() -> None:
    assert not Identity.of("clara").is_told_by("declaration")


@pytest.mark.parametrize("text", ["gpubox7.lab.example.edu", "gpubox7", "other.lab.example.edu"])
def test_a_host_is_told_by_its_full_name_its_own_and_its_domain(text: str) -> None:
    assert Identity.of("gpubox7.lab.example.edu").withheld_in(f"on {text}!").endswith("(withheld)!")


def test_nobodys_name_is_nowhere() -> None:
    assert Identity.of("", "/", "localhost").withheld_in("a / localhost") == "a / localhost"
