"""``python -m bench image``: list, resolve, build and verify the pinned images."""

from __future__ import annotations

import click

from bench.cli import options
from bench.cli.options import containers


@click.group("image")
def command() -> None:
    """The images that a trainer can run in (docker/images.toml): list, build, resolve, verify."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of a table")
def list_(as_json: bool) -> None:
    """Show the pinned images: what each is for, and what is not verified yet."""
    import json
    from dataclasses import asdict

    from bench.containers import catalog
    from bench.containers import listing as shown

    table = catalog.read()
    click.echo(json.dumps(asdict(table), indent=1) if as_json else "\n".join(shown.listing(table)))


@command.command("resolve")
@click.argument("tag")
@click.option("--replace", "replaces", is_flag=True, help="put the digest in the place of another one")
def resolve(tag: str, replaces: bool) -> None:
    """Ask the registry for the digest of TAG, such as 24.12-tf2-py3, and write it into docker/images.toml.

    TAG is of NVIDIA's TensorFlow images, or a whole reference such as registry.example/tensorflow:1.
    """
    from bench.containers import build as _images

    click.echo(_images.resolve(tag, replaces))


@command.command("build")
@click.argument("name", required=False, envvar="IMAGE", default="portable")
@click.option("--base", envvar="BASE_IMAGE", help="another image to build on  [default: the pinned one]")
@click.option("--docker", envvar="DOCKER", help="the engine: docker, podman or a path  [default: docker, else podman]")
@click.option("--flags", envvar="DOCKER_BUILD_FLAGS", default="", help="words to add to the engine's command")
def build(name: str, base: str | None, docker: str | None, flags: str) -> None:
    """Build an image from docker/Dockerfile: portable, cpu, or all-in-one."""
    from bench.containers import build as _images

    click.echo(_images.build(name, base or None, docker or None, flags))


@command.command("shell")
@options.device
@containers.options
def shell(
    device: str | None, where: str | None, image: str | None, docker: str | None, docker_flags: str | None
) -> int:
    """Open a shell where a run would be made: the same image, flags and user, the checkout mounted."""
    from bench.containers import build as _images
    from bench.containers import selection

    return _images.shell(device, selection.ContainerOptions(where, image, docker, docker_flags))


@command.command("verify")
@options.device
@containers.options
@click.option("--no-tests", is_flag=True, help="leave out the trainer's own tests")
@click.option("--no-runs", is_flag=True, help="leave out the smoke campaign and the run that is stopped")
@click.option("--keep", is_flag=True, help="leave docker/images.toml as it is")
@click.option("--out", envvar="OUT", help="folder for what is found  [default: a new one in results/]")
def verify(
    device: str | None, where: str | None, image: str | None, docker: str | None, docker_flags: str | None,
    no_tests: bool, no_runs: bool, keep: bool, out: str | None,
) -> int:  # fmt: skip
    """Try an image on this GPU, and write into docker/images.toml whether it works.

    In the image: the GPU is in TensorFlow's build list; convolutions and matrix products with their gradients, in every
    precision, are right to tolerance; the trainer's own tests pass. Around it: the registry still gives the pinned
    digest; a smoke campaign in the container, its files, their owner, its record; a run that is stopped. Exits with 0
    where no check failed, else with 1.
    """
    from bench.campaign import image_verification
    from bench.containers import selection

    containers = selection.ContainerOptions(where, image, docker, docker_flags)
    return image_verification.verify(
        device, containers, out or None, tests=not no_tests, runs=not no_runs, write=not keep
    )


@command.command("accept", hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def accept(words: tuple[str, ...]) -> int:
    """Do what ``verify --no-runs`` does."""
    code: int = verify.main(["--no-runs", *words], standalone_mode=False)
    return code
