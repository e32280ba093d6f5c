"""The registry of fingerprint keys: what it refuses, and what may differ between runs of one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record.fingerprint_keys import KEYS, PACKAGES, check, conflicts, find, may_be_mixed, page

EMPTY: dict[str, Any] = {key.name: None for key in KEYS if not key.is_family and not key.reported}


def test_every_key_has_a_meaning_and_one_entry() -> None:
    assert all(key.meaning for key in KEYS)
    assert len({key.name for key in KEYS}) == len(KEYS)


def test_a_unit_is_in_the_name_of_the_key_that_has_one() -> None:
    assert [key.name for key in KEYS if key.unit and not key.name.endswith(f"_{key.unit.lower()}")] == []


def test_a_fingerprint_of_nothing_known_is_a_fingerprint() -> None:
    assert check(EMPTY) == ()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cpu.cores": "2"}, "`cpu.cores` must be int"),
        ({"cpu.cores": True}, "`cpu.cores` must be int"),
        ({"cgroup.cpu_cores": True}, "`cgroup.cpu_cores` must be float"),
        ({"git.dirty": 0}, "`git.dirty` must be bool"),
        ({"cpu.flags_of_interest": [1]}, "`cpu.flags_of_interest` must be list"),
        ({"cpu.colour": "red"}, "`cpu.colour` is not a key"),
        ({"env.CUDA_HOME": "/usr/local/cuda"}, "`env.CUDA_HOME` has a path"),
        ({"gpu.why_none": "no library in /opt/of/alice"}, "`gpu.why_none` has a path"),
        ({"cpu.flags_of_interest": ["avx2", "~alice"]}, "`cpu.flags_of_interest` has a path"),
        ({"package.numpy": 2}, "`package.numpy` must be str"),
    ],
)
def test_a_wrong_key_or_value_is_named(changes: dict[str, Any], complaint: str) -> None:
    (found,) = check({**EMPTY, **changes})
    assert found.startswith(complaint)


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_a_missing_key_is_named(name: str) -> None:
    assert check({key: None for key in EMPTY if key != name}) == (f"`{name}` is missing",)


def test_a_stroke_inside_a_name_is_no_path() -> None:
    assert check({**EMPTY, "os.name": "Debian GNU/Linux 12", "cpu.model": "n / a"}) == ()


def test_what_the_trainer_tells_is_not_missed_and_is_checked_once_it_is_there() -> None:
    told = {key.name: None for key in KEYS if key.reported and not key.is_family}
    assert check({**EMPTY, **told, "build.cuda_version": "12.5"}) == ()
    assert check({**EMPTY, "xla.on": "yes"}) == ("`xla.on` must be bool, not 'yes'",)


def test_whole_numbers_are_numbers() -> None:
    assert check({**EMPTY, "cgroup.cpu_cores": 2}) == ()


@pytest.mark.parametrize(
    ("name", "mixable"),
    [
        ("gpu.driver_version", False),
        ("gpu.count", True),
        ("cache.cuda_kernels", False),
        ("cpu.turbo", False),
        ("memory.swap_total_bytes", True),
        ("package.tensorflow", False),
        ("package.pandas", True),
        ("package.unheard-of", False),
        ("env.TF_XLA_FLAGS", False),
        ("a.key.of.tomorrow", False),
    ],
)
def test_what_may_be_mixed(name: str, mixable: bool) -> None:
    assert may_be_mixed(name) is mixable


def test_only_differences_that_may_not_be_mixed_conflict() -> None:
    one = {**EMPTY, "git.commit": "a", "memory.total_bytes": 1, "env.TF_X": "1", "package.pandas": "2"}
    other = {**EMPTY, "git.commit": "b", "memory.total_bytes": 2, "cpu.model": "known here only", "package.pandas": "3"}
    assert conflicts(one, other) == ("cpu.model", "env.TF_X", "git.commit")


values = st.none() | st.integers(0, 2) | st.sampled_from(["x", "y"])
prints = st.dictionaries(st.sampled_from([*EMPTY, "env.TF_X", "package.numpy"]), values)


@given(prints, prints)
def test_conflicts_are_the_same_from_both_sides_and_none_with_oneself(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert conflicts(one, other) == conflicts(other, one)
    assert conflicts(one, dict(one)) == ()


def test_every_recorded_package_is_in_the_family() -> None:
    for name in PACKAGES:
        key = find(f"package.{name}")
        assert key is not None
        assert key.name == "package.*"


def test_the_page_of_the_keys_is_made_from_the_registry() -> None:
    assert (Path(__file__).parents[3] / "docs" / "reference" / "fingerprint.md").read_text() == page()
    assert [page().count(f"| `{key.name}` |") for key in KEYS] == [1] * len(KEYS)
