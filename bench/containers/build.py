"""The simpler commands of ``bench image``: resolve a digest, build, open a shell."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.containers import catalog, launch_spec, registry, selection, spec
from bench.containers import engine as engines
from bench.containers.catalog import Image, Images
from bench.errors import Refused, UsageError
from bench.launch import trainer_command
from bench.probes import git
from bench.system import locks, subprocesses
from bench.system.paths import CHECKOUT

ALL_IN_ONE = "all-in-one"


def resolve(tag: str, replaces: bool) -> str:
    """Write the digest of a tag into docker/images.toml; return a sentence on the result.

    Raises Refused where the entry has another digest and ``replaces`` is not set.
    """
    table = catalog.read()
    known = _known(table, tag)
    reference = known.reference if known else tag if "/" in tag else f"{catalog.NVIDIA_REPOSITORY}:{tag}"
    found = registry.resolve(reference)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    kind = f"a list for {', '.join(found.platforms) or 'several platforms'}" if found.is_index else "one image"
    text = f"{reference} is {found.digest} today ({kind})"
    if known is None:
        name = reference.rpartition(":")[2].removesuffix("-tf2-py3")
        if name in {word for each in table.image for word in (each.name, each.target)}:
            name = reference
        catalog.add(name, reference, found.digest, today)
        return f"{text}: added to docker/images.toml as {name}, a candidate; `bench image verify` tries it. Commit it."
    if known.digest == found.digest:
        return f"{text}, as docker/images.toml says."
    if known.digest and not replaces:
        raise Refused(
            f"{text}, and docker/images.toml pins {known.digest}: the tag or the file has changed. Runs in the "
            "two are not the same",
            "type it with --replace to pin the new one",
        )
    catalog.write_digest(known.name, found.digest, today)
    return f"{text}: written to docker/images.toml. Commit it, so that everybody runs the same."


def _known(table: Images, tag: str) -> Image | None:
    return next(
        (
            each
            for each in table.image
            if not each.is_built and tag in (each.name, each.reference, each.reference.rpartition(":")[2])
        ),
        None,
    )


def build(name: str, base: str | None, docker: str | None, flags: str) -> str:
    """Build an image of docker/Dockerfile; return a sentence on what to type next.

    Raises UsageError for an unknown target, EnvironmentProblem where the engine fails.
    """
    table = catalog.read()
    built = {each.target: each for each in table.image if each.is_built}
    if name not in (*built, ALL_IN_ONE):
        pulled = any(name == each.name for each in table.image)
        raise UsageError(
            f"IMAGE={name} is {'pulled and not built' if pulled else 'no image that is built here'}",
            f"`make image` builds {', '.join((*built, ALL_IN_ONE))}",
        )
    program = docker or next((each for each in ("docker", "podman") if shutil.which(each)), "docker")
    engine = engines.find(program, subprocesses.run_captured, os.environ)
    # BuildKit builds the one target and keeps pip's downloads; podman's default format would drop parts of the file.
    os.environ.setdefault("DOCKER_BUILDKIT", "1")
    os.environ.setdefault("BUILDAH_FORMAT", "docker")
    arguments = _arguments(built.get(name), base, next(each for each in table.image if not each.is_built))
    words = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    tag = f"{catalog.BUILT_REPOSITORY}:{name}"
    argv = [engine.program, "build", "--file", str(CHECKOUT / "docker" / "Dockerfile"), "--target", name, "--tag", tag]
    code, said = subprocesses.run_with_stderr([*argv, *words, *_split(flags), str(CHECKOUT)], CHECKOUT, echo=True)
    if code:
        base = arguments.get("PYTHON_IMAGE") or arguments["BASE_IMAGE"]
        before = f"{tag} could not be built (its whole output is above): "
        raise engines.meaning(_last_error(said), Path(engine.program).name, base, before)
    if name == ALL_IN_ONE:
        return f'{tag} is built; docs/guide/containers.md, "Hosts without Python, and clusters", says how to run it.'
    return f"{tag} is built. Run it with `make bench WHERE=container IMAGE={name}`."


def _last_error(said: str) -> str:
    """Return the engine's own last error, not the output of the build's programs."""
    lines = ["", *filter(None, map(str.strip, said.splitlines()))]
    return next((line for line in reversed(lines) if line.lower().startswith("error")), lines[-1])


def _arguments(image: Image | None, base: str | None, pinned: Image) -> dict[str, str]:
    if image is not None:
        made_of = selection.recipe(image)
        base = base or image.base
        arguments = {
            "PYTHON_IMAGE": base,
            "LOCK": image.lock,
            "LOCK_SHA256": made_of[spec.LOCK_LABEL],
            "DOCKERFILE_SHA256": made_of[spec.DOCKERFILE_LABEL],
        }
    else:
        base = base or f"{pinned.reference}@{pinned.digest}"
        arguments = {"BASE_IMAGE": base}
    code = git.look(CHECKOUT, subprocesses.run_captured)
    # An image is labelled only with committed code.
    revision = "" if code.dirty is None else f"{code.commit}{'-dirty' if code.dirty else ''}"
    digest = base.rpartition("@")[2] if "@" in base else ""
    return {**arguments, "BASE_DIGEST": digest, "REVISION": revision}


def _split(flags: str) -> list[str]:
    try:
        return shlex.split(flags)
    except ValueError:
        raise UsageError("DOCKER_BUILD_FLAGS has a quote that is not closed.") from None


def shell(device: str | None, options: selection.ContainerOptions) -> int:
    """Open a shell in the container of runs; return its exit code. Raises UsageError for native runs."""
    if not sys.stdin.isatty():
        raise UsageError("a shell needs a terminal", "type it in one")
    where = selection.device(device)
    # The device's lock, as for a run: its holder removes our other containers as orphans.
    with locks.held(locks.device_lock(where.key), f"the device {where.name}"):
        chosen = selection.resolve(selection.explicitly(options), where)
        click.echo(chosen.said)
        placed = selection.ready(chosen, where)
        assert placed is not None
        run = launch_spec.contained(placed, ("bash",), trainer_command.environment(os.environ), secrets.token_hex(6))
        words = spec.argv(run)
        return subprocesses.run_attached([*words[:2], "--interactive", "--tty", "--rm", *words[2:]], CHECKOUT)
