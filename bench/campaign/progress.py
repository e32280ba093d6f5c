"""The progress display of a campaign: a line an epoch and, on a terminal, a status line below them.

The status line uses a carriage return and "erase to the end of the line" (ECMA-48). A redraw costs about 12 us, where a
table library takes 100 us and may leave the terminal without its cursor. It is redrawn at most twice a second.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

from bench import protocol
from bench.errors import one_line
from bench.report.text import accuracy_text

_REDRAW_NS = 500_000_000
_TICK_NS = 1_000_000_000
_ERASE = "\r\x1b[K"
_GREEN, _DIM, _PLAIN = "\x1b[32m", "\x1b[2m", "\x1b[0m"


class RunView:
    """The state of one run from its events; times in ns are CLOCK_MONOTONIC. A warm-up has no ``seed``."""

    def __init__(self, seed: int | None, began_ns: int) -> None:
        self.seed, self.began_ns = seed, began_ns
        self.name = "warm-up" if seed is None else f"seed {seed}"
        self.doing = "starting"
        self.epochs: float | None = None
        self.target_percent: float | None = None
        self.last: protocol.Epoch | None = None
        self.images_per_second: float | None = None
        self._trained_ns = 0
        self._training_since_ns: int | None = None
        self._last_ns = began_ns

    def take(self, event: protocol.Event, received_ns: int) -> None:
        """Update the state from an event."""
        if isinstance(event, protocol.Hello):
            self.epochs, self.target_percent = float(event.recipe["epochs"]), float(event.recipe["target_percent"])
            self.doing = "compiling"
        elif isinstance(event, protocol.Phase):
            self._take_phase(event)
        elif isinstance(event, protocol.Epoch):
            trained_ns = self._trained_ns or received_ns - self._last_ns
            self.images_per_second = event.images / (trained_ns / 1e9) if event.images and trained_ns > 0 else None
            self.last, self._last_ns, self._trained_ns = event, received_ns, 0
        elif isinstance(event, protocol.Done):
            self.doing = "ending"

    def _take_phase(self, phase: protocol.Phase) -> None:
        if phase.name == "train_k":
            self._trained_ns += phase.end_ns - phase.begin_ns
            if self._training_since_ns is None:
                self._training_since_ns = phase.begin_ns
        if phase.name in ("preprocess", *protocol.EPOCH_PHASES):
            self.doing = "training"

    @property
    def reached(self) -> bool:
        """Return whether the last evaluation meets the target."""
        last, target = self.last, self.target_percent
        return last is not None and target is not None and 100 * last.correct >= target * last.total

    def seconds_left(self, now_ns: int) -> float | None:
        """Return an estimate from the mean epoch so far; None before the end of the first epoch."""
        if self.last is None or self.epochs is None or self.last.epoch <= 0:
            return None
        since_ns = self.began_ns if self._training_since_ns is None else self._training_since_ns
        epoch_ns = (self._last_ns - since_ns) / self.last.epoch
        return max(0.0, (self.epochs - self.last.epoch) * epoch_ns - (now_ns - self._last_ns)) / 1e9

    def line(self) -> str:
        """Return the last evaluation as a line of a table; empty before there is one."""
        last = self.last
        if last is None:
            return ""
        epochs = "?" if self.epochs is None else f"{self.epochs:g}"
        speed = "" if self.images_per_second is None else f"{self.images_per_second:>10,.0f} images/s"
        view = "" if last.view == "plain" else f" ({last.view} views)"
        accuracy = f"{accuracy_text(last.correct, last.total):>7}{view}"
        reached = f"{self.name}  epoch {round(last.epoch, 2):>4g}/{epochs}  {accuracy}"
        return f"{reached}  loss {last.loss:.4f}  {speed}".rstrip()


def duration_text(seconds: float) -> str:
    """Return ``0:42``, ``12:03`` or ``1:02:03``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class Progress:
    """Show the progress of a campaign of ``runs`` runs on ``stream``, as an observer of each run.

    ``living`` is for a terminal that can erase a line, ``colour`` for one with colours. A broken stream (a closed pipe)
    ends the display, not the campaign.
    """

    def __init__(self, stream: TextIO, runs: int, *, living: bool, colour: bool) -> None:
        self._stream: TextIO | None = stream
        self._runs, self._living, self._colour = runs, living, colour
        self._finished_ns: list[int] = []
        self._view: RunView | None = None
        self._kept_back: list[str] = []
        self._drawn_ns = 0
        self._dirty = False

    def begin(self, seed: int | None, now_ns: int) -> None:
        """Begin the run of ``seed``, or a warm-up run, which has none and is not counted."""
        self._view = RunView(seed, now_ns)

    def end(self, now_ns: int, line: str) -> None:
        """End the run; ``line`` is its result."""
        assert self._view is not None
        if self._view.seed is not None:
            self._finished_ns.append(now_ns - self._view.began_ns)
        self._view = None
        self.say(line)

    def say(self, line: str) -> None:
        """Print a line that stays; above a status line it waits for the next redraw, so nothing flickers."""
        self._kept_back.append(line)
        if not self._living or self._view is None:
            self._write(self._lines_that_stay())

    def event(self, event: protocol.Event, received_ns: int) -> None:
        """Update the display from an event of the current run."""
        view = self._view
        if view is None:
            return
        view.take(event, received_ns)
        if isinstance(event, protocol.Epoch):
            self.say(self._painted(view.line(), _GREEN if view.reached else ""))
        elif isinstance(event, protocol.Warning):
            self.say(f"{view.name}  warning: {one_line(event.message)}")
        elif isinstance(event, protocol.Hello):
            where = f"{event.device['name']}, {event.precision}, input {event.input}"
            self.say(f"{view.name}  {one_line(f'{event.trainer} on {where}')}")
        self._dirty = True
        if received_ns - self._drawn_ns >= _REDRAW_NS:
            self._draw(received_ns)

    def tick(self, now_ns: int) -> int | None:
        """Redraw the status line if it is due; return when to call again, or None."""
        if not self._living or self._view is None:
            return None
        period_ns = _REDRAW_NS if self._dirty else _TICK_NS
        if now_ns - self._drawn_ns >= period_ns:
            self._draw(now_ns)
        return now_ns + _REDRAW_NS if self._dirty else self._drawn_ns + _TICK_NS

    def _draw(self, now_ns: int) -> None:
        self._drawn_ns, self._dirty = now_ns, False
        if not self._living:
            return
        width = shutil.get_terminal_size().columns - 1
        self._write(self._lines_that_stay() + self._painted(self.living_line(now_ns)[:width], _DIM))

    def _lines_that_stay(self) -> str:
        lines, self._kept_back = self._kept_back, []
        return (_ERASE if self._living else "") + "".join(f"{line}\n" for line in lines)

    def living_line(self, now_ns: int) -> str:
        """Return the status line: what is running, its time, and estimates for the run and the campaign.

        It fits a terminal of 80 columns also for campaigns of hours.
        """
        view = self._view
        assert view is not None
        run = view.name if view.seed is None else f"run {len(self._finished_ns) + 1} of {self._runs}, {view.name}"
        parts = [f"{run}: {view.doing}", f"{duration_text((now_ns - view.began_ns) / 1e9)} so far"]
        # A warm-up ends before its schedule does, so there is no estimate.
        left = None if view.seed is None else view.seconds_left(now_ns)
        if left is not None:
            parts.append(f"{duration_text(left)} more")
            runs_left = self._runs - len(self._finished_ns) - 1
            if runs_left > 0:
                whole_ns = [*self._finished_ns, now_ns - view.began_ns + left * 1e9]
                campaign = left + runs_left * sum(whole_ns) / len(whole_ns) / 1e9
                parts.append(f"campaign {duration_text(campaign)} more")
        return ", ".join(parts)

    def _painted(self, line: str, paint: str) -> str:
        return f"{paint}{line}{_PLAIN}" if self._colour and paint else line

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


def of(stream: TextIO, runs: int, environ: Mapping[str, str] = os.environ) -> Progress:
    """Return the display for ``stream``: a status line on a terminal, plain lines elsewhere; NO_COLOR is honoured."""
    living = stream.isatty() and environ.get("TERM", "") not in ("", "dumb")
    return Progress(stream, runs, living=living, colour=living and not environ.get("NO_COLOR"))
