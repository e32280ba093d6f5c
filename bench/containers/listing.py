"""The pinned images as text."""

from __future__ import annotations

from collections.abc import Iterator

from bench.containers.catalog import Image, Images

_HEADINGS = ("image", "TensorFlow", "CUDA", "driver from", "digest", "code for GPUs of")


def listing(table: Images) -> Iterator[str]:
    """Return a line for each image, followed by what is expected and what was verified."""
    rows = [_HEADINGS, *(_row(each) for each in table.image)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for index, row in enumerate(rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield "  ".join((*cells, row[-1])).rstrip()
        if index:
            yield from (f"{'':{widths[0]}}  {note}" for note in _notes(table.image[index - 1]))
    yield ""
    yield "`make bench IMAGE=NAME` runs in one of them; without IMAGE the first that fits GPU and driver is taken."


def _row(image: Image) -> tuple[str, ...]:
    digest = "built here" if image.is_built else f"{image.digest[7:19]}..." if image.digest else "none yet"
    gpus = ", ".join(image.capabilities) or ("none, for CPUs" if image.is_built else "not known")
    return (image.name, image.tensorflow, image.cuda or "-", image.floor_driver or "-", digest, gpus)


def _notes(image: Image) -> Iterator[str]:
    if image.candidate:
        yield "a candidate: taken only where it was accepted"
    if image.expected:
        yield f"expected, and not seen in it: {', '.join(image.expected)}"
    if image.broken:
        yield f"known to fail on {', '.join(image.broken)}"
    for each in image.acceptance:
        where = f"on {each.device}{f' ({each.capability})' if each.capability else ''}, driver {each.driver or '-'}"
        how = "accepted" if each.passed else f"not accepted ({'; '.join(each.failed)})"
        yield f"{how} {where}, {each.date}"
