"""A tag's digest, as small real registries on 127.0.0.1 tell it, willingly or not."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.containers import registry
from bench.errors import BenchError, DataError, EnvironmentProblem, Refused, UsageError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}, indent=3).encode()
PATH = "/v2/vendor/tensorflow/manifests/1.0"


class Answer(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.seen.append(self)
        self.server.answers.get(urlsplit(self.path).path, send(404))(self)

    def do_CONNECT(self) -> None:
        self.server.seen.append(self)
        send(403)(self)

    def log_message(self, *_: object) -> None: ...


Script = Callable[[Answer], object]


class Registry(ThreadingHTTPServer):
    """Answers by path as it is told to, and keeps what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers: dict[str, Script] = {PATH: send(200, MANIFEST, Content_Type=OCI_MANIFEST)}
        self.seen: list[Answer] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def reference(self) -> str:
        return f"{self.host}/vendor/tensorflow:1.0"

    def asks_for_a_token(self, challenge: str, said: bytes = b'{"token": "abc.DEF-1_2~3+4/5="}') -> None:
        """The manifest only with the right token, which ``/token`` gives."""

        def manifest(answer: Answer) -> None:
            knows = answer.headers["Authorization"] == "Bearer abc.DEF-1_2~3+4/5="
            (send(200, MANIFEST) if knows else send(401, WWW_Authenticate=challenge))(answer)

        self.answers |= {PATH: manifest, "/token": send(200, said)}


def send(status: int, body: bytes = b"", **headers: str) -> Script:
    def script(answer: Answer) -> None:
        answer.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            answer.send_header(name.replace("_", "-"), value)
        answer.end_headers()
        answer.wfile.write(body)

    return script


@contextmanager
def serving() -> Iterator[Registry]:
    with Registry() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("no_proxy", "*")
    with serving() as server:
        yield server


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def refusal(kind: type[BenchError], reference: str, names: str = "", seconds: float = 30.0) -> BenchError:
    """The error with which a reference is refused; it names the reference, or what ``names`` says."""
    with pytest.raises(BenchError) as caught:
        registry.resolve(reference, seconds)
    assert type(caught.value) is kind, caught.value
    assert (names or reference) in caught.value.message
    assert str(caught.value).isprintable() and str(caught.value).endswith(".")
    return caught.value


# What works


def test_an_image_has_the_digest_of_the_bytes_that_are_sent(server: Registry) -> None:
    expected = registry.Resolved(server.reference, digest(MANIFEST), is_index=False)
    assert registry.resolve(server.reference) == expected
    server.answers[PATH] = send(200, MANIFEST, Docker_Content_Digest=digest(MANIFEST))
    assert registry.resolve(server.reference) == expected
    accepted = server.seen[0].headers["Accept"].split(", ")
    assert set(accepted) == {OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST}


@pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
def test_an_index_tells_its_platforms_and_leaves_out_what_is_for_none(server: Registry, kind: str) -> None:
    platforms = (("linux", "amd64"), ("linux", "arm64"), ("unknown", "unknown"))
    listed = [{"platform": dict(zip(("os", "architecture"), each, strict=True))} for each in platforms]
    body = json.dumps({"mediaType": kind, "manifests": [*listed, {"digest": "sha256:0"}, "odd"]}).encode()
    server.answers[PATH] = send(200, body)
    expected = registry.Resolved(server.reference, digest(body), True, ("linux/amd64", "linux/arm64"))
    assert registry.resolve(server.reference) == expected


@pytest.mark.parametrize(("kind", "is_index"), [(OCI_INDEX, True), (DOCKER_MANIFEST, False)])
def test_the_header_tells_where_a_manifest_does_not(server: Registry, kind: str, is_index: bool) -> None:
    server.answers[PATH] = send(200, b'{"schemaVersion": 2}', Content_Type=f"{kind}; charset=utf-8")
    assert registry.resolve(server.reference).is_index is is_index


@pytest.mark.parametrize("field", ["token", "access_token"])
def test_a_token_is_fetched_where_the_registry_says_and_shown_to_it(server: Registry, field: str) -> None:
    challenge = f'Bearer realm="http://{server.host}/token",service="r.example",scope="repository:v/t:pull",error="no"'
    server.asks_for_a_token(challenge, json.dumps({field: "abc.DEF-1_2~3+4/5="}).encode())
    assert registry.resolve(server.reference).digest == digest(MANIFEST)
    first, token, second = server.seen
    assert first.headers["Authorization"] is None and token.headers["Authorization"] is None
    assert parse_qs(urlsplit(token.path).query) == {"service": ["r.example"], "scope": ["repository:v/t:pull"]}
    assert second.headers["Accept"] == first.headers["Accept"]


def test_a_redirection_is_followed_with_the_token_on_the_same_host_and_without_it_to_another(server: Registry) -> None:
    server.asks_for_a_token(f'Bearer realm="http://{server.host}/token"')
    asking = server.answers[PATH]
    with serving() as other:
        away = send(307, Location=f"http://{other.host}{PATH}")
        server.answers["/away"] = lambda answer: (away if answer.headers["Authorization"] else asking)(answer)
        server.answers[PATH] = send(307, Location=f"http://{server.host}/away")
        assert registry.resolve(server.reference).digest == digest(MANIFEST)
        assert server.seen[-1].headers["Authorization"]
        assert [each.headers["Authorization"] for each in other.seen] == [None]


@pytest.mark.parametrize(
    ("reference", "host"),
    [("vendor/tensorflow:1", "registry-1.docker.io"), ("registry.example/tensorflow:1", "registry.example")],
)
def test_a_registry_elsewhere_is_asked_by_https_and_without_a_name_it_is_docker_hub(
    server: Registry, monkeypatch: pytest.MonkeyPatch, reference: str, host: str
) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", f"http://{server.host}")  # it sees where the tunnel would go, and digs none
    refusal(EnvironmentProblem, reference, names=host)
    assert [(each.command, each.path) for each in server.seen] == [("CONNECT", f"{host}:443")]


# What a registry may answer instead


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (send(404), DataError, "http-404"),
        (send(403), Refused, "http-403"),
        (send(429), EnvironmentProblem, "http-429"),
        (send(500), EnvironmentProblem, "http-500"),
        (send(302, Location="file:///etc/hostname"), EnvironmentProblem, "http-302"),
    ],
)
def test_a_refusal_has_its_code(server: Registry, script: Script, kind: type[BenchError], code: str) -> None:
    server.answers[PATH] = script
    assert refusal(kind, server.reference).code == code


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (MANIFEST, {"Docker_Content_Digest": f"sha256:{'0' * 64}"}),
        (b"<html>Welcome to the hotel</html>", {"Content_Type": "text/html"}),
        (b"\xff\xfe", {}),
        (b"[" * 100_000, {"Content_Type": OCI_MANIFEST}),
        (b"", {"Content_Type": OCI_MANIFEST}),
        (MANIFEST.replace(OCI_MANIFEST.encode(), b"application/vnd.oci.artifact"), {"Content_Type": OCI_MANIFEST}),
        (b'{"schemaVersion": 1}', {"Content_Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}),
        (b"{}", {}),
    ],
)
def test_what_is_no_manifest_or_not_the_one_that_is_claimed_is_refused(
    server: Registry, body: bytes, headers: dict[str, str]
) -> None:
    server.answers[PATH] = send(200, body, **headers)
    refusal(DataError, server.reference)


def test_an_answer_too_large_for_a_manifest_is_not_read(server: Registry) -> None:
    server.answers[PATH] = send(200, MANIFEST + b" " * (4 << 20), Content_Type=OCI_MANIFEST)
    refusal(DataError, server.reference)


@pytest.mark.parametrize(
    "challenge",
    ["", "Bearer", 'Basic realm="x"', 'Bearer realm="file:///etc/hostname"', 'Bearer realm="ftp://127.0.0.1/"'],
)
def test_a_login_that_is_no_anonymous_token_is_refused(server: Registry, challenge: str) -> None:
    server.asks_for_a_token(challenge)
    assert "docker login" in refusal(Refused, server.reference).advice
    assert len(server.seen) == 1


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "a\n", "a\0", "\x1b[31m", "", 5, None, ["abc"]])
def test_a_token_that_is_none_is_not_shown_to_the_registry(server: Registry, token: object) -> None:
    server.asks_for_a_token(f'Bearer realm="http://{server.host}/token"', json.dumps({"token": token}).encode())
    refusal(Refused, server.reference)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (send(401), Refused),
        (send(500), EnvironmentProblem),
        (send(200, b"<html>"), EnvironmentProblem),
        (send(200, b"[]"), EnvironmentProblem),
        (send(200, b"[" * 100_000), EnvironmentProblem),
    ],
)
def test_a_token_service_that_gives_none_is_told(server: Registry, script: Script, kind: type[BenchError]) -> None:
    server.asks_for_a_token(f'Bearer realm="http://{server.host}/token"')
    server.answers["/token"] = script
    refusal(kind, server.reference, names=server.host)


def test_a_token_that_the_registry_does_not_take_is_asked_for_once(server: Registry) -> None:
    server.asks_for_a_token(f'Bearer realm="http://{server.host}/token"', b'{"token": "another"}')
    assert refusal(Refused, server.reference).code == "http-401"
    assert len(server.seen) == 3


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf"])
def test_what_is_no_whole_answer_is_told(server: Registry, raw: bytes) -> None:
    server.answers[PATH] = lambda answer: answer.wfile.write(raw)
    refusal(EnvironmentProblem, server.reference, names=server.host)


@pytest.mark.parametrize(("listens", "reason"), [(False, "refused"), (True, "timed out")])
def test_a_registry_that_is_not_there_or_says_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, listens: bool, reason: str
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as silent:  # bound, so that nobody else opens it meanwhile
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        problem = refusal(EnvironmentProblem, f"{host}/vendor/tensorflow:1.0", host, 0.2)
    assert reason in problem.message


# What is not asked for at all


@pytest.mark.parametrize(
    "word", ["", "x", "a b:1", f"a@sha256:{'0' * 64}", f"a:1@sha256:{'0' * 64}", "a:1:2", "-a:1", "A/b:1"]
)
def test_what_is_no_repository_and_tag_is_refused(word: str) -> None:
    refusal(UsageError, word, names=repr(word))


@given(st.integers(0, 31), st.sampled_from(" \t\r\n\0\x1b?#%&\\\"'<>{}|^`~$;,*+=()[]\u2028"))
def test_a_character_that_no_reference_has_is_never_sent(place: int, character: str) -> None:
    reference = "127.0.0.1:1/vendor/tensorflow:1"
    refusal(UsageError, hostile := reference[:place] + character + reference[place:], names=repr(hostile))
