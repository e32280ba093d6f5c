"""A container engine by what its own commands answer, and what its complaints mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.containers import engine
from bench.containers.catalog import Image
from bench.containers.spec import Engine, Inspected
from bench.errors import EnvironmentProblem
from bench.system import subprocesses
from bench.system.subprocesses import CompletedCommand
from tests.bench.probes.test_host import plant

DIGEST = f"sha256:{'a' * 64}"
IMAGE = Image("tf", "2.17.0", "3.12", reference="nvcr.io/nvidia/tensorflow:25.02-tf2-py3", digest=DIGEST)
DOCKER, PODMAN = Engine("docker", "27.3.1"), Engine("podman", "5.2.2")
NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
RUN_HELP = "\nSee 'docker run --help'.\n"


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is on PATH, with a docker and a podman in it that say nothing."""
    for name in ("docker", "podman"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


class Answering:
    """Says always the same, and keeps what it was asked."""

    def __init__(self, said: object = "", exit_code: int = 0, err: str = "") -> None:
        self.heard = CompletedCommand(exit_code, said if isinstance(said, str) else json.dumps(said), err)
        self.asked: list[list[str]] = []

    def __call__(self, argv: Sequence[str], seconds: float) -> CompletedCommand:
        self.asked.append(list(argv))
        return self.heard


def raising(error: Exception) -> Callable[[Sequence[str], float], CompletedCommand]:
    def hear(argv: Sequence[str], seconds: float) -> CompletedCommand:
        raise error

    return hear


def refusal(ask: Callable[..., object], *arguments: object) -> EnvironmentProblem:
    with pytest.raises(EnvironmentProblem) as caught:
        ask(*arguments)
    sentence = str(caught.value)
    assert sentence.isprintable() and sentence.endswith(".") and not sentence.endswith("..")
    return caught.value


# Whether there is one


def test_docker_tells_what_it_is(tmp_path: Path) -> None:
    options = ["name=seccomp,profile=builtin", "name=selinux", "name=rootless", "name=cgroupns", "name=userns"]
    said = {"ServerVersion": "27.3.1", "DockerRootDir": str(tmp_path), "SecurityOptions": options}
    hear = Answering(said)
    every = {"rootless": True, "remapped": True, "selinux": True}
    assert engine.find("docker", hear, {}) == Engine("docker", "27.3.1", root_folder=tmp_path, **every)
    assert hear.asked[0] == ["docker", "info", "--format", "{{json .}}"]
    plain = Answering({**said, "SecurityOptions": options[:1], "DockerRootDir": "/no/such/folder"})
    assert engine.find("docker", plain, {}) == Engine("docker", "27.3.1")


def test_podman_tells_what_it_is(tmp_path: Path) -> None:
    said = {
        "host": {"security": {"rootless": True, "selinuxEnabled": True}},
        "store": {"graphRoot": str(tmp_path)},
        "version": {"Version": "5.2.2"},
    }
    hear = Answering(said)
    every = {"is_podman": True, "rootless": True, "selinux": True}
    assert engine.find("podman", hear, {}) == Engine("podman", "5.2.2", root_folder=tmp_path, **every)
    assert hear.asked == [["podman", "info", "--format", "{{json .}}"]]
    assert engine.find(str(tmp_path / "podman"), Answering(said), {}).label == "podman 5.2.2"
    plain = Engine("podman", "5.2.2", is_podman=True, root_folder=tmp_path)
    assert engine.find("podman", Answering({**said, "host": {}}), {}) == plain
    # Where it goes by the name of docker (podman-docker) it is podman all the same.
    assert engine.find("docker", Answering(said), {}).is_podman


def test_an_engine_that_tells_little_is_one_all_the_same() -> None:
    assert engine.find("docker", Answering({"SecurityOptions": None}), {}) == Engine("docker", "unknown")
    little = Engine("podman", "unknown", is_podman=True)
    assert engine.find("podman", Answering({"host": None, "store": None}), {}) == little


@pytest.mark.parametrize(("there", "refused"), [("ssh://me@far", True), ("tcp://far:2375", True), ("unix:///x", False)])
def test_a_context_that_leads_to_another_machine_is_refused(there: str, refused: bool) -> None:
    def hear(argv: Sequence[str], seconds: float) -> CompletedCommand:
        return CompletedCommand(0, there if "context" in argv else '{"ServerVersion": "27"}', "")

    if refused:
        with pytest.raises(EnvironmentProblem, match="docker context use default"):
            engine.find("docker", hear, {})
    else:
        assert engine.find("docker", hear, {}).version == "27"
    assert engine.find("docker", hear, {"DOCKER_HOST": "unix:///mine"}).version == "27"  # it goes before the context


def test_an_engine_is_asked_as_a_program(path: Path) -> None:
    (path / "docker").write_text('#!/bin/sh\necho \'{"ServerVersion": "27.3.1"}\'; echo WARNING: no swap limit >&2\n')
    assert engine.find("docker", subprocesses.run_captured, {}) == Engine("docker", "27.3.1")
    (path / "docker").write_text("#!/no/such/interpreter\n")
    assert refusal(engine.find, "docker", subprocesses.run_captured, {}).code == engine.NO_ENGINE


@pytest.mark.parametrize(
    ("said", "exit_code", "err"),
    [
        ({"ServerVersion": "", "ServerErrors": [NO_DAEMON]}, 0, ""),
        ({"ServerErrors": [NO_DAEMON]}, 1, "errors pretty printing info"),
        ({"ServerErrors": None}, 1, NO_DAEMON),
        (NO_DAEMON, 0, ""),
        ([], 1, NO_DAEMON),
    ],
)
def test_a_daemon_that_does_not_run_is_told_however_docker_says_it(said: object, exit_code: int, err: str) -> None:
    assert refusal(engine.find, "docker", Answering(said, exit_code, err), {}).code == "daemon-down"


def test_an_engine_that_says_nothing_is_told() -> None:
    assert refusal(engine.find, "podman", Answering(exit_code=125), {}).advice == ""
    assert "systemctl" in refusal(engine.find, "docker", raising(TimeoutError()), {}).advice
    assert "systemctl" not in refusal(engine.find, "podman", raising(TimeoutError()), {}).advice


def test_a_program_that_is_not_on_path_is_told_with_how_to_do_without(path: Path) -> None:
    (path / "docker").unlink()
    problem = refusal(engine.find, "docker", raising(AssertionError()), {})
    assert problem.code == engine.NO_ENGINE and "WHERE=native" in problem.advice


@pytest.mark.parametrize(("program", "name"), [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")])
def test_an_engine_on_another_machine_is_refused_and_a_socket_is_not(program: str, name: str) -> None:
    for there in ("ssh://me@far", "tcp://127.0.0.1:2375", "npipe:////./pipe/docker_engine"):
        assert f"`unset {name}`" in refusal(engine.find, program, raising(AssertionError()), {name: there}).advice
    for here in ({name: "unix:///run/user/1000/engine.sock"}, {name: ""}, {"ANOTHER_HOST": "ssh://me@far"}):
        assert engine.find(program, Answering({}), here).program == program


# What it says of an image


def test_an_image_that_is_there_tells_its_content_digests_labels_and_variables() -> None:
    digests = [f"nvcr.io/nvidia/tensorflow@{DIGEST}", f"localhost:5000/tf@sha256:{'b' * 64}"]
    config = {"Labels": {"resnet9-bench.base": "python:3.12"}, "Env": ["PATH=/usr/bin", "A=b=c", "EMPTY="]}
    hear = Answering([{"Id": f"sha256:{'c' * 64}", "RepoDigests": digests, "Config": config}])
    assert engine.inspect(DOCKER, IMAGE, hear) == Inspected(
        id=f"sha256:{'c' * 64}",
        digests=(DIGEST, f"sha256:{'b' * 64}"),
        labels={"resnet9-bench.base": "python:3.12"},
        env={"PATH": "/usr/bin", "A": "b=c", "EMPTY": ""},
    )
    assert hear.asked == [["docker", "image", "inspect", digests[0]]]


def test_podman_tells_the_content_without_its_kind_and_a_built_image_has_no_digest() -> None:
    hear = Answering([{"Id": "c" * 64, "RepoDigests": None, "Config": {"Labels": None, "Env": None}}])
    assert engine.inspect(PODMAN, IMAGE, hear) == Inspected(f"sha256:{'c' * 64}")
    assert engine.inspect(PODMAN, IMAGE, Answering([{"Id": "c" * 64}])) == Inspected(f"sha256:{'c' * 64}")


@pytest.mark.parametrize(
    "words",
    [
        "Error: No such image: nvcr.io/nvidia/tensorflow@sha256:aaaa",
        "Error response from daemon: No such image: resnet9-bench:cpu",
        "Error: resnet9-bench:cpu: image not known",
        'Error: inspecting object: unable to inspect "resnet9-bench:cpu": image not known',
    ],
)
def test_an_image_that_is_not_there_is_none(words: str) -> None:
    assert engine.inspect(DOCKER, IMAGE, Answering("\n", 1, words)) is None


def test_any_other_trouble_with_an_image_is_told() -> None:
    assert refusal(engine.inspect, DOCKER, IMAGE, Answering("", 1, NO_DAEMON)).code == "daemon-down"
    refusal(engine.inspect, DOCKER, IMAGE, raising(TimeoutError()))
    for said in ("", "[]", "null", "{}", "[{}]", "[null]", "<html>\x1b[31m\n"):
        assert IMAGE.locator in refusal(engine.inspect, DOCKER, IMAGE, Answering(said)).message


# What its words mean

SAYS = "docker: Error response from daemon: "
SHIM = f"{SAYS}failed to create task for container: failed to create shim task: OCI runtime create failed: "
CLI = f"{SHIM}error running hook: exit status 1, stdout: , stderr: mode as 'legacy'\nnvidia-container-cli: "
PULL = f"Unable to find image 'nvcr.io/nvidia/tensorflow@{DIGEST}' locally\n{SAYS}"
TRYING = f"Trying to pull nvcr.io/nvidia/tensorflow@{DIGEST}...\nError: initializing source docker://nvcr.io/tf: "
READING = f"{TRYING}reading manifest {DIGEST} in nvcr.io/nvidia/tensorflow: "
SOCKET = "unix:///var/run/docker.sock"
TROUBLES = {
    "docker-permission": [
        f"permission denied while trying to connect to the Docker daemon socket at {SOCKET}: Get: dial",
        f"permission denied while trying to connect to the docker API at {SOCKET}",
    ],
    "daemon-down": [
        NO_DAEMON,
        f"docker: {NO_DAEMON}.{RUN_HELP}",
        f"failed to connect to the docker API at {SOCKET}: dial unix /var/run/docker.sock: connect: no such file",
    ],
    "no-toolkit": [
        f'{SAYS}could not select device driver "" with capabilities: [[gpu]].{RUN_HELP}',
    ],
    "no-cdi": [
        "Error: setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all",
        f"{SAYS}CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0",
    ],
    "driver-too-old": [
        f"{CLI}requirement error: unsatisfied condition: cuda>=12.8, please update your driver: unknown.{RUN_HELP}",
    ],
    "driver-unreachable": [
        f"{CLI}initialization error: nvml error: driver not loaded: unknown.{RUN_HELP}",
        f"{CLI}initialization error: load library failed: libnvidia-ml.so.1: unknown.",
    ],
    "gpu-unknown": [f"{CLI}device error: GPU-0: unknown device: unknown.{RUN_HELP}"],
    "disk-full": [
        f"{PULL}failed to register layer: write /usr/lib/libcudnn.so.9: no space left on device.{RUN_HELP}",
        f"{TRYING}writing blob: storing blob to file: write /var/tmp/1: no space left on device",
    ],
    "no-manifest": [
        f"{PULL}manifest for nvcr.io/nvidia/tensorflow@{DIGEST} not found: manifest unknown: manifest unknown.",
        "Error response from daemon: manifest unknown",
        f"{READING}manifest unknown",
    ],
    "denied": [
        f'{PULL}Head "https://nvcr.io/v2/nvidia/tensorflow/manifests/1": unauthorized: authentication required.',
        "Error response from daemon: pull access denied for x: denied: requested access to the resource is denied",
    ],
    "network": [
        f'{PULL}Get "https://nvcr.io/v2/": dial tcp: lookup nvcr.io: no such host.{RUN_HELP}',
        f"{PULL}read tcp 10.0.0.2:1->10.0.0.3:443: read: connection reset by peer.",
        'Error response from daemon: Get "https://nvcr.io/v2/": EOF',
        'Error response from daemon: Get "https://nvcr.io/v2/": dial tcp 10.0.0.3:443: connect: no route to host',
        'Error response from daemon: Get "https://nvcr.io/v2/": dial tcp 10.0.0.3:443: connect: connection refused',
        'Get "https://nvcr.io/v2/": net/http: TLS handshake timeout',
        'Get "https://nvcr.io/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
    ],
    "registry-error": ["Error response from daemon: received unexpected HTTP status: 503 Service Unavailable"],
    "tls": [
        'Get "https://nvcr.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        'Get "https://nvcr.io/v2/": x509: certificate has expired or is not yet valid: current time 2001-01-01',
        'Get "https://nvcr.io/v2/": http: server gave HTTP response to HTTPS client',
    ],
    "proxy-login": ['Get "https://nvcr.io/v2/": Proxy Authentication Required'],
    "rate-limit": [
        "Error response from daemon: toomanyrequests: Rate exceeded",
        "ERROR: failed to solve: python: unexpected status code https://nvcr.io/v2/x: 429 Too Many Requests",
    ],
    "no-platform": [
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
    ],
    "no-buildkit": [
        "ERROR: BuildKit is enabled but the buildx component is missing or broken.",
        "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/",
    ],
    "no-image": [
        "Unable to find image 'resnet9-bench:cpu' locally",
        "Error: resnet9-bench:cpu: image not known",
    ],
    "mount": [
        f'{SAYS}invalid mount config for type "bind": bind source path does not exist: /home/me/x.{RUN_HELP}',
        "Error: statfs /home/me/x: no such file or directory",
    ],
    "rlimit": [f"{SHIM}error setting rlimit type 8: operation not permitted"],
    # As podman 4.3.1 said them, but for the end.
    "rlimit-files": [
        "Error: runc: runc create failed: unable to start container process: error during container init: error "
        f"setting rlimits for ready process: error setting rlimit type {kind}: operation not permitted: OCI error"
        for kind in (6, 7)
    ],
    "no-init": [
        "Error: container-init binary not found on the host: stat /usr/libexec/podman/catatonit: "
        "no such file or directory",
        f'{SHIM}exec: "docker-init": executable file not found in $PATH: unknown.{RUN_HELP}',
    ],
}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        *((words, code) for code, known in TROUBLES.items() for words in known),
        (f'{PULL}Get "https://nvcr.io/v2/": EOF.{RUN_HELP}', "network"),
        (f"{READING}unauthorized: authentication required", "denied"),
        (f"{READING}requested access to the resource is denied", "denied"),
    ],
)
@pytest.mark.parametrize("program", ["docker", "podman"])
def test_a_known_trouble_has_a_code_and_advice(words: str, code: str, program: str) -> None:
    problem = engine.meaning(words, program, IMAGE.locator)
    assert (problem.code, problem.exit_code) == (code, 4)
    assert problem.advice and "{" not in f"{problem.message}{problem.advice}".replace("{{", "")


LIMIT = f"{SAYS}toomanyrequests: You have reached your unauthenticated pull rate limit."
DENIED = (
    f"{SAYS}pull access denied for x, repository does not exist or may require 'docker login': denied: requested "
    "access to the resource is denied"
)


@pytest.mark.parametrize(
    ("reference", "registry", "logs_in"),
    [
        ("docker.io/tensorflow/tensorflow:2.17.0", "docker.io", "`docker login`"),
        ("tensorflow/tensorflow:2.17.0", "docker.io", "`docker login`"),
        ("python:3.12", "docker.io", "`docker login`"),
        (f"nvcr.io/nvidia/tensorflow@{DIGEST}", "nvcr.io", "`docker login nvcr.io` with the user name $oauthtoken"),
        ("ghcr.io/owner/name:1", "ghcr.io", "`docker login ghcr.io`"),
        ("localhost:5000/tf:1", "localhost:5000", "`docker login localhost:5000`"),
        ("", "the registry", "`docker login REGISTRY`"),
    ],
)
def test_the_registry_that_is_named_is_that_of_the_image(reference: str, registry: str, logs_in: str) -> None:
    for words in (LIMIT, DENIED):
        trouble = engine.meaning(words, "docker", reference)
        assert trouble.message.startswith(f"{registry} ")
        assert logs_in in trouble.advice
        assert ("nvcr" in str(trouble)) == (registry == "nvcr.io")


def test_a_limit_is_no_login_and_no_login_is_no_limit() -> None:
    limit, denied = (engine.meaning(words, "docker", "python:3") for words in (LIMIT, DENIED))
    assert (limit.code, denied.code) == ("rate-limit", "denied")
    assert "podman login docker.io" in engine.meaning(LIMIT, "podman", "python:3").advice


def test_another_image_is_advised_only_where_it_comes_from_elsewhere() -> None:
    words = "dial tcp: lookup registry: no such host"
    assert "IMAGE=portable" in engine.meaning(words, "docker", IMAGE.locator).advice
    assert "IMAGE=portable" not in engine.meaning(words, "docker", "docker.io/library/python:3.12").advice


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{SAYS}Conflict: the name is in use{RUN_HELP}", "docker says: Conflict: the name is in use."),
        ("docker: flub\n\nRun 'docker run --help' for more information\n", "docker says: flub."),
        (f"{SAYS}flub.{RUN_HELP}", "docker says: flub."),
        ("Error: crun: \x1b[31mflub\x07\tflob\x00: OCI error", "docker says: crun: [31mflub flob : OCI error."),
        ('time="2025-01-01T00:00:00Z" level=fatal msg="flub"', 'docker says: "flub".'),
        ("first\r\n  last  \r\n\r\n", "docker says: last."),
        ("", "docker says: it said nothing."),
        ("x" * 5000, f"docker says: {'x' * 300}."),
    ],
)
def test_unknown_words_are_passed_on_in_one_line(words: str, told: str) -> None:
    trouble = engine.meaning(words)
    assert (trouble.code, trouble.advice) == (EnvironmentProblem.default_code, "")
    assert str(trouble) == told


# What it needs


def test_an_image_that_does_not_fit_on_the_disk_is_told_before_it_is_pulled(tmp_path: Path) -> None:
    docker = replace(DOCKER, root_folder=tmp_path)
    problem = refusal(engine.require_space, docker, replace(IMAGE, unpacked_gb=10**9))
    assert "1350000000 GB" in problem.message and "`docker system prune`" in problem.advice
    engine.require_space(docker, replace(IMAGE, unpacked_gb=0))
    engine.require_space(docker, IMAGE)  # nobody knows how large it is
    engine.require_space(DOCKER, replace(IMAGE, unpacked_gb=10**9))  # or where it goes


def test_gpus_are_described_by_cdi_where_a_file_of_nvidia_says_so(tmp_path: Path) -> None:
    others = plant(tmp_path / "a", {"etc/cdi/intel.yaml": "", "etc/nvidia.yaml": "", "etc/cdi/nvidia/readme": ""})
    assert not engine.has_cdi(others) and not engine.has_cdi(tmp_path / "none")
    assert engine.has_cdi(plant(tmp_path / "b", {"etc/cdi/nvidia.yaml": ""}))
    assert engine.has_cdi(plant(tmp_path / "c", {"var/run/cdi/nvidia-container-toolkit.json": ""}))
