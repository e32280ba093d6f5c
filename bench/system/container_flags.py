"""Parse DOCKER_FLAGS, the user's flags for the container engine. Pure: nothing is started here.

The engine reads them between the harness's own flags and the image, so a word that is neither a flag nor its value
would become the image. A flag may give the container another program, other files, or more rights. A record keeps the
flags, with the values of those that hold no secret.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.errors import UsageError, one_line

WITHHELD = "(withheld)"
#: Short flags of docker and podman.
_SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label",
    "m": "memory", "p": "publish", "P": "publish-all", "q": "quiet", "t": "tty", "u": "user", "v": "volume",
    "w": "workdir",
}  # fmt: skip


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


#: Flags without a value.
_ALONE = _names(
    "detach disable-content-trust env-host help init interactive no-healthcheck no-hostname no-hosts oom-kill-disable",
    "privileged publish-all quiet read-only replace rm rmi rootfs sig-proxy tls-verify tty unsetenv-all",
)
#: Shares of the machine: their effect on a run is measured.
_RESOURCES = _names(
    "blkio-weight blkio-weight-device cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpus",
    "cpu-shares cpuset-cpus cpuset-mems device-read-bps device-read-iops device-write-bps device-write-iops",
    "io-maxbandwidth io-maxiops kernel-memory memory memory-reservation memory-swap memory-swappiness oom-kill-disable",
    "oom-score-adj pids-limit shm-size ulimit",
)
#: What no number depends on.
_HARMLESS = _RESOURCES | _names(
    "annotation domainname health-cmd health-interval health-retries health-start-interval health-start-period",
    "health-timeout hostname init interactive label label-file log-driver log-opt no-healthcheck quiet sig-proxy",
    "stop-signal stop-timeout",
)
#: They give the container another program, other files or another image: what ran is not what the image says.
_REPLACES = _names(
    "arch entrypoint env-file env-host hooks-dir image-volume init-ctr init-path mount os platform pod pull rootfs",
    "secret tmpfs variant volume volumes-from workdir",
)
#: Variables that bring other code into any program.
_REPLACING_VARIABLE = re.compile(r"PATH|PYTHON[A-Z_]{0,40}|LD_[A-Z_]{0,40}|BENCH_[A-Z_]{0,40}")
#: Flags whose values are shown: they hold no secret and identify no user.
_SHOWN = _RESOURCES | _names(
    "arch cap-add cap-drop cgroup-parent cgroupns cgroups entrypoint gpus ipc isolation log-driver net network os pid",
    "platform pull runtime security-opt stop-signal stop-timeout sysctl systemd userns uts variant workdir",
)
#: Flags that take a value and are in no list above.
_OTHERS = _names(
    "add-host attach authfile cidfile device device-cgroup-rule detach-keys dns dns-opt dns-option dns-search env",
    "expose gidmap group-add ip ip6 link link-local-ip mac-address name net-alias network-alias publish restart",
    "storage-opt subgidname subuidname timeout tz uidmap umask user volume-driver",
)
#: Values that are not shown: an address or a login, a file after its option (seccomp=/home/...), a GPU's UUID, or
#: several words, such as a command.
_PRIVATE = re.compile(r"://|@|=/|\s|GPU-|MIG-")
_WITH_VALUE = (_HARMLESS | _REPLACES | _SHOWN | _OTHERS) - _ALONE
#: The harness itself names, waits for, inspects and removes its containers.
_OURS = frozenset({"detach", "help", "name", "replace", "restart", "rm"})
_LONG = re.compile(r"--([a-z0-9][a-z0-9-]*)(?:=(.*))?", re.DOTALL)
#: The last of the harness's own flags in a record, and those that may follow it.
_OWN_MOUNT = re.compile(r"--mount=(checkout|data|recipes|cache|run):r[ow]")
_OWN_GPU = ("--gpus=device=UUID", "--device=nvidia.com/gpu=UUID")


@dataclass(frozen=True)
class Flag:
    """A flag by its long name; ``value`` is None where it stands alone."""

    name: str
    value: str | None = None

    @property
    def shown(self) -> str:
        """Return the redacted flag: a variable without its value, others with a value that cannot be secret.

        Paths of this machine and UUIDs of GPUs are left out, too.
        """
        if self.value is None:
            return f"--{self.name}"
        if self.name == "env":
            name, equals, _ = self.value.partition("=")
            return f"--env={name}={WITHHELD}" if equals else f"--env={name}"
        public = self.name in _SHOWN | _ALONE and not _PRIVATE.search(self.value)
        return f"--{self.name}={self.value if public else WITHHELD}"

    @property
    def replaces(self) -> bool:
        """Return whether the flag may replace the code of the image or the checkout."""
        if self.name == "env":
            return _REPLACING_VARIABLE.fullmatch((self.value or "").partition("=")[0]) is not None
        return self.name in _REPLACES

    @property
    def is_harmless(self) -> bool:
        """Return whether the flag changes at most the container's share of the machine."""
        return self.name in _HARMLESS


def split(typed: str) -> tuple[str, ...]:
    """Return the words of DOCKER_FLAGS. Raises UsageError for a quote that is not closed, and as ``read`` does."""
    try:
        words = tuple(shlex.split(typed))
    except ValueError:
        raise UsageError("DOCKER_FLAGS has a quote that is not closed.") from None
    read(words)
    return words


def read(words: Sequence[str]) -> tuple[Flag, ...]:
    """Return the flags in ``words``.

    Raises UsageError for a word that would become the image, a flag without its value, one that the harness itself
    sets, and an unknown one not written with ``=``.
    """
    found = tuple(_flags(iter(words)))
    for flag in found:
        if flag.name in _OURS:
            raise _refused(f"--{flag.name}, which is the harness's own: it names, waits for and removes its containers")
        if flag.name == "env" and not (flag.value or "").partition("=")[0]:
            raise _refused("a variable without a name", "write --env=NAME=VALUE")
    return found


def _flags(words: Iterator[str]) -> Iterator[Flag]:
    for word in words:
        long = _LONG.fullmatch(word)
        if long is not None:
            yield _long(long[1], long[2], words)
        elif word.startswith("-") and not word.startswith("--") and len(word) > 1:
            yield from _short(word, words)
        else:
            shown = f"{word.partition('=')[0]}=..." if "=" in word else word
            raise _refused(
                f"the word {shown!r}, which is not a flag: the engine would take it for the image",
                "write a flag's value behind =, as in --cpuset-cpus=0-7, and name an image with IMAGE=",
            )


def _long(name: str, value: str | None, words: Iterator[str]) -> Flag:
    if value is not None or name in _ALONE:
        return Flag(name, value)
    if name not in _WITH_VALUE:
        raise _refused(f"--{name}, an unknown flag that may take the next word as its value", f"write --{name}=VALUE")
    return Flag(name, _next(f"--{name}", words))


def _short(word: str, words: Iterator[str]) -> Iterator[Flag]:
    """Return the flags in a word such as ``-it``, ``-m4g`` or ``-e=NAME=VALUE``."""
    for place, letter in enumerate(word[1:], start=2):
        name = _SHORT.get(letter)
        if name is None:
            raise _refused(f"-{letter}, which is not known here", "write the flag's long name")
        if name not in _ALONE:
            rest = word[place:].removeprefix("=")
            yield Flag(name, rest if word[place:] else _next(f"-{letter}", words))
            return
        yield Flag(name)


def _next(flag: str, words: Iterator[str]) -> str:
    value = next(words, None)
    if value is None or re.match("--|-[A-Za-z]", value):
        raise _refused(f"{flag} and no value behind it")
    return value


def _refused(what: str, advice: str = "") -> UsageError:
    return UsageError(one_line(f"DOCKER_FLAGS has {what}" + "." * (not advice)), one_line(advice))


def redacted_flags(words: Sequence[str]) -> tuple[str, ...]:
    """Return the redacted flags, a word each. Raises UsageError as ``read`` does."""
    return tuple(flag.shown for flag in read(words))


def variables(words: Sequence[str]) -> dict[str, str]:
    """Return the variables that the flags set for the trainer, without those copied from the environment."""
    given = (flag.value.partition("=") for flag in read(words) if flag.name == "env" and flag.value is not None)
    return {name: value for name, equals, value in given if equals}


def added(recorded: Iterable[str]) -> tuple[Flag, ...] | None:
    """Return the flags that the user added, from a record's ``run.flags``; None if a word is not a flag."""
    flags = list(recorded)
    own = [place for place, flag in enumerate(flags) if _OWN_MOUNT.fullmatch(flag)]
    words = [flag for flag in flags[max(own, default=-1) + 1 :] if flag not in _OWN_GPU]
    try:
        return tuple(_flags(iter(words)))
    except UsageError:
        return None
