"""``python -m resnet9``: train a recipe, list recipes, fetch the data, draw the net and its augmented images."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from bench.protocol import SEED_VARIABLE, TARGET_VARIABLE
from resnet9 import streams
from resnet9.errors import DataError, EnvironmentProblem, RecipeError, TrainerError
from resnet9.recipe import load, load_all

#: What is trained and drawn where no recipe is named; the harness's own default on a GPU (bench.campaign.plan.FULL).
DEFAULT = "resnet9"
#: Next to the download: the content hash of the copy that was verified last.
HASH_FILE = "canonical.sha256"
#: What printing ends with: a full disk, a terminal that is gone, a file opened to be read.
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
LARGEST_SEED = 2**31 - 2
#: The network this project is named after.
DRAWN = "page24"


def _words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every option, choice and command a parser and its commands know."""
    for action in parser._actions:
        yield from action.option_strings
        yield from (str(choice) for choice in action.choices or ())
        for command in action.choices.values() if isinstance(action.choices, dict) else ():
            yield from _words(command)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence with the nearest right word."""

    def error(self, message: str) -> NoReturn:
        words = list(_words(self))
        wrong = message.rsplit(": ", 1)[-1].split()[0].strip("'") if ": " in message else ""
        close = difflib.get_close_matches(wrong.split("=")[0], words, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else f"; see {self.prog} --help"
        print(f"resnet9: {message}{hint}", file=sys.stderr)
        sys.exit(2)


def _whole(text: str) -> int:
    """A whole number from 0, in digits alone."""
    if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0, such as 4")
    return int(text)


def _percent(text: str) -> float:
    """A number above 0 and at most 100."""
    if not re.fullmatch(r"\d{1,18}(\.\d*)?|\.\d+", text.strip(), re.ASCII) or not 0 < float(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and at most 100, such as 94.5")
    return float(text)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m resnet9", description="ResNet9 on CIFAR-10 in TensorFlow.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    train = commands.add_parser("train", help="train a recipe and print its epoch table", allow_abbrev=False)
    train.add_argument("--recipe", default=DEFAULT, help="name of the recipe (default %(default)s)")
    train.add_argument(
        "--data", help="`synthetic`, or where CIFAR-10 is: an archive or a folder (default: the recipe's own)"
    )
    train.add_argument(
        "--input",
        choices=("auto", "host", "device", "memory"),
        default="auto",
        help="tf.data on CPU cores, or resident on the device; memory: the control for the first",
    )
    train.add_argument(
        "--precision",
        choices=("auto", "bf16", "fp16", "fp32"),
        default="auto",
        help="compute precision; weights are float32",
    )
    train.add_argument("--device", default="auto", help="auto, cpu, gpu, or the UUID of a GPU")
    train.add_argument("--seed", type=_whole, help=f"seed of the run (default ${SEED_VARIABLE}, else 0)")
    train.add_argument(
        "--threads", type=_whole, default=0, help="CPU threads (default: every core this process may use)"
    )
    train.add_argument(
        "--views",
        choices=("last", "every"),
        default="last",
        help="judge with the recipe's views after the last epoch (default) or after every one",
    )
    train.add_argument(
        "--runs",
        type=_whole,
        default=1,
        help="runs in this one process, from the seed upwards: statistics of the accuracy, no times to publish",
    )
    listed = commands.add_parser("recipes", help="list the recipes", allow_abbrev=False)
    show = commands.add_parser("show", help="print a resolved recipe, its layers and its figures", allow_abbrev=False)
    show.add_argument("name", help="of a recipe, or FILE.json:TABLE")
    for parser_of in (listed, show):
        parser_of.add_argument("--json", action="store_true", help="for programs to read")
    data = commands.add_parser(
        "data", help="download CIFAR-10 into data/ and verify it, or check a copy", allow_abbrev=False
    )
    data.add_argument(
        "data",
        nargs="?",
        default=os.environ.get("DATA") or None,
        help="the copy to check, or an https:// address of an official archive to download (default $DATA)",
    )
    net = commands.add_parser("net", help="draw the architecture", allow_abbrev=False)
    net.add_argument("file", help="an SVG or PNG to write")
    net.add_argument("--recipe", default=DRAWN)
    augmented = commands.add_parser("augmented", help="draw augmented samples", allow_abbrev=False)
    augmented.add_argument("file", help="a PNG or SVG to write")
    augmented.add_argument("--recipe", default=DRAWN)
    augmented.add_argument("--data", default=os.environ.get("DATA") or None, help="as for train (default $DATA)")
    return parser


def _environment_number(name: str, read: Callable[[str], float]) -> float | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        return read(text)
    except argparse.ArgumentTypeError as error:
        raise RecipeError(f"{name}={error}", f"unset {name} or write it so, with a point and no sign") from None


def _train(options: argparse.Namespace) -> int:
    # The default action ends the process at once; Python's own would wait for a compiled epoch to return.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # else TensorFlow's start-up notes bury the epoch table
    from resnet9.training.run import Request, run

    seed = options.seed if options.seed is not None else _environment_number(SEED_VARIABLE, _whole)
    if int(seed or 0) + options.runs > LARGEST_SEED:
        raise RecipeError(
            f"seed {seed} is over {LARGEST_SEED - 1}", "random numbers are keyed by 31 bits; take a smaller one"
        )
    return run(
        Request(
            recipe=load(options.recipe),
            seed=int(seed or 0),
            data=options.data,
            input=options.input,
            precision=options.precision,
            device=options.device,
            threads=options.threads,
            target_percent=_environment_number(TARGET_VARIABLE, _percent),
            views=options.views,
            runs=max(1, options.runs),
        )
    )


def _recipes(as_json: bool) -> int:
    from resnet9.recipe import listing

    found = load_all().values()
    print(json.dumps([listing.record(each) for each in found], indent=1) if as_json else listing.recipes(found))
    return 0


def _show(name: str, as_json: bool) -> int:
    from resnet9.recipe import listing

    recipe = load(name)
    print(json.dumps(listing.record(recipe, whole=True), indent=1) if as_json else listing.show(recipe))
    return 0


def _data(named: str | None) -> int:
    from resnet9.data import archive, cifar10, dataset, fetch, sources
    from resnet9.data.official import BINARY, Archive

    folder = dataset.DEFAULT_FOLDER
    if named is None:
        try:
            found = cifar10.find(folder).path
        except DataError:
            found = None
        # What was downloaded is downloaded again if its checksum is wrong; what somebody put there is only checked.
        if found in (None, folder / BINARY.name):
            fetch.fetch(folder, report=fetch.progress())
    elif sources.is_address(named):
        named = str(sources.download(named, folder))
    source = sources.find(named) if named != dataset.SYNTHETIC else None
    if source is not None and isinstance(source.form, Archive):
        # Not from the unpacked copy next to it, which a run may read: this command verifies bytes.
        with open(source.path, "rb") as file:
            archive.verify(file, source.path, source.form)
    data = sources.load(named)
    print(f"{named or folder}: {data}")
    if data.state == "canonical":
        _keep_hash(folder / HASH_FILE, data.sha256)
    return 0


def _keep_hash(path: Path, sha256: str) -> None:
    """Keep the content hash of verified data, for a maintainer to pin; nothing reads it."""
    note = f"# Content hash of a verified copy; maintainers set CANONICAL_SHA256 of resnet9.data.official.\n{sha256}\n"
    with contextlib.suppress(OSError):  # a disk that is full or read-only spoils no check
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(note, encoding="ascii")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code of the contract."""
    streams.complete()
    # `resnet9 show page24 | head` shall end quietly, as other commands do.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± gets a ?, not a traceback
    options = _parser().parse_args(arguments)
    try:
        if options.command == "train":
            return _train(options)
        if options.command == "recipes":
            return _recipes(options.json)
        if options.command == "show":
            return _show(options.name, options.json)
        if options.command == "data":
            return _data(options.data)
        from resnet9 import drawing

        if options.command == "net":
            drawing.net(load(options.recipe), Path(options.file))
        else:
            drawing.augmented(load(options.recipe), options.data, Path(options.file))
        return 0
    except TrainerError as error:
        _say(error)
        return error.exit_code


def _printed() -> int:
    """``main``, with everything printed; its exit code, or that of a standard output that cannot be written to."""
    try:
        code = main()
        sys.stdout.flush()
        return code
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        _say(
            f"cannot write to standard output ({error.strerror}); send it to a terminal or a file with room, then type "
            "the same command again."
        )
        return EnvironmentProblem.exit_code


def _say(sentence: object) -> None:
    with contextlib.suppress(OSError):  # stderr is gone; the exit code stays.
        print(f"resnet9: {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    code = _printed()
    # Not sys.exit: taking TensorFlow apart costs a second that no phase could account for, and nothing is left to
    # clean up.
    os._exit(code)
