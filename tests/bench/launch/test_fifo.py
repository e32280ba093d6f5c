from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from bench.launch.fifo import Fifo
from bench.protocol import MAX_LINE_BYTES


def test_opening_waits_for_no_writer_and_closing_leaves_nothing(tmp_path: Path) -> None:
    with closing(Fifo(tmp_path)) as fifo:
        assert stat.S_ISFIFO(os.stat(tmp_path / "events.fifo").st_mode)
        assert fifo.read_lines() == []
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_leaves_is_no_end_of_file(tmp_path: Path) -> None:
    with closing(Fifo(tmp_path)) as fifo:
        (tmp_path / "events.fifo").open("wb").close()
        assert fifo.read_lines() == []
        with (tmp_path / "events.fifo").open("wb") as stream:
            stream.write(b"again\n")
        assert fifo.read_lines() == [b"again"]


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_lines_come_out_as_they_were_written_however_they_were_cut(pieces: list[bytes]) -> None:
    with TemporaryDirectory() as folder, closing(Fifo(Path(folder))) as fifo:
        lines = []
        for piece in pieces:
            with open(fifo.path, "wb", buffering=0) as stream:
                stream.write(piece)
            lines += fifo.read_lines()
        lines += fifo.drain()

    text = b"".join(pieces)
    assert lines == (text.removesuffix(b"\n").split(b"\n") if text else [])


def test_a_line_without_end_is_handed_over_before_it_fills_the_memory(tmp_path: Path) -> None:
    with closing(Fifo(tmp_path)) as fifo, open(fifo.path, "wb", buffering=0) as stream:
        lines: list[bytes] = []
        while not lines:
            stream.write(b"x" * 50_000)
            lines = fifo.read_lines()

    assert MAX_LINE_BYTES < len(lines[0]) < MAX_LINE_BYTES + 100_000


def test_draining_ends_though_somebody_keeps_writing(tmp_path: Path) -> None:
    with closing(Fifo(tmp_path)) as fifo, open(fifo.path, "wb", buffering=0) as stream:
        real, fifo_read = fifo.read_lines, 0

        def fed() -> list[bytes]:
            nonlocal fifo_read
            fifo_read += 1
            stream.write(b"more\n")
            return real()

        fifo.read_lines = fed  # type: ignore[method-assign]
        assert len(fifo.drain()) == fifo_read < 100
