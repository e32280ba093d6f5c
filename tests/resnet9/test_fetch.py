from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from resnet9.errors import DataError, EnvironmentProblem, TrainerError
from resnet9.fetch import Patience, fetch
from resnet9.official import Archive

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


@pytest.fixture
def source() -> Iterator[Source]:
    server = Source()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


#: No proxy of the machine stands between the test and its source.
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def get(folder: Path, source: Source, archive: Archive = ARCHIVE, **options: object) -> Path:
    return fetch(folder, archive, source.home, **{"opener": OPEN, "patience": PATIENCE, **options})  # type: ignore[arg-type]


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


# What works


def test_the_archive_is_downloaded_and_nothing_else_is_left_but_the_lock(tmp_path, source):
    path = get(tmp_path / "a" / "data", source)
    assert path == tmp_path / "a" / "data" / ARCHIVE.name
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in path.parent.iterdir()} == {ARCHIVE.name, f"{ARCHIVE.name}.lock"}


def test_an_archive_that_is_there_and_verified_is_not_asked_for(tmp_path, source):
    (tmp_path / ARCHIVE.name).write_bytes(CONTENT)
    get(tmp_path, source)
    assert source.ranges == []


@pytest.mark.parametrize("there", [CONTENT[:-1], CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])])
def test_a_damaged_archive_is_replaced(tmp_path, source, there):
    (tmp_path / ARCHIVE.name).write_bytes(there)
    assert get(tmp_path, source).read_bytes() == CONTENT


def test_a_damaged_archive_is_kept_until_there_is_a_better_one(tmp_path, source):
    (tmp_path / ARCHIVE.name).write_bytes(b"old")
    source.script = [status(404)]
    with pytest.raises(DataError):
        get(tmp_path, source)
    assert (tmp_path / ARCHIVE.name).read_bytes() == b"old"


def test_progress_counts_up_to_the_whole(tmp_path, source):
    source.script = [cut(100_000), whole]
    seen: list[tuple[int, int]] = []
    get(tmp_path, source, report=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert {total for _, total in seen} == {len(CONTENT)}
    assert seen[-1][0] == len(CONTENT)


# Interruptions


def test_an_interrupted_download_goes_on_where_it_ended(tmp_path, source):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, source, report=interrupt)
    there = part(tmp_path).stat().st_size
    assert 0 < there < len(CONTENT)
    assert not (tmp_path / ARCHIVE.name).exists()
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None, f"bytes={there}-"]


def test_broken_connections_are_taken_up_again_while_each_brings_something(tmp_path, source):
    source.script = [cut(50_000), cut(70_000), cut(60_000), cut(50_000), cut(2000), whole]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None, *(f"bytes={n}-" for n in (50_000, 120_000, 180_000, 230_000, 232_000))]


def test_a_source_that_breaks_again_and_again_is_given_up_and_what_came_is_kept(tmp_path, source):
    source.script = [cut(150_000), cut(10)]
    sentence = refusal(DataError, tmp_path, source)
    assert "the connection ended after" in sentence
    assert "go on from 50 %" in sentence
    assert part(tmp_path).read_bytes() == CONTENT[:150_030]
    assert len(source.ranges) == 1 + PATIENCE.breaks


@pytest.mark.parametrize("script", [[knows_no_ranges], [status(416), whole]])
@pytest.mark.parametrize("there", [CONTENT[:1000], bytes(299_999)])
def test_a_source_that_cannot_resume_is_asked_for_everything(tmp_path, source, script, there):
    part(tmp_path).write_bytes(there)
    source.script = script
    assert get(tmp_path, source).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "place",
    ["", "bytes", "bytes 0-299999/300000", "bytes 1000-299998/300000", "bytes 1000-299999/300001", "bytes */300000"],
)
def test_a_wrong_range_is_not_believed_and_everything_is_asked_for(tmp_path, source, place):
    part(tmp_path).write_bytes(CONTENT[:1000])
    source.script = [range_answer(place), whole]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == ["bytes=1000-", None]


def test_a_range_of_unknown_length_will_do(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT[:1000])
    source.script = [range_answer("bytes 1000-299999/*")]
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == ["bytes=1000-"]


@pytest.mark.parametrize("answer", [range_answer("bytes 0-299999/300000"), status(416)])
def test_a_source_that_gives_ranges_nobody_asked_for_is_given_up(tmp_path, source, answer):
    source.script = [answer]
    refusal(DataError, tmp_path, source)
    assert len(source.ranges) == 2


def test_a_part_longer_than_the_archive_is_thrown_away(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT + b"x")
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == [None]


def test_a_part_that_is_whole_needs_no_source(tmp_path, source):
    part(tmp_path).write_bytes(CONTENT)
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges == []


# Wrong bytes


@pytest.mark.parametrize("there", [bytes(1000), bytes(300_000)])
def test_a_corrupt_part_costs_one_clean_retry(tmp_path, source, there):
    part(tmp_path).write_bytes(there)
    assert get(tmp_path, source).read_bytes() == CONTENT
    assert source.ranges[-1] is None


def test_wrong_bytes_twice_end_the_download_and_are_not_kept(tmp_path, source):
    source.script = [other_bytes]
    assert "wrong sha256" in refusal(DataError, tmp_path, source)
    assert source.ranges == [None, None]
    assert not part(tmp_path).exists()


@pytest.mark.parametrize("count", [0, 299_999, 300_001])
def test_a_file_of_another_length_is_refused_before_it_is_read(tmp_path, source, count):
    source.script = [status(200, bytes(count))]
    assert f"it offers {count} bytes, the official archive has 300,000" in refusal(DataError, tmp_path, source)
    assert not part(tmp_path).exists()


def test_more_bytes_than_the_archive_has_are_not_written(tmp_path, source):
    source.script = [lambda answer: answer.send(200, CONTENT + b"x")]
    assert "more than the 300,000 bytes" in refusal(DataError, tmp_path, source)
    assert part(tmp_path).stat().st_size == 0


# Sources that are down, gone or slow


@pytest.mark.parametrize("code", [403, 404, 500, 503])
def test_an_error_of_the_source_is_told_with_its_number(tmp_path, source, code):
    source.script = [status(code)]
    assert f"Cannot download {source.home}{ARCHIVE.name}: it answered {code} " in refusal(DataError, tmp_path, source)
    assert len(source.ranges) == 1


def test_an_answer_that_is_no_file_is_refused(tmp_path, source):
    source.script = [status(204)]
    assert "it answered 204" in refusal(DataError, tmp_path, source)


@pytest.mark.parametrize("play", [hang_up, gibberish])
def test_a_source_that_speaks_no_http_is_given_up(tmp_path, source, play):
    source.script = [play]
    assert "type `make data` to try again" in refusal(DataError, tmp_path, source)
    assert len(source.ranges) == PATIENCE.breaks


def test_a_source_that_is_down_is_told_in_a_sentence(tmp_path, source):
    source.shutdown()
    source.server_close()
    assert "refused" in refusal(DataError, tmp_path, source)


def test_a_name_nobody_knows_is_told_in_a_sentence(tmp_path, source):
    def opener(request: object, timeout: float) -> None:
        raise urllib.error.URLError(OSError(errno.ENOENT, "Name or service not known"))

    assert "Name or service not known" in refusal(DataError, tmp_path, source, opener=opener)


def test_a_source_that_falls_silent_is_given_up_and_what_came_is_kept(tmp_path, source):
    source.script = [stall]
    patience = replace(PATIENCE, silence_seconds=0.05, breaks=1, useful_bytes=10_000)
    assert "timed out" in refusal(DataError, tmp_path, source, patience=patience)
    assert part(tmp_path).read_bytes() == CONTENT[:5000]


class Drip:
    """An opener and a clock in one: each part of the archive takes the seconds it is said to take."""

    status = 200

    def __init__(self, *parts: tuple[int, float]) -> None:
        self.parts = iter(parts)
        self.seconds = self.place = 0.0
        self.headers: dict[str, str] = {}

    def __call__(self, request: object, timeout: float) -> Drip:
        return self

    def __enter__(self) -> Drip:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read1(self, most: int) -> bytes:
        count, seconds = next(self.parts, (0, 0.0))
        begin, self.place = int(self.place), self.place + count
        self.seconds += seconds
        return CONTENT[begin : begin + count]

    def clock(self) -> float:
        return self.seconds


#: At least 1 kB/s over every 30 s.
SLOW = replace(PATIENCE, window_seconds=30.0, least_bytes_per_second=1000.0)


def test_a_slow_source_is_given_up_with_its_rate_and_what_came_is_kept(tmp_path, source):
    drip = Drip((14_000, 15.0), (15_000, 15.0))
    sentence = refusal(DataError, tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW)
    assert "it is slow: 1.0 kB/s over 30 s" in sentence
    assert part(tmp_path).read_bytes() == CONTENT[:29_000]


def test_a_source_that_becomes_slow_is_given_up_although_it_was_fast(tmp_path, source):
    drip = Drip((200_000, 30.0), (10_000, 29.0), (10_000, 1.0))
    sentence = refusal(DataError, tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW)
    assert "it is slow: 0.7 kB/s over 30 s" in sentence


def test_a_source_just_fast_enough_is_not_given_up(tmp_path, source):
    drip = Drip(*[(30_000, 30.0)] * 10)
    assert get(tmp_path, source, opener=drip, clock=drip.clock, patience=SLOW).read_bytes() == CONTENT


# The folder


def test_the_folder_is_locked_while_a_download_is_under_way(tmp_path, source):
    locked: list[bool] = []

    def try_lock(answer: Answer) -> None:
        with open(tmp_path / f"{ARCHIVE.name}.lock", "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                locked.append(True)
            else:
                locked.append(False)
        whole(answer)

    source.script = [try_lock]
    get(tmp_path, source)
    assert locked == [True]


def test_downloads_at_once_share_one_download(tmp_path, source):
    start = threading.Barrier(4)
    found: list[bytes] = []

    def one() -> None:
        start.wait()
        found.append(get(tmp_path, source).read_bytes())

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 4
    assert source.ranges == [None]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_up_is_told_in_a_sentence(tmp_path, source):
    part(tmp_path).symlink_to("/dev/full")
    sentence = refusal(EnvironmentProblem, tmp_path, source)
    assert f"The disk of {tmp_path} has no room for the 300,000 bytes" in sentence


def test_a_disk_with_too_little_room_is_told_before_the_first_byte(tmp_path, source):
    huge = replace(ARCHIVE, size_bytes=1 << 60)
    source.script = [lambda answer: answer.send(200, CONTENT)]
    assert "has no room" in refusal(EnvironmentProblem, tmp_path, source, archive=huge)
    assert not part(tmp_path).exists()


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path, source):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        EnvironmentProblem, match=r"Cannot write small.tar.gz into .*Not a directory.*DATA=/path"
    ) as caught:
        get(tmp_path / "file" / "data", source)
    assert caught.value.exit_code == 4
