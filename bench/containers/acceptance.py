"""Check that an image computes correctly on this GPU and that the trainer passes its tests in it."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.containers import catalog, compat, launch_spec, selection, spec
from bench.containers import engine as engines
from bench.containers.catalog import Acceptance
from bench.containers.spec import INSIDE, Mount
from bench.errors import EnvironmentProblem
from bench.launch import kernel_cache, trainer_command
from bench.probes import gpu
from bench.record import replace_file
from bench.system import redaction, subprocesses
from bench.system.identity import Identity
from bench.system.paths import CHECKOUT

if TYPE_CHECKING:
    from bench.containers.launch_spec import ContainerTarget
    from bench.probes.device import Device

#: From the first import to the last check: PTX for a new GPU may have to be compiled for every kernel.
ANSWER_SECONDS = 900.0
_INSTALL_SECONDS = 300.0
_MODE = "how the driver runs its CUDA"
#: The path of pytest in the container.
_TOOLS = INSIDE / "tools"
#: The trainer's tests compare float32 products with numpy's to more digits than TF32 has (19 of them failed for that on
#: an H200, and passed without it); runs use TF32 as TensorFlow does.
_TEST_VARIABLES = {"NVIDIA_TF32_OVERRIDE": "0", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "PYTHONPATH": str(_TOOLS)}


@dataclass(frozen=True)
class Found:
    """One check; ``passed`` is None if it could not be made, ``value`` is the value read."""

    what: str
    passed: bool | None
    detail: str = ""
    value: str = ""


def examine(placed: ContainerTarget, where: Device, *, with_tests: bool) -> tuple[Mapping[str, Any], list[Found]]:
    """Return the image's answer and every check; each is printed when made."""
    answer = _ask(placed, where)
    found = judge(answer, placed, where)
    for each in found:
        print_check(each)
    if with_tests:
        click.echo("The trainer's own tests, in the image:")
        passed = _run_tests(placed)
        found.append(Found("the trainer's own tests", passed, "passed" if passed else "what failed is above"))
        print_check(found[-1])
    return answer, found


def print_check(found: Found) -> None:
    """Print a check in one line."""
    word, colour = {True: ("ok", "green"), False: ("fail", "red"), None: ("open", "yellow")}[found.passed]
    click.echo(f"{click.style(f'{word:5}', fg=colour)}{found.what}{f': {found.detail}' if found.detail else ''}")


def _ask(placed: ContainerTarget, where: Device) -> Mapping[str, Any]:
    """Return the JSON of ``python -m resnet9.device.acceptance`` in the image. Raises EnvironmentProblem."""
    env = trainer_command.environment(os.environ)
    with kernel_cache.prepared("kept", env) as prepared:
        words = (launch_spec.PYTHON, "-m", "resnet9.device.acceptance", "--device", where.argument)
        run = launch_spec.contained(placed, words, prepared, secrets.token_hex(6))
        done = _run(placed, run, prepared)
    last = next((line for line in reversed(done.out.splitlines()) if line.startswith("{")), "")
    try:
        answer = json.loads(last)
        if isinstance(answer, dict) and isinstance(answer["checks"], list):
            return answer
    except (ValueError, KeyError):
        pass
    ours = next((line for line in done.err.splitlines() if line.startswith("resnet9: ")), "").removeprefix("resnet9: ")
    name = Path(placed.engine.program).name
    before = f"{placed.choice.image.name} gives no answer on {where.name}: "
    if ours:
        raise EnvironmentProblem(f"{before}{ours}.")
    raise engines.meaning(done.err, name, placed.choice.image.locator, before)


def _with_values(run: spec.Contained, env: Mapping[str, str]) -> spec.Contained:
    """Return the command with the values of the variables passed on, as the client's environment is not changed."""
    values = {name: env[name] for name in run.passed if name in env}
    return replace(run, passed=(), fixed={**values, **run.fixed})


def _run(placed: ContainerTarget, run: spec.Contained, env: Mapping[str, str]) -> subprocesses.CompletedCommand:
    words = spec.argv(_with_values(run, env))
    try:
        return subprocesses.run_captured([*words[:2], "--rm", *words[2:]], ANSWER_SECONDS)
    except TimeoutError:
        raise EnvironmentProblem(
            f"{placed.choice.image.name} did not answer within {ANSWER_SECONDS / 60:.0f} minutes",
            f"see what `{Path(placed.engine.program).name} ps` shows",
        ) from None
    finally:
        subprocesses.run_captured([placed.engine.program, "rm", "--force", run.name], engines.PATIENCE_SECONDS)


def judge(answer: Mapping[str, Any], placed: ContainerTarget, where: Device) -> list[Found]:
    """Return the checks of an answer: the build list, the versions, how CUDA runs, and every comparison."""
    image, found = placed.choice.image, []
    capability = (answer.get("device") or {}).get("compute_capability")
    if capability:
        listed = [str(each) for each in answer.get("compute_capabilities") or []]
        major, _, minor = str(capability).partition(".")
        code = compat.gpu_code(listed, (int(major), int(minor)))
        text = f"{capability} among {', '.join(listed) or 'nothing'}: {code}"
        found.append(Found("the build list holds the GPU", code == compat.NATIVE, text))
        found.append(_mode(answer, placed, where))
    if image.tensorflow != "unknown":
        same = str(answer.get("tensorflow")).partition("+")[0] == image.tensorflow
        found.append(Found("TensorFlow as pinned", same, f"{answer.get('tensorflow')}, pinned {image.tensorflow}"))
    for each in answer["checks"]:
        figure = (
            f"relative error {each['figure']:.1e}, tolerance {each['tolerance']:.0e}"
            if each.get("figure")
            else each["detail"]
        )
        found.append(Found(str(each["name"]), bool(each["passed"]), figure))
    return found


def _mode(answer: Mapping[str, Any], placed: ContainerTarget, where: Device) -> Found:
    inside, outside = answer.get("cuda_driver"), _cuda_outside(where)
    predicted = placed.choice.fit.cuda_mode
    if not inside or not outside:
        return Found(_MODE, None, f"{predicted} by the rules; the driver does not say")
    newer = compat.version(str(inside)) > compat.version(outside)
    seen = compat.FORWARD if newer else predicted if predicted != compat.FORWARD else "not forward"
    text = f"{seen}: CUDA {inside} inside, {outside} outside; by the rules {predicted}"
    # The mode also depends on toolkit and board, so an unexpected one is reported and does not fail.
    as_expected = seen == predicted or predicted == compat.UNKNOWN
    return Found(_MODE, True if as_expected else None, text, seen)


def _cuda_outside(where: Device) -> str | None:
    chosen = gpu.choose(gpu.discover(), where.argument)
    return None if chosen is None else chosen.cuda_driver_version


def _run_tests(placed: ContainerTarget) -> bool:
    tools = _pytest()
    env = trainer_command.environment(os.environ)
    words = ("-m", "pytest", "tests/resnet9", "-q", "-p", "no:cacheprovider", "-m", "not slow and not deep")
    mounts = [Mount(tools, _TOOLS)]
    run = launch_spec.contained(
        placed, (launch_spec.PYTHON, *words), env, secrets.token_hex(6), mounts, fixed=_TEST_VARIABLES
    )
    argv = spec.argv(_with_values(run, env))
    try:
        return subprocesses.run_attached([*argv[:2], "--rm", *argv[2:]], CHECKOUT) == 0
    finally:
        subprocesses.run_captured([placed.engine.program, "rm", "--force", run.name], engines.PATIENCE_SECONDS)


def _pytest() -> Path:
    """Return a folder with pytest and its dependencies, in pure Python. Raises EnvironmentProblem."""
    lock = CHECKOUT / "requirements" / "pytest.txt"
    folder = CHECKOUT / ".cache" / f"pytest-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not (folder / "pytest").is_dir():
        part = folder.with_name(f"{folder.name}.part")
        # Wheels for any Python: the image's is another one than ours.
        words = ["--platform", "any", "--implementation", "py", "--abi", "none", "--only-binary", ":all:", "--no-deps"]
        pip = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        argv = [*pip, "--no-compile", "--upgrade", "--target", str(part), *words, "--require-hashes", "-r", str(lock)]
        done = subprocesses.run_captured(argv, _INSTALL_SECONDS)
        if done.exit_code:
            last = (done.err.strip().splitlines() or ["it said nothing"])[-1]
            raise EnvironmentProblem(
                f"pytest for the image cannot be had: {last}", "type it with --no-tests to do without"
            )
        part.rename(folder)
    return folder


def keep(folder: Path, placed: ContainerTarget, answer: Mapping[str, Any], found: list[Found]) -> None:
    """Write ``acceptance.json`` into a new folder, and print where."""
    folder.mkdir(parents=True)
    body = {
        "schema": 1,
        "image": placed.identity,
        "image_id": placed.inspected.id,
        "pinning": placed.pinning,
        "engine": placed.engine.label,
        "toolkit": placed.toolkit,
        "found": [asdict(each) for each in found],
        "answer": dict(answer),
    }
    identity = Identity.of_this_process()
    replace_file(folder / "acceptance.json", json.dumps(redaction.redact_event(body, identity), indent=1) + "\n")
    click.echo(f"What was found is in {folder.relative_to(CHECKOUT) if folder.is_relative_to(CHECKOUT) else folder}.")


def write(placed: ContainerTarget, where: Device, answer: Mapping[str, Any], found: list[Found]) -> str:
    """Write the acceptance into docker/images.toml where the image is pinned there; return a sentence on that."""
    image = placed.choice.image
    if placed.pinning != spec.PINNED:
        return f"The image is not one that docker/images.toml pins ({placed.pinning}), so nothing is written there."
    card, driver = selection.card(where)
    acceptance = Acceptance(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        digest=image.digest,
        device=card.name if card else str((answer.get("device") or {}).get("name") or "CPU"),
        capability=compat.dotted(card.capability) if card and card.capability else "",
        driver=driver or "",
        capabilities=tuple(str(each) for each in answer.get("compute_capabilities") or []),
        passed=not any(each.passed is False for each in found),
        failed=tuple(each.what for each in found if each.passed is False),
        cuda_mode=next((each.value for each in found if each.what == _MODE), ""),
    )
    versions = {
        "tensorflow": str(answer.get("tensorflow") or "").partition("+")[0],
        "python": _minor(answer.get("python")),
    }
    catalog.write_acceptance(image.name, acceptance, versions)
    return (
        "docker/images.toml has it. Commit the file before the runs that count, as results from a checkout with "
        "changes are suspect; then others need not try it again."
    )


def _minor(version: object) -> str:
    return ".".join(str(version or "").split(".")[:2])
