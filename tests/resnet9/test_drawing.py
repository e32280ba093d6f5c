import dataclasses
from xml.etree import ElementTree

import pytest

from resnet9 import recipe as recipes

pytest.importorskip(
    "matplotlib", reason="drawing needs matplotlib, which the trainer's small environments do without; make test has it"
)

from resnet9 import drawing
from resnet9.errors import EnvironmentProblem
from resnet9.recipe import flops


@pytest.mark.parametrize("recipe", recipes.load_all().values(), ids=lambda recipe: recipe.name)
def test_every_net_is_drawn_whole_and_an_identity_in_one_row(recipe):
    cost = flops.cost(recipe)
    found = drawing.boxes(recipe)
    assert sum(box.parameters for box in found) == cost.trained_parameters + cost.frozen_parameters
    rows = drawing._rows(found)
    assert [box for row in rows for box in row] == found and abs(len(rows[0]) - len(rows[1])) <= 2
    assert not any(row[0].joins for row in rows)


def test_the_net_is_drawn_as_svg_with_its_layers_as_text_and_the_same_twice(tmp_path):
    files = [tmp_path / "a" / "net.svg", tmp_path / "b" / "net.svg"]
    for file in files:
        drawing.net(recipes.load("page24"), file)
    text = "".join(ElementTree.parse(files[0]).getroot().itertext())
    for word in (
        "6,573,120",
        "layer3.residual2",
        "conv 3x3, 256-512",
        "512-10, no bias",
        "4x4x512",
        "2.272 in training",
    ):
        assert word in text
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "layer", "text"),
    [
        ("page24", "layer1", "conv 3x3, 64-128\nbatch norm, ReLU\nmax pool 2"),
        ("page10", "whitening", "conv 3x3, 3-27\nfrozen"),
        ("page10", "layer1", "conv 3x3, 64-128\nmax pool 2\nghost norm 32, CELU"),
        ("plain24", "layer8", "conv 3x3, 512-512\nbatch norm, CELU"),
        ("hive", "whitening", "conv 2x2, 3-24\nfrozen, bias trained\nGELU"),
        ("hive", "group1.layer2", "conv 3x3, 64-64\nbatch norm, SiLU"),
        ("air96", "group3.layer3", "conv 3x3, 512-512\nbatch norm, +, GELU"),
        ("air94", "linear", "max pool 3\n256-10, no bias\nx 0.1111"),
    ],
)
def test_a_box_says_what_happens_in_its_layer_in_that_order(name, layer, text):
    assert {box.title: box.text for box in drawing.boxes(recipes.load(name))}[layer] == text


@pytest.mark.parametrize("name", ["page10", "plain24", "air96"])
def test_the_other_families_are_drawn_too(tmp_path, name):
    drawing.net(recipes.load(name), tmp_path / "net.svg")
    assert f"of {name}:" in (tmp_path / "net.svg").read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("page24", "pad 4 (reflect) and crop; random flip; cutout 8x8"),
        ("air94", "pad 2 (reflect) and crop; alternating flip"),
        ("hive", "pad 2 (reflect) and crop; alternating flip; brightness ± 0.14, contrast ± 0.13"),
        ("hlb12", "pad 2 (reflect) and crop; random flip; cutmix 3x3 after 7 epochs"),
    ],
)
def test_what_is_done_to_an_image_is_told_in_order(name, words):
    assert drawing._words(recipes.load(name)) == f"{words}; originals on the left, then epoch by epoch"


def test_one_offset_for_a_batch_and_nothing_at_all_are_told():
    page24 = recipes.load("page24")
    assert "crop, one offset a batch;" in drawing._words(dataclasses.replace(page24, crop="per_batch"))
    assert drawing._words(dataclasses.replace(page24, pad=0, flip="none", cutout=0)).startswith("none;")


def test_augmented_samples_are_drawn(tmp_path):
    pytest.importorskip("tensorflow")
    base = recipes.load("smoke")
    everything = dataclasses.replace(
        base, flip="alternating", crop="per_batch", cutmix=recipes.Cutmix(5), jitter=recipes.Jitter(0.1, 0.1)
    )
    for recipe in (base, everything):
        drawing.augmented(recipe, None, tmp_path / "augmented.png", rows=2, columns=3)
    assert (tmp_path / "augmented.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "net.jpeg2000", tmp_path / "file" / "net.svg"):
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            drawing.net(recipes.load("page24"), file)
