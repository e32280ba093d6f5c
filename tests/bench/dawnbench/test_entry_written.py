"""What is put on the disk always passes the level ``full``, whatever a run and a person say."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.dawnbench.details import Facts
from bench.dawnbench.entry import from_record, write
from bench.dawnbench.validate import judge
from bench.errors import BenchError, EnvironmentProblem, Refused
from tests.bench.dawnbench.entries import COMMIT, made


def test_a_pair_is_written_and_passes_both_levels(tmp_path: Path) -> None:
    folder = tmp_path / "dawnbench" / "CIFAR10" / "train"
    path = write(made(), folder)
    assert path == folder / f"{made().stem}.json"
    assert sorted(each.name for each in folder.iterdir()) == [path.name, path.with_suffix(".tsv").name]
    for level in ("compat", "full"):
        assert judge(path, level).findings == ()


def test_the_same_entry_is_replaced_and_others_stay(tmp_path: Path) -> None:
    write(made(author="Charles"), tmp_path)
    write(made(), tmp_path)
    path = write(made(written=date(2026, 2, 1)), tmp_path)
    assert json.loads(path.read_bytes())["timestamp"] == "2026-02-01"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_pair_that_cannot_be_put_in_place_leaves_nothing_half_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match=r"cannot make the folder .* OUT="):
        write(made(), tmp_path / "file" / "train")
    taken = tmp_path / f"{made().stem}.tsv"
    taken.mkdir()
    with pytest.raises(EnvironmentProblem):
        write(made(), tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"file", taken.name}


# Numbers from the middle of what a run can have to far outside it.
evaluations_of_a_run = st.lists(
    st.tuples(st.floats(0.01, 3) | st.integers(1, 2), st.floats(1e-6, 1e4), st.integers(0, 10_000)), max_size=6
).map(
    lambda steps: [
        (sum(step[0] for step in steps[:n]), sum(step[1] for step in steps[:n]), steps[n - 1][2], 10_000)
        for n in range(1, len(steps) + 1)
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
word = st.text(min_size=1, max_size=20)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    evaluations=evaluations_of_a_run.map(lambda rows: [*rows, (1e3, 1e5, 9400, 10_000)])
    | st.lists(st.tuples(st.floats(), st.floats(), st.integers(), st.integers())),
    facts=st.builds(
        Facts,
        framework=word,
        model=word,
        dataset_state=st.sampled_from(["canonical", "unverified"]),
        clock=word,
        seed=st.integers(0),
        selection=word,
        recipe=st.dictionaries(st.sampled_from(["name", "batch", "learning_rate", "nesterov"]), json_values),
        more=st.dictionaries(word, json_values, max_size=3),
        commit=st.none() | st.just(COMMIT),
    ),
    written=st.dates(),
    author=word,
    hardware=word,
    cost=st.none() | st.floats(),
    code=st.sampled_from([None, "https://github.com/owner/name", "http://localhost:1/x"]) | word,
)
def test_an_entry_is_refused_or_passes_the_full_level(
    tmp_path_factory: pytest.TempPathFactory,
    evaluations: list[tuple[float, float, int, int]],
    facts: Facts,
    written: date,
    author: str,
    hardware: str,
    cost: float | None,
    code: str | None,
) -> None:
    try:
        entry = from_record(
            evaluations,
            facts,
            written,
            author=author,
            email="ada@example.org",
            hardware=hardware,
            cost_per_hour=cost,
            code_url=code,
            allow_unverified_data=True,
        )
    except BenchError:
        return
    path = write(entry, tmp_path_factory.mktemp("train"))
    assert judge(path, "full").findings == ()
    first = next(row for row in evaluations if row[2] >= 9400)
    written_rows = [line.split("\t") for line in path.with_suffix(".tsv").read_text().splitlines()[1:]]
    crossing = next(row for row in written_rows if float(row[2]) >= 94)
    assert float(crossing[1]) * 3600 == pytest.approx(first[1], abs=2e-7)
    assert Decimal(crossing[2]) * 100 == first[2]


@settings(max_examples=50)
@given(evaluations=evaluations_of_a_run)
def test_a_run_that_can_be_is_refused_for_missing_94_alone(evaluations: list[tuple[float, float, int, int]]) -> None:
    if any(row[2] >= 9400 for row in evaluations):
        made(evaluations)
    else:
        with pytest.raises(Refused, match="never reached"):
            made(evaluations)
