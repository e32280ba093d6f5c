"""Read the digest of a tag from a container registry: the distribution API, with an anonymous token if required.

Docker Registry HTTP API v2 (opencontainers/distribution-spec, "Pulling manifests"; distribution/distribution, "Token
Authentication"). The digest is computed from the manifest, not taken from the registry.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.containers.catalog import DIGEST, DOCKER_HUB, REFERENCE, login, registry_of, split_registry
from bench.errors import BenchError, DataError, EnvironmentProblem, Refused, UsageError, one_line

SECONDS = 30.0
#: A manifest has a few kB, an index for many platforms ten.
_MOST_BYTES = 4 << 20
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
#: Registries of this machine may speak plain HTTP, as engines let them.
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3})(:\d+)?")
#: Where Docker Hub answers.
_DOCKER_HUB = "registry-1.docker.io"
#: Errors of the network, of another protocol, of a wrong address.
_BROKEN = (OSError, http.client.HTTPException, ValueError, RecursionError)


class _TooLarge(Exception):
    """The answer is larger than any manifest."""


@dataclass(frozen=True)
class Resolved:
    """A tag's digest; ``is_index``: of an index for several ``platforms``, such as ``linux/amd64``."""

    reference: str
    digest: str
    is_index: bool
    platforms: tuple[str, ...] = ()


def resolve(reference: str, seconds: float = SECONDS) -> Resolved:
    """Return the present digest of ``reference`` (repository and tag).

    Raises UsageError for a wrong reference, DataError for an unknown tag or an invalid manifest, Refused if the
    registry requires a login, EnvironmentProblem if it cannot be reached.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None or not match["tag"] or match["digest"]:
        raise UsageError(f"{reference!r} is not a repository and tag, such as nvcr.io/nvidia/tensorflow:25.02-tf2-py3.")
    host, path = split_registry(match["repository"])
    scheme = "http" if _LOOPBACK.fullmatch(host) else "https"
    url = f"{scheme}://{_DOCKER_HUB if host == DOCKER_HUB else host}/v2/{path}/manifests/{match['tag']}"
    body, headers = _get(url, {"Accept": ", ".join((*_INDEXES, *_MANIFESTS))}, reference, seconds)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    claimed = headers.get("Docker-Content-Digest", digest)
    if claimed != digest:
        claimed = claimed if DIGEST.fullmatch(claimed) else "an invalid digest"
        raise DataError(
            f"the registry claims {claimed} for {reference} and sends a manifest of {digest}", "try again later"
        )
    manifest = _manifest(body, reference)
    kind = str(manifest.get("mediaType") or headers.get("Content-Type", "")).partition(";")[0]
    if kind not in (*_INDEXES, *_MANIFESTS):
        raise DataError(f"the registry sends {kind or 'something'!r} for {reference}, which cannot be pinned.")
    return Resolved(reference, digest, kind in _INDEXES, _platforms(manifest))


def _get(url: str, headers: Mapping[str, str], reference: str, seconds: float) -> tuple[bytes, Mapping[str, str]]:
    try:
        try:
            return _fetch(url, headers, seconds)
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            challenge = error.headers.get("WWW-Authenticate", "")
        token = _token(challenge, reference, url, seconds)
        return _fetch(url, {**headers, "Authorization": f"Bearer {token}"}, seconds)
    except urllib.error.HTTPError as error:
        raise _refused(error, reference) from None
    except _TooLarge:
        message = f"the registry sends more for {reference} than any manifest has"
        raise DataError(message, "see what is behind its name") from None
    except _BROKEN as error:
        raise _unreachable(url, error, reference) from None


def _fetch(url: str, headers: Mapping[str, str], seconds: float) -> tuple[bytes, Mapping[str, str]]:
    request = urllib.request.Request(url, headers=dict(headers))
    with urllib.request.build_opener(_SameHost).open(request, timeout=seconds) as answer:
        body: bytes = answer.read(_MOST_BYTES + 1)
        if len(body) > _MOST_BYTES:
            raise _TooLarge
        return body, answer.headers


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follow redirections, but send the token to the same host only."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            made.headers.pop("Authorization", None)
        return made


def _token(challenge: str, reference: str, url: str, seconds: float) -> str:
    """Return an anonymous token from the registry's realm (``Bearer realm="...",service="...",scope="..."``)."""
    fields = dict(re.findall(r'(?<!\w)(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    secure = urllib.parse.urlsplit(realm).scheme == "https" or url.startswith("http:")
    if not challenge.lower().startswith("bearer") or not realm.startswith(("https://", "http://")) or not secure:
        raise Refused(
            f"the registry of {reference} requires a kind of login that is not supported here",
            _by_hand(reference),
        )
    query = urllib.parse.urlencode({key: value for key, value in fields.items() if key in ("service", "scope")})
    try:
        body, _ = _fetch(f"{realm}?{query}", {}, seconds)
        said = json.loads(body)
        token = said.get("token") or said.get("access_token")
    except urllib.error.HTTPError as error:
        raise _refused(error, reference) from None
    except (*_BROKEN, _TooLarge, AttributeError) as error:
        raise _unreachable(realm, error, reference) from None
    if not isinstance(token, str) or not re.fullmatch(r"[\w.~+/=-]+", token):
        raise Refused(f"the registry of {reference} gives no token without a login", _by_hand(reference))
    return token


def _refused(error: urllib.error.HTTPError, reference: str) -> BenchError:
    host, code = registry_of(reference), f"http-{error.code}"
    if error.code == 404:
        return DataError(f"{host} has no {reference}", "look the tag up in the registry's own list", code)
    if error.code in (401, 403):
        message = f"{host} does not give {reference} without a login, or has none of that name (HTTP {error.code})"
        return Refused(message, f"see that the name is right, or {_by_hand(reference)}", code)
    if error.code == 429:
        message = f"{host} does not give {reference}, as its limit of requests is reached (HTTP 429)"
        return EnvironmentProblem(message, f"wait, then type the same again, or {_by_hand(reference)}", code)
    return EnvironmentProblem(f"{host} answers HTTP {error.code} for {reference}", "try again later", code)


def _by_hand(reference: str) -> str:
    return f"type {login(registry_of(reference))}, pull it, and take the digest that the pull prints"


def _unreachable(url: str, error: Exception, reference: str) -> EnvironmentProblem:
    host = url.partition("://")[2].partition("/")[0]
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error or type(error).__name__
    reason = one_line(str(reason))[:200] or type(error).__name__
    return EnvironmentProblem(
        f"{one_line(host)} cannot be reached for {reference} ({reason})", "check the network, then type the same again"
    )


def _manifest(body: bytes, reference: str) -> Mapping[str, Any]:
    try:
        manifest = json.loads(body)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise DataError(f"the registry's answer for {reference} is not a manifest", "check its name")
    return manifest


def _platforms(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    listed = manifest.get("manifests")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    found = [each["platform"] for each in entries if isinstance(each.get("platform"), dict)]
    names = (f"{each.get('os')}/{each.get('architecture')}" for each in found if each.get("os") != "unknown")
    return tuple(each for each in names if re.fullmatch(r"[\w.-]+/[\w.-]+", each, re.ASCII))
