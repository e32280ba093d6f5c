"""The table of pinned images: what is shipped holds together, damage is told, and writing keeps all the rest."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bench.containers import catalog
from bench.containers.catalog import Acceptance, Image
from bench.errors import DataError, UsageError

NEW = f"sha256:{'a' * 64}"
V100 = Acceptance(
    "2025-03-01", NEW, "Tesla V100-SXM2-16GB", "7.0", "535.183.01", ("sm_52", "sm_70", "compute_90"), True
)
SHIPPED = catalog.read()


def shipped(name: str) -> Image:
    return next(each for each in SHIPPED.image if each.name == name)


PINNED = shipped("25.02").digest


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A copy of the shipped table that may be written."""
    path = tmp_path / "images.toml"
    path.write_bytes(catalog.FILE.read_bytes())
    return path


def entry(table: Path, name: str) -> Image:
    return next(each for each in catalog.read(table).image if each.name == name)


def changed(table: Path) -> tuple[list[str], list[str]]:
    """The lines that the shipped table has and this one has not, and those that are new; no comment is among them."""
    old, new = (path.read_text().splitlines() for path in (catalog.FILE, table))
    lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
    gone, come = ([each[1:] for each in lines if each.startswith(sign) and each != sign] for sign in "-+")
    assert not [each for each in (*gone, *come) if "#" in each]
    return gone, come


# The shipped table


def test_every_image_that_is_pulled_is_pinned_but_a_candidate_whose_digest_nobody_knows() -> None:
    pulled = [each for each in SHIPPED.image if not each.is_built]
    assert all(catalog.DIGEST.fullmatch(each.digest) for each in pulled if each.name != "24.12")
    assert {catalog.repository_of(each.reference) for each in pulled} == {catalog.NVIDIA_REPOSITORY}
    assert shipped("24.12").digest or (shipped("24.12").candidate and "digest" in shipped("24.12").evidence)


def test_the_dockerfile_has_the_bases_of_the_table() -> None:
    dockerfile = (catalog.FILE.parent / "Dockerfile").read_text()
    bases = dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))
    first = SHIPPED.image[0]
    assert bases["PYTHON_IMAGE"] == shipped("portable").base == shipped("cpu").base
    assert bases["BASE_IMAGE"] == f"{first.reference}@{first.digest}"


def test_a_target_is_a_stage_of_the_dockerfile_and_its_lock_a_file() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (catalog.FILE.parent / "Dockerfile").read_text(), re.MULTILINE)
    for each in (each for each in SHIPPED.image if each.is_built):
        assert each.target in stages
        assert (catalog.FILE.parents[1] / "requirements" / f"{each.lock}.txt").is_file()


@pytest.mark.parametrize(("version", "code"), [((3, 10), 1), ((3, 11), 0), ((3, 12), 0)])
def test_the_all_in_one_image_refuses_a_base_whose_python_is_too_old(version: tuple[int, int], code: int) -> None:
    check = re.findall(r"python3 -c '(.+)'", (catalog.FILE.parent / "Dockerfile").read_text())
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.version_info = {version}; {check[0]}"], check=False)
    assert done.returncode == code


@pytest.mark.parametrize("image", SHIPPED.image, ids=lambda image: image.name)
def test_what_nobody_has_seen_is_a_fact_of_the_entry(image: Image) -> None:
    assert set(image.expected) <= {each.name for each in fields(Image)} - {"name", "expected", "evidence", "acceptance"}
    assert all(getattr(image, each) for each in image.expected)


def test_volta_has_code_in_the_images_of_2023_and_none_in_25_02() -> None:
    assert "7.0" in shipped("23.05").capabilities and "7.0" in shipped("23.09").capabilities
    assert not any(each.startswith(("5.", "6.", "7.0")) for each in shipped("25.02").capabilities)
    assert SHIPPED.last_driver_branch == {"7.0": 580}
    assert [each.name for each in SHIPPED.image if not each.is_gpu] == ["cpu"]


# Finding one


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("25.02", "25.02"),
        ("23.09-tf2-py3", "23.09"),
        ("nvcr.io/nvidia/tensorflow:24.12-tf2-py3", "24.12"),
        (f"nvcr.io/nvidia/tensorflow@{PINNED}", "25.02"),
        ("portable", "portable"),
        ("resnet9-bench:cpu", "cpu"),
    ],
)
def test_an_image_is_found_by_name_tag_reference_or_digest(wanted: str, name: str) -> None:
    assert SHIPPED.find(wanted) == shipped(name)


@pytest.mark.parametrize(
    ("wanted", "reference", "digest"),
    [
        ("localhost:5000/a/tf:1", "localhost:5000/a/tf:1", ""),
        (f"registry.example/tf@{NEW}", "registry.example/tf", NEW),
        (f"registry.example/tf:1@{NEW}", "registry.example/tf:1", NEW),
        (f"nvcr.io/nvidia/tensorflow:25.02-tf2-py3@{NEW}", "nvcr.io/nvidia/tensorflow:25.02-tf2-py3", NEW),
    ],
)
def test_any_other_reference_is_an_image_of_which_nothing_is_known(wanted: str, reference: str, digest: str) -> None:
    assert SHIPPED.find(wanted) == Image(wanted, "unknown", "unknown", reference=reference, digest=digest)


@pytest.mark.parametrize(
    "wanted", ["", "x", "25.2", "a b:1", "nvcr.io/nvidia/tensorflow", "a@sha256:0", "A:1", "a:1\n"]
)
def test_a_word_that_names_no_image_is_refused_with_those_there_are(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        SHIPPED.find(wanted)
    assert repr(wanted) in caught.value.message
    assert ", ".join(each.name for each in SHIPPED.image) in caught.value.advice


# What it is called


@pytest.mark.parametrize(
    ("image", "locator", "label"),
    [
        (shipped("25.02"), f"nvcr.io/nvidia/tensorflow@{PINNED}", f"tensorflow:25.02-tf2-py3@{PINNED}"),
        (replace(shipped("24.12"), digest=""), "nvcr.io/nvidia/tensorflow:24.12-tf2-py3", "tensorflow:24.12-tf2-py3"),
        (shipped("cpu"), "resnet9-bench:cpu", "resnet9-bench:cpu"),
        (SHIPPED.find("localhost:5000/tf:1"), "localhost:5000/tf:1", "tf:1"),
        (SHIPPED.find(f"localhost:5000/tf@{NEW}"), f"localhost:5000/tf@{NEW}", f"tf@{NEW}"),
        (SHIPPED.find(f"localhost:5000/tf:1@{NEW}"), f"localhost:5000/tf@{NEW}", f"tf:1@{NEW}"),
    ],
)
def test_an_engine_is_given_a_digest_without_a_tag_and_a_person_both(image: Image, locator: str, label: str) -> None:
    assert (image.locator, image.label) == (locator, label)


# Damage


def swap(old: str, new: str) -> Callable[[str], str]:
    def swapped(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return swapped


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (swap("schema = 1", "schema = "), "is not TOML"),
        (swap("schema = 1", "schema = 2"), "its schema is 2, not 1"),
        (swap("schema = 1", ""), "`schema` is missing"),
        (swap('name = "24.12"', 'name = "25.02"'), "two images have one name"),
        (
            swap('target = "cpu"', 'target = "cpu"\nreference = "a:1"'),
            "cpu needs a `reference` or a `target`, and not both",
        ),
        (swap('target = "cpu"', ""), "cpu needs a `reference` or a `target`, and not both"),
        (swap(PINNED, PINNED[:-1]), "25.02 has a `digest` that is none"),
        (swap("25.02-tf2-py3", "25.02 tf2"), "25.02 has a `reference` that is none"),
        (swap("25.02-tf2-py3", f"25.02@{NEW}"), "25.02 has a `reference` that is none"),
        (
            swap('\ncapabilities = ["', '\ncapabilities = ["sm_100", "'),
            "25.02 has a compute capability that is none: 'sm_100'",
        ),
        (swap('broken = ["12.0"]', 'broken = ["12"]'), "portable has a compute capability that is none: '12'"),
        (swap('native_driver = "570.86.10"', ""), "25.02 has code for GPUs, so it needs a `native_driver`"),
        (swap('floor_driver = "525.60.13"', 'floor_driver = "R525"'), "so it needs a `floor_driver`"),
        (swap("base = ", "bass = "), "portable is built, so it needs a `base` and a `lock`"),
        (swap('lock = "gpu"', ""), "portable is built, so it needs a `base` and a `lock`"),
        (swap('tensorflow = "2.17.0"', "tensorflow = 2.17"), "`image[0].tensorflow` must be text"),
        (swap("= 580", '= "580"'), "last_driver_branch"),
        (swap('"470.57"', "470.57"), "forward"),
    ],
)
def test_a_damaged_table_is_told_in_a_sentence(table: Path, damage: Callable[[str], str], words: str) -> None:
    table.write_text(damage(table.read_text()))
    refused(table, words)


def test_a_table_that_is_not_there_or_not_text_is_told_in_a_sentence(table: Path) -> None:
    refused(table.with_name("none.toml"), "No such file")
    refused(table.parent, "Is a directory")
    table.write_bytes(b"\xff\xfe")
    refused(table, "is not TOML")


def refused(path: Path, words: str) -> None:
    with pytest.raises(DataError) as caught:
        catalog.read(path)
    assert str(path) in caught.value.message and words in caught.value.message and "\n" not in str(caught.value)
    assert "`git checkout docker/images.toml`" in caught.value.advice


# Writing


@pytest.mark.parametrize("name", ["25.02", "24.12", "23.05"])
def test_a_digest_is_written_with_its_date_over_an_older_one_and_nothing_else(table: Path, name: str) -> None:
    catalog.write_digest(name, PINNED, "2025-02-28", table)
    catalog.write_digest(name, NEW, "2025-03-01", table)
    gone, come = changed(table)
    assert {each.partition(" ")[0] for each in gone} <= {"digest", "resolved"} and 2 <= len(gone) <= 3
    assert come == [f'digest = "{NEW}"', 'resolved = "2025-03-01"', 'digest = "asked of the registry on 2025-03-01"']
    assert f'\ndigest = "{NEW}"\nresolved = "2025-03-01"\n' in table.read_text()
    asked = {**shipped(name).evidence, "digest": "asked of the registry on 2025-03-01"}
    assert entry(table, name) == replace(shipped(name), digest=NEW, resolved="2025-03-01", evidence=asked)


def test_an_image_that_is_added_is_a_candidate_of_which_its_digest_is_known(table: Path) -> None:
    catalog.add("mine", "registry.example/tf:1", NEW, "2025-03-01", table)
    catalog.add("other", "registry.example/tf:2", NEW, "2025-03-01", table)
    assert changed(table)[0] == []
    assert catalog.read(table).image[:-2] == SHIPPED.image
    mine = Image("mine", "unknown", "unknown", reference="registry.example/tf:1", digest=NEW, resolved="2025-03-01")
    known = {"digest": "asked of the registry on 2025-03-01"}
    assert catalog.read(table).find("mine") == replace(mine, candidate=True, evidence=known)


@pytest.mark.parametrize("name", ["25.02", "24.12", "23.09", "23.05", "portable"])
def test_an_acceptance_on_a_gpu_replaces_what_was_said_of_the_capabilities(table: Path, name: str) -> None:
    before = shipped(name)
    told = {"tensorflow": before.tensorflow, "python": before.python}
    catalog.write_acceptance(name, V100, told, table)
    after = replace(
        before,
        capabilities=("5.2", "7.0", "9.0+PTX"),
        expected=tuple(each for each in before.expected if each not in ("capabilities", *told)),
        evidence={**before.evidence, "capabilities": "read in the image on 2025-03-01"},
        acceptance=(*before.acceptance, V100),
    )
    assert catalog.read(table).image == tuple(after if each == before else each for each in SHIPPED.image)
    gone, _ = changed(table)
    assert {each.partition(" ")[0] for each in gone} <= {"capabilities", "expected"}


def test_an_acceptance_replaces_an_older_one_of_the_digest_on_such_a_gpu_alone(table: Path) -> None:
    others = [replace(V100, capability="8.0", device="A100"), replace(V100, digest=PINNED)]
    latest = replace(V100, date="2025-03-02", passed=False, failed=("a test", "another"))
    for each in (V100, *others, latest):
        catalog.write_acceptance("23.09", each, {}, table)
    assert entry(table, "23.09").acceptance == (*shipped("23.09").acceptance, *others, latest)


def test_an_acceptance_on_a_cpu_says_nothing_of_capabilities(table: Path) -> None:
    on_cpu = replace(V100, device="CPU", capability="", driver="", capabilities=("sm_70",))
    catalog.write_acceptance("cpu", on_cpu, {"tensorflow": "2.21.1", "python": ""}, table)
    assert changed(table)[0] == [f'tensorflow = "{shipped("cpu").tensorflow}"']
    accepted = (*shipped("cpu").acceptance, on_cpu)
    assert entry(table, "cpu") == replace(shipped("cpu"), tensorflow="2.21.1", acceptance=accepted)


def test_an_image_that_was_added_can_be_accepted_on_a_gpu(table: Path) -> None:
    catalog.add("mine", "registry.example/tf:1", NEW, "2025-03-01", table)
    catalog.write_acceptance("mine", V100, {"tensorflow": "2.17.0", "python": "3.12"}, table)
    assert entry(table, "mine").acceptance == (V100,)


def test_what_cannot_be_read_again_is_not_written(table: Path) -> None:
    with pytest.raises(UsageError, match="image cpu"):
        catalog.add("cpu", "registry.example/tf:1", NEW, "2025-03-01", table)
    with pytest.raises(DataError):
        catalog.write_digest("24.12", "sha256:short", "2025-03-01", table)
    assert table.read_bytes() == catalog.FILE.read_bytes()


def test_the_comment_of_an_entry_stays_in_it(table: Path) -> None:
    catalog.write_acceptance("23.05", V100, {}, table)
    text = table.read_text()
    assert re.search(r'^\n\[\[image\]\]\n# The trainer.s interpreter.*\nname = "portable"', text, re.MULTILINE)


def test_what_the_image_does_not_tell_stays_expected(table: Path) -> None:
    catalog.write_acceptance("23.05", V100, {"tensorflow": "2.12.0", "python": ""}, table)
    assert "python" in entry(table, "23.05").expected
