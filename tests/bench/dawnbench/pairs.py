"""DAWNBench pairs made to measure: a good one, and the places where it is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STEM = "ada_resnet9_1v100-ec2_tensorflow"
BODY: dict[str, Any] = {
    "version": "v1.0",
    "author": "Ada Lovelace",
    "authorEmail": "ada@example.org",
    "framework": "TensorFlow 2.17.0",
    "codeURL": "https://example.org/code/tree/0123456789abcdef",
    "model": "ResNet9",
    "hardware": "1 V100 / 61 GB / 8 CPU (AWS p3.2xlarge)",
    "costPerHour": 3.06,
    "timestamp": "2020-01-05",
    "misc": {"optimizer": "SGD with Nesterov momentum"},
}
HEADER = "epoch\thours\ttop1Accuracy"
ROWS = (
    ("1", "0.00152249", "34.69"),
    ("2", "0.01974039", "93.35"),
    ("3", "0.02056706", "94.08"),
    ("4", "0.02138000", "93.90"),
)


def body(**changes: object) -> bytes:
    """The JSON with fields changed; a field that is to be absent is given as ``...``."""
    return json.dumps({name: value for name, value in {**BODY, **changes}.items() if value is not ...}).encode()


def table(*rows: tuple[str, ...], header: str = HEADER, separator: str = "\t", line_end: str = "\n") -> bytes:
    lines = [header, *(separator.join(row) for row in rows or ROWS)]
    return "".join(line + line_end for line in lines).encode()


def column(name: str, *values: str) -> bytes:
    """The table with the values of one column, as many rows as values; the other columns are good."""
    index = HEADER.split("\t").index(name)
    rows = []
    for number, value in enumerate(values, start=1):
        row = [str(number), f"0.{number:08}", "94.00"]
        row[index] = value
        rows.append(tuple(row))
    return table(*rows)


def put(folder: Path, json_bytes: bytes | None = None, tsv_bytes: bytes | None = None, stem: str = STEM) -> Path:
    """Write a pair, good where nothing is given, and return the path of its JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.json"
    path.write_bytes(body() if json_bytes is None else json_bytes)
    path.with_suffix(".tsv").write_bytes(table() if tsv_bytes is None else tsv_bytes)
    return path
