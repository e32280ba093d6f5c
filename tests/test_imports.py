"""What import contracts cannot see: an import inside a function, which hides a circle or a slow start."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Heavy or optional libraries, each behind one feature: pictures, Parquet files, the GPU's driver.
ON_DEMAND = {"matplotlib", "pyarrow", "PIL", "pynvml"}
#: Commands import what they need when they run, so that --help is quick.
ROOMS = sorted({path.name for path in (ROOT / "bench").iterdir() if path.is_dir()} - {"cli", "__pycache__"})


def inside_functions(path: Path) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            for each in ast.walk(function):
                if isinstance(each, ast.Import):
                    yield from (name.name for name in each.names)
                elif isinstance(each, ast.ImportFrom):
                    yield from (f"{each.module}.{name.name}" for name in each.names)


@pytest.mark.parametrize("room", ROOMS)
def test_only_optional_libraries_are_imported_inside_functions(room: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "bench" / room).rglob("*.py")
        for name in inside_functions(path)
        if name.split(".")[0] not in ON_DEMAND
    }
    assert found == set()


def test_nothing_stands_outside_the_rooms() -> None:
    modules = {path.stem for path in (ROOT / "bench").glob("*.py")}
    assert modules == {"__init__", "__main__", "errors", "protocol"}
