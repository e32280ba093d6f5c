"""Small sources of an archive on 127.0.0.1, each with a script of what it answers, and downloads from them."""

from __future__ import annotations

import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resnet9.data.fetch import Patience, fetch
from resnet9.data.official import Archive
from resnet9.errors import TrainerError

CONTENT = os.urandom(300_000)
ARCHIVE = Archive("small.tar.gz", "binary", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
#: Never a real pause, and nothing so small that an interruption is not worth going on after.
PATIENCE = Patience(silence_seconds=20.0, useful_bytes=1000, pause_seconds=0.0)


class Source(ThreadingHTTPServer):
    """A real source on 127.0.0.1 that answers one request after the other as its script says; the last line repeats."""

    daemon_threads = True
    # A stalled answer must not hold up the end of a test.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.script: list[Callable[[Answer], None]] = [whole]
        self.ranges: list[str | None] = []
        self.over = threading.Event()

    @property
    def home(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self) -> None:
        source = self.server
        source.ranges.append(self.headers["Range"])
        source.script[min(len(source.ranges), len(source.script)) - 1](self)

    def log_message(self, *_: object) -> None: ...

    def send(self, status: int, body: bytes, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    @property
    def begin(self) -> int:
        """Where the range asked for begins."""
        return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def whole(answer: Answer) -> None:
    """What a good source does."""
    rest = CONTENT[answer.begin :]
    if answer.begin:
        place = f"bytes {answer.begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        answer.send(206, rest, Content_Length=len(rest), Content_Range=place)
    else:
        answer.send(200, rest, Content_Length=len(rest))


def cut(count: int) -> Callable[[Answer], None]:
    """Promises everything and closes after ``count`` bytes."""

    def play(answer: Answer) -> None:
        rest = CONTENT[answer.begin :]
        place = f"bytes {answer.begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
        headers = {"Content_Range": place} if answer.begin else {}
        answer.send(206 if answer.begin else 200, rest[:count], Content_Length=len(rest), **headers)

    return play


def stall(answer: Answer) -> None:
    """Sends a part, then nothing, for as long as the test lasts."""
    answer.send(200, CONTENT[:5000], Content_Length=len(CONTENT))
    answer.wfile.flush()
    answer.server.over.wait()


def knows_no_ranges(answer: Answer) -> None:
    answer.send(200, CONTENT, Content_Length=len(CONTENT))


def other_bytes(answer: Answer) -> None:
    rest = bytes(len(CONTENT) - answer.begin)
    answer.send(200, rest, Content_Length=len(rest))


def status(code: int, body: bytes = b"") -> Callable[[Answer], None]:
    return lambda answer: answer.send(code, body, Content_Length=len(body))


def range_answer(place: str) -> Callable[[Answer], None]:
    """A partial answer whose Content-Range is ``place``."""
    return lambda answer: answer.send(206, CONTENT[1000:], Content_Range=place)


def hang_up(answer: Answer) -> None:
    """Closes without a word."""
    answer.close_connection = True


def gibberish(answer: Answer) -> None:
    answer.wfile.write(b"220 mail.example ready\r\n")


@contextmanager
def serving() -> Iterator[Source]:
    """A source that answers until the block ends."""
    server = Source()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


#: No proxy of the machine stands between the test and its source.
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def get(folder: Path, source: Source, archive: Archive = ARCHIVE, **options: object) -> Path:
    return fetch(folder, archive, source.home + archive.name, **{"opener": OPEN, "patience": PATIENCE, **options})  # type: ignore[arg-type]


def refusal(kind: type[TrainerError], folder: Path, source: Source, **options: object) -> str:
    """The sentence with which a download ends; nothing may bear the archive's name then."""
    with pytest.raises(kind) as caught:
        get(folder, source, **options)  # type: ignore[arg-type]
    assert not (folder / ARCHIVE.name).exists()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "DATA=/path" in sentence
    return sentence


def part(folder: Path) -> Path:
    return folder / f"{ARCHIVE.name}.part"
