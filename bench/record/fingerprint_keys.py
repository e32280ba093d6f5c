"""The registry of fingerprint keys: what each means, and whether runs that differ in it may be mixed.

A fingerprint is a flat table of these keys. A key is always there; None is a value that is not known, or that this
machine has not; only what the trainer reports is missing until then. The families ``package.*``, ``env.*`` and
``build.*`` hold one key for each package, variable or fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Key:
    """One fact of a fingerprint. ``mixable`` means that runs which differ in it may be in one table.

    ``type`` is the type of a known value; a ``list`` is one of texts. ``unit`` is empty where there is none. What is
    ``reported`` comes from the trainer, mostly with its hello: a record has it and the machine's fingerprint has not.
    """

    name: str
    type: type
    unit: str
    meaning: str
    mixable: bool = False
    reported: bool = False

    @property
    def is_family(self) -> bool:
        """Return whether ``name`` ends in ``*``, for any number of keys."""
        return self.name.endswith("*")


KEYS = (
    Key("harness.version", str, "", "version of the harness"),
    Key("image", str, "", "container image of the trainer, by name and digest; none for a native run"),
    Key("image.pinning", str, "", "how it is identified: pinned, built, digested, undigested, stand-in", reported=True),
    Key("image.id", str, "", "id of its content, which differs by engine", mixable=True, reported=True),
    Key("image.labels", list, "", "its labels, as name=value", mixable=True, reported=True),
    Key(
        "image.gpu_code", str, "", "how its code is expected to run on the GPU: native, ptx-jit, unknown", reported=True
    ),
    Key(
        "image.cuda_mode",
        str,
        "",
        "expected CUDA compatibility: native, minor-version, forward, unknown; build.cuda_driver is the actual one",
        reported=True,
    ),
    Key("run.engine", str, "", "container engine that the run was made with, and its version", reported=True),
    Key("run.rootless", bool, "", "whether that engine works without root", reported=True),
    Key("run.flags", list, "", "flags of the container; mounts and GPU by their kind", reported=True),
    Key("git.commit", str, "", "commit of the checkout"),
    Key("git.dirty", bool, "", "whether the checkout had changes outside results/ that are not committed"),
    Key(
        "git.problem",
        str,
        "",
        "why that is not known: no-repository, no-commit, not-installed, other-owner, timeout, unreadable",
        mixable=True,
    ),
    Key("trainer.commit", str, "", "commit of the folder a custom trainer was started in", reported=True),
    Key("trainer.dirty", bool, "", "whether that folder had changes that are not committed", reported=True),
    Key("trainer.git_problem", str, "", "why that is not known, as git.problem", mixable=True, reported=True),
    Key("lock.name", str, "", "lock file that the environment was installed from"),
    Key("lock.sha256", str, "", "its sha256"),
    Key("python.version", str, "", "version of Python"),
    Key("package.*", str, "", "version of an installed package"),
    Key("os.name", str, "", "distribution and its release"),
    Key("kernel.release", str, "", "release of the Linux kernel"),
    Key("cpu.model", str, "", "model name of the CPU"),
    Key("cpu.family", int, "", "its family, which distinguishes generations of one name, such as two of `AMD EPYC`"),
    Key("cpu.model_number", int, "", "its model within the family"),
    Key("cpu.stepping", int, "", "its revision"),
    Key("cpu.caches", list, "", "caches of the first CPU, such as `L3 32768K`"),
    Key("kernel.clocksource", str, "", "what the kernel takes its time from, such as tsc or kvm-clock"),
    Key("container.kind", str, "", "kind of container the harness is in, such as docker or podman; none outside one"),
    Key("container.toolkit", str, "", "version of the NVIDIA container toolkit; none if it is not found"),
    Key("cpu.cores", int, "", "logical CPUs that the harness and the trainer may run on"),
    Key("cpu.online", int, "", "logical CPUs of the machine"),
    Key("cpu.flags_of_interest", list, "", "instruction sets of the CPU that decide which kernels run"),
    Key("cpu.governor", str, "", "frequency governor; none where the machine does not show it, as in most clouds"),
    Key("cpu.driver", str, "", "driver that sets the frequency, such as intel_pstate; none as for the governor"),
    Key("cpu.turbo", bool, "", "whether the CPUs may go above their base frequency; none as for the governor"),
    Key("cpu.smt", bool, "", "whether two logical CPUs share a core"),
    Key("cpu.sockets", int, "", "CPU packages"),
    Key("cpu.numa_nodes", int, "", "regions of memory, each near to some of the CPUs"),
    Key("cpu.max_mhz", float, "MHz", "highest frequency that the driver allows a CPU"),
    Key("cpu.hypervisor", bool, "", "whether the CPU reports a virtual machine"),
    Key("memory.total_bytes", int, "bytes", "memory of the machine; moves a little at each boot", mixable=True),
    Key("memory.swap_total_bytes", int, "bytes", "swap space of the machine", mixable=True),
    Key("cgroup.cpu_cores", float, "cores", "CPUs that the container may use; none without a limit"),
    Key("cgroup.memory_bytes", int, "bytes", "memory that the container may use; none without a limit"),
    Key("gpu.count", int, "", "GPUs that the driver shows and that answer, used or not", mixable=True),
    Key("gpu.lost", int, "", "GPUs that the driver counts and that do not answer", mixable=True),
    Key("gpu.why_none", str, "", "why the driver shows no GPU", mixable=True),
    Key("gpu.name", str, "", "the GPU of this run"),
    Key("gpu.uuid_hash", str, "", "the first 16 digits of the sha256 of its UUID"),
    Key("gpu.memory_bytes", int, "bytes", "its whole memory"),
    Key("gpu.compute_capability", str, "", "its compute capability, such as 7.0"),
    Key("gpu.driver_version", str, "", "version of the NVIDIA driver"),
    Key("gpu.cuda_driver_version", str, "", "newest CUDA version that the driver supports"),
    Key("gpu.vbios", str, "", "version of the card's firmware"),
    Key("gpu.ecc", bool, "", "whether its memory corrects errors, which costs bandwidth on some cards"),
    Key("gpu.pending_ecc", bool, "", "whether it will after a restart", mixable=True),
    Key("gpu.power_limit_watts", float, "watts", "power limit in force"),
    Key("gpu.default_power_limit_watts", float, "watts", "default power limit", mixable=True),
    Key("gpu.persistence", bool, "", "whether the driver stays loaded between runs; changes their start", mixable=True),
    Key("gpu.mig", bool, "", "whether MIG is on; none if not supported"),
    Key("gpu.virtualisation", str, "", "how a virtual machine has it: none, passthrough, vgpu"),
    Key("gpu.compute_mode", str, "", "who may compute on it: default, exclusive process, prohibited"),
    Key("gpu.pcie_generation", int, "", "generation of its link now, which falls while it is idle", mixable=True),
    Key("gpu.max_pcie_generation", int, "", "the most that card and slot can do"),
    Key("gpu.pcie_lanes", int, "lanes", "lanes of its link in use"),
    Key("gpu.max_pcie_lanes", int, "lanes", "the most that card and slot can do"),
    Key("gpu.max_sm_clock_mhz", int, "MHz", "highest clock of the multiprocessors"),
    Key("gpu.max_memory_clock_mhz", int, "MHz", "highest clock of the memory"),
    Key("gpu.application_sm_clock_mhz", int, "MHz", "application clock of the multiprocessors"),
    Key("gpu.application_memory_clock_mhz", int, "MHz", "application clock of the memory"),
    Key("gpu.default_application_sm_clock_mhz", int, "MHz", "default of the SM application clock", mixable=True),
    Key(
        "gpu.not_given",
        list,
        "",
        "facts of the GPU that the driver should have given and did not, each with why",
        mixable=True,
    ),
    Key("cache.cuda_kernels", str, "", "driver's cache of kernels compiled on this machine: cold, warm"),
    Key("env.*", str, "", "environment variable that TensorFlow or a library under it reads, by allow-list"),
    Key("build.*", str, "", "build information, as the framework reports it", reported=True),
    Key("xla.on", bool, "", "whether functions are compiled by XLA", reported=True),
    Key("xla.flags", str, "", "options of XLA, paths cut to their last part", reported=True),
    Key("xla.autotune_level", str, "", "how hard XLA looks for the fastest kernels; none without a GPU", reported=True),
    Key("cache.xla", str, "", "XLA's cache of compiled programs: none, cold, warm", reported=True),
    Key("cache.kernels", str, "", "CUDA's cache of kernels: none, cold, warm, off", reported=True),
    Key("dataset.sha256", str, "", "sha256 of the dataset's labels and pixels", reported=True),
    Key("dataset.state", str, "", "canonical, unverified or synthetic", reported=True),
)
#: The packages whose versions are recorded; those that a result can depend on, the harness's own mixable.
PACKAGES = {
    "tensorflow": False,
    "tensorflow-cpu": False,
    "keras": False,
    "numpy": False,
    "ml-dtypes": False,
    "nvidia-cublas-cu12": False,
    "nvidia-cudnn-cu12": False,
    "pandas": True,
    "scipy": True,
    "nvidia-ml-py": True,
}
#: A path from the root or from a home, at the beginning of a word.
_PATH = re.compile(r"(?:^|[\s=:,;'\"(])(?:/\S|~[\w/])")
_BY_NAME = {key.name: key for key in KEYS}


def find(name: str) -> Key | None:
    """Return the key of ``name``, its own or its family's, or None."""
    return _BY_NAME.get(name) or _BY_NAME.get(f"{name.partition('.')[0]}.*")


def may_be_mixed(name: str) -> bool:
    """Whether runs that differ in ``name`` may stand in one table; a name that the registry has not may not differ."""
    family, _, member = name.partition(".")
    if family == "package":
        return PACKAGES.get(member, False)
    key = find(name)
    return key is not None and key.mixable


def check(fingerprint: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a fingerprint, a sentence each: a key unknown, missing, of a wrong type, or telling a path."""
    needed = (key.name for key in KEYS if not key.is_family and not key.reported)
    wrong = [f"`{name}` is missing" for name in needed if name not in fingerprint]
    for name, value in fingerprint.items():
        key = find(name)
        if key is None:
            wrong.append(f"`{name}` is not a key of the registry")
        elif value is not None and not _is(value, key.type):
            wrong.append(f"`{name}` must be {key.type.__name__}, not {value!r}")
        elif any(_PATH.search(text) for text in (value if isinstance(value, list) else [value]) if _is(text, str)):
            wrong.append(f"`{name}` has a path of the machine")
    return tuple(wrong)


def conflicts(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys, sorted, in which two fingerprints differ and may not where their runs are to stand in one table.

    A value that is known on one side only is a difference: nothing shows that the two are alike.
    """
    names = sorted(one.keys() | other.keys())
    return tuple(name for name in names if one.get(name) != other.get(name) and not may_be_mixed(name))


def _is(value: object, expected: type) -> bool:
    if expected is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if expected is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, expected)


def page() -> str:
    """Return the page ``docs/reference/fingerprint.md``."""
    rows = "".join(f"| `{key.name}` | {key.unit} | {_mixing(key)} | {key.meaning} |\n" for key in KEYS)
    return f"{_PAGE}\n| key | unit | may differ in one table | meaning |\n|---|---|---|---|\n{rows}"


def _mixing(key: Key) -> str:
    if key.name == "package.*":
        return f"{', '.join(sorted(name for name in PACKAGES if PACKAGES[name]))}: yes; others: no"
    return "yes" if key.mixable else "no"


_PAGE = """# The fingerprint of a run

Every record describes under `fingerprint` the machine and the software of its run, in these keys. A key without a value
is unknown, or this machine does not have it; such a value is never 0 or an empty text. Runs that differ in a key whose
third column says no must not stand in one table.

It contains no host name, user, address, home folder or absolute path: a value with one of these is `(withheld)`, a path
in a variable becomes its last part, and a GPU's UUID becomes a hash. The same redaction applies to everything that a
record keeps of a trainer's messages, where `(withheld)` replaces only the word. A name that many machines or accounts
share, such as `ubuntu` or `h200`, identifies nobody and stays. Redaction does not recognise the name of another person
in a sentence, nor a secret.

`trainer.log` is not part of a record: it is the program's output, unchanged. Leave it out of what you publish, or read
it first.

This page is generated from `bench/record/fingerprint_keys.py`; a test compares the two. After a change, type
`python -c "from bench.record.fingerprint_keys import page; print(page(), end='')" > docs/reference/fingerprint.md`.
"""
