"""Which image runs on which GPU with which driver, and how: every row of NVIDIA's rules that the table rests on."""

from __future__ import annotations

import pytest

from bench.containers import catalog, compat
from bench.containers.compat import Card, fit, gpu_code, is_data_centre, retired, version

TABLE = catalog.read()
V100 = Card("Tesla V100-SXM2-16GB", (7, 0))
T4 = Card("Tesla T4", (7, 5))
A100 = Card("NVIDIA A100-SXM4-80GB", (8, 0))
A10 = Card("NVIDIA A10", (8, 6))
L4 = Card("NVIDIA L4", (8, 9))
RTX3090 = Card("NVIDIA GeForce RTX 3090", (8, 6))
RTX4090 = Card("NVIDIA GeForce RTX 4090", (8, 9))
H200 = Card("NVIDIA H200", (9, 0))
B200 = Card("NVIDIA B200", (10, 0))
RTX5090 = Card("NVIDIA GeForce RTX 5090", (12, 0))
K80 = Card("Tesla K80", (3, 7))

WHEELS = ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"]
NGC_25_02 = ["7.5", "8.0", "8.6", "9.0+PTX", "10.0", "12.0"]


@pytest.mark.parametrize(
    ("capabilities", "gpu", "code"),
    [
        (WHEELS, (7, 0), "native"),
        (WHEELS, (7, 5), "native"),
        (WHEELS, (8, 6), "native"),
        (WHEELS, (9, 0), "native"),
        (WHEELS, (10, 0), "ptx-jit"),
        (WHEELS, (12, 0), "ptx-jit"),
        (WHEELS, (5, 2), "none"),
        (NGC_25_02, (7, 0), "none"),
        (NGC_25_02, (7, 5), "native"),
        (NGC_25_02, (8, 9), "native"),
        (NGC_25_02, (9, 0), "native"),
        (NGC_25_02, (10, 3), "native"),
        (NGC_25_02, (12, 0), "native"),
        (NGC_25_02, (11, 0), "ptx-jit"),
        (["sm_86"], (8, 0), "none"),
        (["sm_90a"], (9, 0), "native"),
        (["sm_90a"], (10, 0), "none"),
        (["compute_70"], (9, 0), "ptx-jit"),
        ([], (7, 0), "none"),
        (["nonsense", "", "sm_"], (7, 0), "none"),
    ],
)
def test_code_reaches_a_gpu_as_machine_code_of_its_generation_or_as_older_ptx(
    capabilities: list[str], gpu: tuple[int, int], code: str
) -> None:
    assert gpu_code(capabilities, gpu) == code


#: image, card, driver, toolkit, code, mode; code `none` or mode `no` where it does not run.
ROWS = [
    # 25.02, CUDA 12.8: native from 570.86.10, minor-version from 525.60.13, forward on data-centre GPUs.
    ("25.02", A100, "580.159.04", "1.18.0", "native", "native"),
    ("25.02", H200, "580.159.04", "1.17.8", "native", "native"),
    ("25.02", H200, "570.86.10", "1.17.8", "native", "native"),
    ("25.02", H200, "570.86.09", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "560.35.05", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "550.54.15", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "550.78", "1.17.8", "native", "forward"),
    ("25.02", A100, "545.23.08", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "535.86.10", "1.17.8", "native", "forward"),
    ("25.02", A100, "535.54.03", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "525.85.12", "1.17.8", "native", "forward"),
    ("25.02", A100, "525.60.13", "1.17.8", "native", "minor-version"),
    ("25.02", A100, "525.60.12", "1.17.8", "native", "no"),
    ("25.02", A100, "515.65.01", "1.17.8", "native", "no"),
    ("25.02", T4, "470.57.02", "1.17.8", "native", "forward"),
    ("25.02", T4, "470.42.01", "1.17.8", "native", "no"),
    ("25.02", T4, "450.80.02", "1.17.8", "native", "no"),
    # Toolkits that hide an image's libraries from 1.17.4 to 1.17.6.
    ("25.02", T4, "470.57.02", "1.17.3", "native", "forward"),
    ("25.02", T4, "470.57.02", "1.17.4", "native", "no"),
    ("25.02", T4, "470.57.02", "1.17.6", "native", "no"),
    ("25.02", T4, "470.57.02", "1.17.7", "native", "forward"),
    ("25.02", A100, "535.86.10", "1.17.4", "native", "minor-version"),
    ("25.02", T4, "470.57.02", None, "native", "forward"),
    # No forward compatibility on GeForce.
    ("25.02", RTX3090, "470.57.02", "1.17.8", "native", "no"),
    ("25.02", RTX3090, "535.86.10", "1.17.8", "native", "minor-version"),
    ("25.02", RTX4090, "580.95.05", "1.17.8", "native", "native"),
    ("25.02", RTX5090, "580.95.05", "1.17.8", "native", "native"),
    ("25.02", B200, "580.95.05", "1.17.8", "native", "native"),
    ("25.02", L4, "575.51.03", "1.17.8", "native", "native"),
    ("25.02", A10, "575.51.03", "1.17.8", "native", "native"),
    ("25.02", V100, "550.54.15", "1.17.8", "none", "unknown"),
    ("25.02", K80, "470.57.02", "1.17.8", "none", "unknown"),
    # 24.12, CUDA 12.6: R545 is in both lists of its notes, and so is no.
    ("24.12", V100, "560.35.05", "1.17.8", "native", "native"),
    ("24.12", V100, "550.54.15", "1.17.8", "native", "minor-version"),
    ("24.12", V100, "545.23.08", "1.17.8", "native", "minor-version"),
    ("24.12", V100, "470.57.02", "1.17.8", "native", "forward"),
    ("24.12", B200, "580.95.05", "1.17.8", "ptx-jit", "native"),
    # 23.09, CUDA 12.2, and 23.05, CUDA 12.1.
    ("23.09", V100, "580.95.05", "1.17.8", "native", "native"),
    ("23.09", V100, "535.54.03", "1.17.8", "native", "native"),
    ("23.09", V100, "530.30.02", "1.17.8", "native", "minor-version"),
    ("23.09", V100, "450.51.06", "1.17.8", "native", "forward"),
    ("23.09", V100, "510.47.03", "1.17.8", "native", "forward"),
    ("23.09", V100, "460.32.03", "1.17.8", "native", "no"),
    ("23.05", V100, "525.85.12", "1.17.8", "native", "forward"),
    ("23.05", V100, "530.30.02", "1.17.8", "native", "native"),
    ("23.05", H200, "580.159.04", "1.17.8", "native", "native"),
    # The wheels: no compatibility libraries, and known to fail on Blackwell's 12.0.
    ("portable", V100, "580.95.05", None, "native", "native"),
    ("portable", V100, "525.60.13", None, "native", "minor-version"),
    ("portable", V100, "470.57.02", None, "native", "no"),
    ("portable", H200, "580.159.04", None, "native", "native"),
    ("portable", B200, "580.95.05", None, "ptx-jit", "native"),
    ("portable", RTX5090, "580.95.05", None, "ptx-jit", "broken"),
    ("cpu", H200, "580.159.04", None, "none", "unknown"),
]


@pytest.mark.parametrize(("name", "card", "driver", "toolkit", "code", "mode"), ROWS)
def test_each_image_runs_on_each_gpu_as_the_rules_say(
    name: str, card: Card, driver: str, toolkit: str | None, code: str, mode: str
) -> None:
    found = fit(TABLE.find(name), card, driver, toolkit)
    if code == "none" or mode in ("no", "broken"):
        assert found.why_not and found.remedy
        assert not found.why_not.endswith(".")
    else:
        assert found.why_not == ""
        assert found.cuda_mode == mode
    assert found.gpu_code == code


def test_what_is_not_known_forbids_nothing() -> None:
    for found in (
        fit(TABLE.find("25.02"), Card("NVIDIA Something", None), "580.1", None),
        fit(TABLE.find("25.02"), A100, None, None),
        fit(TABLE.find("registry.example/mine:1"), A100, "580.1", None),
    ):
        assert found.why_not == ""


@pytest.mark.parametrize(
    ("card", "driver", "told"),
    [
        (V100, "580.95.05", ""),
        (V100, "581.00", "R580 is the last branch that does"),
        (V100, "595.45.04", "R580 is the last branch that does"),
        (A100, "595.45.04", ""),
        (V100, None, ""),
        (Card("Tesla V100", None), "595.45.04", ""),
    ],
)
def test_a_driver_that_no_longer_knows_a_card_is_told_whatever_the_image(
    card: Card, driver: str | None, told: str
) -> None:
    why, remedy = retired(card, driver, TABLE.last_driver_branch)
    assert (told in why) if told else (why, remedy) == ("", "")


@pytest.mark.parametrize(
    ("name", "data_centre"),
    [
        ("Tesla V100-SXM2-16GB", True),
        ("NVIDIA A100-SXM4-80GB", True),
        ("NVIDIA H200", True),
        ("NVIDIA GH200 480GB", True),
        ("NVIDIA L40S", True),
        ("NVIDIA GeForce RTX 4090", False),
        ("NVIDIA RTX A6000", False),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", False),
        ("Quadro RTX 8000", False),
        ("NVIDIA TITAN V", False),
    ],
)
def test_forward_compatibility_is_certain_on_data_centre_gpus_alone(name: str, data_centre: bool) -> None:
    assert is_data_centre(name) == data_centre


def test_versions_are_compared_by_their_numbers() -> None:
    assert version("525.60.13") < version("525.85") < version("535.54.03") < version("1000.1")
    assert version("1.17.8-rc.1") == (1, 17, 8)
    assert compat.dotted((12, 0)) == "12.0"
