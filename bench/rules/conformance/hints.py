"""Hints on optional events of the protocol, and what a record lacks without them."""

from __future__ import annotations

from bench.rules.conformance.shape import HINT, Finding, Starts


def hints(starts: Starts) -> tuple[Finding, ...]:
    """Return a hint for each optional event that the first run does not write."""
    start = next((run for run in starts.runs if run.done), None)
    if start is None:
        return ()
    events, record = start.events, start.record
    hello = next(event for event in events if event.get("event") == "hello")
    last = events[-1]
    left_out = (
        ("waits", any(event.get("event") == "waits" for event in events) or record.input == "device",
         "write `waits` where a step may wait for input; without them input stalls cannot be measured"),
        ("emit-ns", last.get("emit_ns") is not None,
         "give `events` and `emit_ns` in `done`, what writing events cost the run"),
        ("build", hello.get("build") is not None,
         "give `build` in `hello`, such as the versions of CUDA and cuDNN the framework was built with"),
        ("model", isinstance(record.recipe.get("model"), str),
         "give `recipe.model` in `hello`, the model's name in a DAWNBench entry"),
        ("schedule", record.finished_schedule,
         "train `recipe.epochs` to the end, reached or not, so that the time of the whole schedule is known"),
    )  # fmt: skip
    return tuple(Finding(name, "optional", HINT, advice, "") for name, there, advice in left_out if not there)
