"""The names to redact: of this machine, its user, and the home folder."""

from __future__ import annotations

import os
import platform
import pwd
import re
from dataclasses import dataclass, fields
from functools import cached_property

from bench import protocol

#: Replaces a value, or a word of one, that is withheld.
WITHHELD = "(withheld)"

#: Common names that identify no one: withholding them would take "Ubuntu 22.04" and "NVIDIA H200" out of every record
#: made under the user ``ubuntu`` or on the host ``h200``. The built-in trainer's name and an optimiser are among them.
_SHARED_BY_MANY = """
    adam admin administrator air amd ampere app arm author azureuser bench benchmark bf16 bin blackwell box builder
    canonical centos ci cifar cifar10 cloud cluster colab cold conda container content core cuda cudnn daemon data
    debian default desktop dev docker driver ec2 epyc eval false fedora float flow fp16 fp32 gce gcp geforce generic
    gpu gpus grace gtx guest hive hlb12 home hopper host image instance intel jax job jovyan jupyter keras kernel lab
    ladder laptop linux lnx local localdomain localhost login machine main maker master me memory mlperf model muon my
    name network nobody node none nonexistent notebook null numpy nvidia off on opt oracle page pc plain project
    python pytorch quadro redhat resnet resnet9 rocky root rtx run runner runs ryzen sandbox server service shared
    smoke src srv suse synthetic sys system temp tensor tensorflow tesla test tf tf32 threadripper tmp torch
    torchvision tpu train trainer training true ubuntu unknown unverified user username users var version virtual vm
    vscode wall warm windows work worker workspace workstation www xeon xla
"""
#: Models of processors and GPUs, such as a100, h200, l40s, gb200, rtx4090: also names that people give to machines.
_MODEL = re.compile(r"(a|b|gb|gh|h|k|l|m|p|t|v|gtx|rtx|mi)\d{1,4}[a-z]{0,2}")
#: The names of the protocol's own events, fields and phases: a record without them could not be read.
_PROTOCOL = frozenset(
    word
    for name in (
        *protocol.KINDS,
        *protocol.ONCE_PHASES,
        *protocol.EPOCH_PHASES,
        *protocol.VIEWS,
        *protocol.DEVICE_KINDS,
        *(field.name for event in protocol.KINDS.values() for field in fields(event)),
        *("event", "v", "kind", "sha256", "uuid", "state", "flags", "batch", "steps_per_epoch", "autotune_level"),
        *("persistent_cache", "kernel_cache", "target_percent", "cuda_version", "cudnn_version"),
    )
    for word in {name, *name.split("_")}
)
#: A shorter name counts only as a whole word, or a user called ann would take the channels out of every sentence.
_DISTINCT = 5


@dataclass(frozen=True)
class Identity:
    """Names of hosts, users and home folders, lower case, without the common ones."""

    names: frozenset[str]

    @classmethod
    def of(cls, *names: str) -> Identity:
        """Return the identity of these names, including short host names, domains with a dot, and home folders."""
        known = {name.strip().rstrip("/").lower() for name in names}
        known |= {name.rpartition("/")[2] for name in known}
        hosts = [name.partition(".") for name in known if "/" not in name]
        known |= {host for host, _, _ in hosts} | {domain for _, _, domain in hosts if "." in domain}
        return cls(frozenset(name for name in known if name and not _tells_nobody(name)))

    @classmethod
    def of_this_process(cls) -> Identity:
        """Return the host, the user and the home folder of this process, and the user who called sudo."""
        names = [platform.node(), os.path.expanduser("~")]
        names += [os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER", "HOSTNAME")]
        try:
            entry = pwd.getpwuid(os.getuid())
            names += [entry.pw_name, entry.pw_dir]
        except KeyError:
            pass  # a container may run as a number that has no name
        return cls.of(*names)

    def is_told_by(self, text: str) -> bool:
        """Return whether ``text`` contains one of the names, as a word or, from five letters on, at its beginning."""
        return self._words.search(text) is not None

    def withheld_in(self, text: str) -> str:
        """Return the text with WITHHELD in place of each word that is, or begins with, one of the names."""
        return self._words.sub(WITHHELD, text)

    def without_homes(self, text: str) -> str:
        """Return the text with ``~`` in place of each home folder."""
        for home in sorted((name for name in self.names if "/" in name), key=len, reverse=True):
            text = re.sub(rf"{re.escape(home)}(?![\w-])", "~", text, flags=re.IGNORECASE)
        return text

    @cached_property
    def _words(self) -> re.Pattern[str]:
        # The longest first, or a host's first part would be taken out of its full name and leave the domain.
        each = (
            re.escape(name) + (r"[^\W_]*" if len(name) >= _DISTINCT else r"(?![^\W_])")
            for name in sorted(self.names, key=lambda name: (-len(name), name))
        )
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(each)})" if self.names else r"(?!)", re.IGNORECASE)


def _tells_nobody(name: str) -> bool:
    return name in _SHARED_BY_MANY.split() or name in _PROTOCOL or _MODEL.fullmatch(name) is not None
