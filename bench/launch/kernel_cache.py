"""The folder in which CUDA's driver keeps the kernels it compiles: one for every trainer of this checkout, so that what
a run finds there is known, or an empty one a run. CUDA C++ Programming Guide, "CUDA Environment Variables".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import EnvironmentProblem, UsageError
from bench.system.paths import CHECKOUT

VARIABLE = "CUDA_CACHE_PATH"
#: Of every trainer, unless the person has set the variable; `make clean` removes it.
FOLDER = CHECKOUT / ".cache" / "kernels" / "cuda"
KINDS = ("kept", "cold")


def check(kind: str, environ: Mapping[str, str]) -> None:
    """Raises UsageError for a cold cache together with a cache folder in the environment."""
    if kind == "cold" and environ.get(VARIABLE):
        raise UsageError(f"CACHE=cold and {VARIABLE} contradict each other", "leave one of them out")


@contextmanager
def prepared(kind: str, env: Mapping[str, str], folder: Path = FOLDER) -> Iterator[dict[str, str]]:
    """A trainer's environment ``env`` with its kernel cache in place: ``kept`` is the one named there, ``cold`` an
    empty one beside ``folder`` that is gone afterwards. Raises EnvironmentProblem where that cannot be made.
    """
    if kind != "cold":
        if env.get(VARIABLE) == str(folder):
            with suppress(OSError):  # A checkout nobody can write to has a cold cache, and every record says so.
                folder.mkdir(parents=True, exist_ok=True)
        yield dict(env)
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = TemporaryDirectory(prefix="cold-", dir=folder.parent, ignore_cleanup_errors=True)
    except OSError as error:
        where = f"{folder.parent} ({error.strerror})"
        raise EnvironmentProblem(f"CACHE=cold cannot make an empty folder in {where}", "leave it out") from None
    with place as made:
        # A record tells of a path its last part, which must not differ between two runs of a campaign.
        cold = Path(made, kind)
        cold.mkdir()
        yield {**env, VARIABLE: str(cold)}
