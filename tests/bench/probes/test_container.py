"""The kind of a container by the traces it leaves, and the toolkit by what its own commands answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.probes import container
from tests.bench.probes.test_host import plant


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"proc/self/cgroup": "0::/user.slice\n"}, "none"),
        ({}, "none"),
        ({".dockerenv": "", "proc/self/cgroup": "0::/\n"}, "docker"),
        ({"proc/self/cgroup": "4:cpu:/docker/0123abcd\n"}, "docker"),
        ({"run/.containerenv": "", ".dockerenv": ""}, "podman"),
        ({"proc/1/cgroup": "0::/kubepods.slice/kubepods-pod1.slice\n", ".dockerenv": ""}, "kubernetes"),
        ({".singularity.d/actions": ""}, "apptainer"),
    ],
)
def test_a_container_is_known_by_its_traces(tmp_path: Path, files: dict[str, str], kind: str) -> None:
    assert container.kind(plant(tmp_path, files)) == kind


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        ({"nvidia-ctk": "NVIDIA Container Toolkit CLI version 1.17.4\ncommit: 9b69590c\n"}, "1.17.4"),
        ({"nvidia-ctk": "NVIDIA Container Toolkit CLI version 1.14.0-rc.2\n"}, "1.14.0-rc.2"),
        ({"nvidia-container-cli": "cli-version: 1.8.0\nlib-version: 1.8.0\n"}, "1.8.0"),
        ({"nvidia-ctk": "", "nvidia-container-cli": "version: 1.4.0\n"}, "1.4.0"),
        ({"nvidia-ctk": "no such option"}, None),
        ({}, None),
    ],
)
def test_the_toolkit_tells_its_version_by_either_command(answers: dict[str, str], version: str | None) -> None:
    def run_command(argv: Sequence[str], seconds: float) -> str:
        if argv[0] not in answers:
            raise FileNotFoundError(argv[0])
        return answers[argv[0]]

    assert container.toolkit_version(run_command) == version


def test_a_toolkit_that_hangs_has_no_version() -> None:
    def run_command(argv: Sequence[str], seconds: float) -> str:
        raise TimeoutError

    assert container.toolkit_version(run_command) is None
