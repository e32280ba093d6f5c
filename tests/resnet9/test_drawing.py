import dataclasses
from xml.etree import ElementTree

import pytest

from resnet9 import recipe as recipes

pytest.importorskip(
    "matplotlib", reason="drawing needs matplotlib, which the trainer's small environments do without; make test has it"
)

from resnet9 import drawing
from resnet9.errors import EnvironmentProblem


@pytest.mark.parametrize("width", [16, 64])
def test_the_boxes_hold_every_parameter(width):
    from resnet9.nets import ResNet9

    recipe = dataclasses.replace(recipes.load("page24"), width=width)
    drawn = sum(box.parameters for box in drawing.boxes(recipe))
    built = sum(variable.shape.num_elements() for variable in ResNet9(recipe).trained)
    assert drawn == built


def test_the_net_is_drawn_as_svg_with_its_layers_as_text_and_the_same_twice(tmp_path):
    files = [tmp_path / "a" / "net.svg", tmp_path / "b" / "net.svg"]
    for file in files:
        drawing.net(recipes.load("page24"), file)
    text = "".join(ElementTree.parse(files[0]).getroot().itertext())
    for word in ("6,573,120", "layer3.residual", "conv 3x3, 256-512", "linear 512-10", "4x4x512"):
        assert word in text
    assert files[0].read_bytes() == files[1].read_bytes()


def test_augmented_samples_are_drawn(tmp_path):
    drawing.augmented(recipes.load("smoke"), None, tmp_path / "augmented.png", rows=2, columns=3)
    assert (tmp_path / "augmented.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "net.jpeg2000", tmp_path / "file" / "net.svg"):
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            drawing.net(recipes.load("page24"), file)
