"""A person's own trainer as they typed it: the program it starts, what a record shows of it, and what tells its code.

No shell reads the command: it is split into words as a shell would, and nothing in it is expanded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.errors import UsageError
from bench.system import redaction
from bench.system.env_snapshot import TELLING_NAME, without_uuids
from bench.system.identity import WITHHELD, Identity

_EXAMPLE = "such as 'python train.py --width 64'"
#: What no program gets to see where a shell reads the line, unless it is in quotes.
_ONLY_A_SHELL_KNOWS = re.compile(r"[|&;<>]+")
_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
#: Programs that run another one, whose name says more than theirs.
_INTERPRETER = re.compile(r"(python|pypy|bash|sh|dash|zsh|env|node|deno|julia|perl|ruby|Rscript|lua|uv|java)[\d.]*")
#: An option or a variable with its value in one word, such as `--api-key=...`, `TOKEN=...` or `+login.token=...`.
_WITH_VALUE = re.compile(r"([+~-]*[A-Za-z][\w.-]*)=(.*)", re.DOTALL)
#: A name and its value within a longer word: of a script, a header or JSON.
_WITHIN = re.compile(r"""(?<![\w.-])([\w.-]+)["'\])]*\s*[:=]""")
#: What Python takes behind `-m`. Behind that of another program there may be anything, a folder such as `.` among it.
_MODULE = re.compile(r"\w+(\.\w+)*")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Program:
    """A trainer's command: ``argv`` begins with the absolute path of a program and is started in ``cwd``.

    ``shown`` is the command as a record may tell it, ``name`` what its results are called, ``sha256`` tells it from any
    other: it covers the words as typed, what ``shown`` leaves out among them, the folder, and every file named.
    """

    argv: tuple[str, ...]
    cwd: Path
    shown: tuple[str, ...]
    name: str
    sha256: str

    def changed(self) -> bool:
        """Whether a file of the command is no longer what it was when the command was read."""
        return _sha256(self.argv, self.cwd) != self.sha256


def read(typed: str, cwd: Path, path: str | None, identity: Identity | None = None) -> Program:
    """The program that ``typed`` names, looked up in ``cwd`` where its name has a slash, else on ``path``.

    Raises UsageError with one sentence where there is none.
    """
    words = _words(typed)
    argv = (_found(words[0], cwd, path), *words[1:])
    identity = identity or Identity.of_this_process()
    shown = tuple(_shown(before, word, identity) for before, word in zip(("", *words), words, strict=False))
    name = _name(words, cwd)
    return Program(argv, cwd, shown, name if _shown("", name, identity) == name else "trainer", _sha256(argv, cwd))


def _words(typed: str) -> list[str]:
    try:
        words = shlex.split(typed)
    except ValueError:
        wrong = "a quote that is not closed or a backslash with nothing after it"
        raise UsageError(f"the trainer's command {typed!r} has {wrong}", f"give a command, {_EXAMPLE}") from None
    if not words or not words[0]:
        raise UsageError("the trainer's command is empty", f"give one, {_EXAMPLE}")
    shell = _ONLY_A_SHELL_KNOWS.search(_QUOTED.sub("", typed))
    if shell is not None:
        raise UsageError(
            f"the trainer's command has `{shell[0]}`, which only a shell knows, and none reads it",
            "put the command into a script, or the word into quotes where the program is to get it",
        )
    if any("\0" in word for word in words):
        raise UsageError("the trainer's command has a null character in it, which no program can be given.")
    return words


def _found(word: str, cwd: Path, path: str | None) -> str:
    """The absolute path of the program; links are not followed, as a virtual environment's Python is one."""
    if "/" not in word:
        found = shutil.which(word, path=path)
        if found is not None:
            return os.path.abspath(found)
        raise UsageError(
            f"there is no program `{word}` on PATH, which the trainer's command begins with", _hint(word, cwd)
        )
    place = Path(os.path.abspath(cwd / word))
    if place.is_dir():
        raise UsageError(
            f"the trainer's command begins with {word}, which is a folder", f"begin with a program, {_EXAMPLE}"
        )
    if not place.is_file():
        advice = (
            "write `~` out, as no shell reads it" if word.startswith("~") else f"give the path of a program, {_EXAMPLE}"
        )
        raise UsageError(f"there is no file {word} in {cwd}, which the trainer's command begins with", advice)
    if not os.access(place, os.X_OK):
        raise UsageError(
            f"{word} may not be executed",
            f"type `chmod +x {shlex.quote(word)}`, or begin with what runs it, {_EXAMPLE}",
        )
    return str(place)


def _hint(word: str, cwd: Path) -> str:
    if (cwd / word).is_file():
        return f"for the file here type ./{word}, or begin with what runs it, {_EXAMPLE}"
    if "=" in word:
        return f"for a variable begin with env: 'env {word} python train.py'"
    return f"install it, or give the path of a program, {_EXAMPLE}"


def _shown(before: str, word: str, identity: Identity) -> str:
    """A word behind ``before`` as it may be published: a secret's value, an address and who uses this host withheld, a
    path by its last part, a GPU's UUID by its hash.
    """
    if before.startswith("-") and "=" not in before and _is_telling(before) and not word.startswith("-"):
        return WITHHELD
    with_value = _WITH_VALUE.fullmatch(word)
    if with_value and _is_telling(with_value[1]):
        return f"{redaction.redact(with_value[1], identity)}={WITHHELD}"
    if any(_is_telling(name) for name in _WITHIN.findall(word)):
        return WITHHELD
    return redaction.redact(without_uuids(word), identity)


def _is_telling(name: str) -> bool:
    return TELLING_NAME.search(re.sub(r"\W+", "_", name).strip("_").upper()) is not None


def _name(words: Sequence[str], cwd: Path) -> str:
    """What the results of a command are called: its program, or the script or module that an interpreter runs."""
    first, own = Path(words[0]).stem, None
    if _INTERPRETER.fullmatch(Path(words[0]).name):
        module = next((after for word, after in pairwise(words) if word == "-m" and _MODULE.fullmatch(after)), None)
        own = module or next((Path(word).stem for word in words[1:] if (cwd / word).is_file()), None)
    return own or first


def _sha256(argv: Sequence[str], cwd: Path) -> str:
    """Of the words, the folder and every file that the words name.

    It is recorded. To try a guess at a word against it takes every one of the files, the interpreter's among them.
    """
    digest = hashlib.sha256(json.dumps([*argv, str(cwd)]).encode())
    for path in _files(argv, cwd):
        content = hashlib.sha256()
        try:
            with open(path, "rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    content.update(chunk)
        except OSError as error:
            raise UsageError(
                f"cannot read {path.name}, which the trainer's command names ({error.strerror})",
                "its content is what tells two trainers apart, so make it readable",
            ) from None
        digest.update(content.digest())
    return digest.hexdigest()


def _files(argv: Sequence[str], cwd: Path) -> Iterator[Path]:
    """The files that the words name, also behind ``=``, and the sources of a module that ``-m`` runs."""
    for before, word in zip(("", *argv), argv, strict=False):
        if before == "-m" and _MODULE.fullmatch(word):
            module = cwd / word.replace(".", "/")
            yield from sorted(module.glob("**/*.py"))
            named = [module.with_name(f"{module.name}.py")]
        else:
            named = [cwd / word, cwd / word.partition("=")[2]]
        yield from (path for path in named if _is_file(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a word that is too long for a name
        return False
