"""The environment variables that can change a run, by allow-list and redacted.

A record is meant to be published. So a variable is taken only by its prefix, a path becomes its last part, a GPU's UUID
its hash, and a value that holds a secret, an address, or the name of this machine, user or home is withheld whole.
A trainer's messages go through ``bench.system.redaction`` instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench.system.env_allowlist import PREFIXES as PREFIXES
from bench.system.hashing import hashed as hashed
from bench.system.identity import WITHHELD as WITHHELD
from bench.system.identity import Identity as Identity

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
#: Terraform shares TensorFlow's prefix, and its variables hold the secrets of whole clouds.
_TERRAFORM = re.compile(
    r"TF_(VAR|CLI|TOKEN|CLOUD|HTTP|LOG|ACC|PLUGIN|REGISTRY|ENCRYPTION|STATE|WORKSPACE$|INPUT$|IN_AUTOMATION$|DATA_DIR$)"
)
#: In the name of a variable or an option: its value is a secret, an address, or an identity.
TELLING_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|KEY|USER|EMAIL|PROXY|URL|ADDR|NODE|HOST(NAME|ID|S)?$|IFNAME|COMM_ID|^TF_CONFIG$"
)
#: In NVIDIA's images ``CUDA_VERSION=12.8.0.38`` has the shape of an address and is none.
VERSION = re.compile(r"v?\d+(\.\d+)*(([+-][a-z]{0,5}|\.?[a-z]{1,5})\d+(\.\d+)*)?")
#: Only whether there is one matters, so what may come before an address is not searched for.
_ADDRESS = re.compile(
    r"""@ | ://                                             # mail, URL
      | (?<![\d.])\d{1,3}(\.\d{1,3}){3}(?![\d.])            # IPv4
      | :: | ([0-9a-f]{1,4}:){5,7}[0-9a-f]{1,4}  # IPv6, MAC
      | [a-z][\w.-]{0,253}:\d{2,5}(?!\d)                    # host:port
      | [\w-]\.(com|org|net|edu|gov|io|dev|ai|cloud|local|localdomain|internal|lan|home|corp|cluster)(?![\w-])
    """,
    re.IGNORECASE | re.VERBOSE,
)
#: But not what was made of one before: 16 digits and no dash among them.
_GPU_UUID = re.compile(r"\b(GPU|MIG)-(?![0-9a-f]{16}(?![\w-]))[0-9a-f][0-9a-z-]*", re.IGNORECASE)
_HOME_OF_SOMEBODY = re.compile(r"~[\w.-]*")
_WORD = r"[^\s=,:;\"'`|&<>()\[\]{}]"
_PATH = re.compile(rf"(?<!{_WORD}){_WORD}*/{_WORD}*")
_LONGEST = 500


def without_uuids(text: str) -> str:
    """Return the text with the UUID of each GPU or MIG slice hashed: ``GPU-`` and 16 hexadecimal digits."""
    return _GPU_UUID.sub(lambda match: f"{match[1].upper()}-{hashed(match[0])}", text)


def recorded(environ: Mapping[str, str], identity: Identity) -> dict[str, str]:
    """Return the variables of PREFIXES by name, their values redacted.

    A variable is left out if its name, after the prefix, contains the identity, is not in capitals, or is Terraform's.
    """
    names = [name for name in sorted(environ) if name.startswith(PREFIXES) and _NAME.fullmatch(name)]
    return {
        name: _value(name, environ[name], identity)
        for name in names
        if not _TERRAFORM.match(name) and not identity.is_told_by(name.partition("_")[2])
    }


def _value(name: str, value: str, identity: Identity) -> str:
    if TELLING_NAME.search(name):
        return WITHHELD
    if name.endswith("_VERSION") and VERSION.fullmatch(value):
        return value
    if _ADDRESS.search(value):
        return WITHHELD
    value = value.encode("utf-8", "replace").decode()
    value = without_uuids(value)
    value = _PATH.sub(lambda match: match[0].rstrip("/").rpartition("/")[2], _HOME_OF_SOMEBODY.sub("~", value))
    if len(value) > _LONGEST:
        value = f"sha256:{hashed(value)}"
    return WITHHELD if identity.is_told_by(value) else value
