"""What every test shares, with pytest alone: the trainer's tests also run beside older TensorFlows and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

# A shell starts what it puts in the background with Ctrl-C ignored, and children inherit that: tests of Ctrl-C would
# wait for ever for an interruption that nobody hears.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Before anything imports TensorFlow: its start-up notices would bury a failing test's output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# `make test DEVICE=cpu` is about the environment; what a person has set for a campaign must not steer a test.
for name in (
    *("RECIPE", "SEEDS", "DATA", "INPUT", "PRECISION", "DEVICE", "OUT"),
    *("AUTHOR", "EMAIL", "HARDWARE", "COST_PER_HOUR", "CODE_URL"),
    *("WARMUP", "IDLE", "WATCH", "TELEMETRY", "CACHE", "TRAINER", "TARGET"),
    *("WHERE", "IMAGE", "DOCKER", "DOCKER_FLAGS", "BASE_IMAGE", "DOCKER_BUILD_FLAGS"),
    *("BENCH_EVENTS", "BENCH_SEED", "BENCH_TARGET_PERCENT"),
):
    os.environ.pop(name, None)

try:
    from hypothesis import HealthCheck, settings
except ImportError:
    pass
else:
    # A loaded machine must not fail a test for being slow; in CI a failure must come back with the same examples.
    shared = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("here", max_examples=50, **shared)
    settings.register_profile("ci", max_examples=50, derandomize=True, print_blob=True, **shared)
    settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True, scope="session")
def _locks_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the locks of devices in a folder of this process: what trains elsewhere on this machine must not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("locks")))
        yield
