"""Strict numbers of options and variables."""

from __future__ import annotations

import math
import re
from typing import Any

import click
from click.core import ParameterSource

from bench.errors import UsageError

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Number(click.ParamType[float]):
    """A number from ``low`` to ``high`` of a ``unit``, each included but for a low one that is ``above``.

    ``example`` is one that can be meant, as it is typed; ``whole`` has no fraction; a ``share`` may have a % behind it.
    """

    name = "number"

    def __init__(
        self,
        example: str,
        low: float = -math.inf,
        high: float = math.inf,
        *,
        unit: str = "",
        whole: bool = False,
        above: bool = False,
        share: bool = False,
    ) -> None:
        self._example, self._low, self._high, self._unit = example, low, high, unit
        self._whole, self._above, self._share = whole, above, share

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Return the number, an int if ``whole``. Raises UsageError with an example."""
        if not isinstance(value, str):  # A default.
            return value  # type: ignore[no-any-return]
        typed = value.strip()
        typed = typed.removesuffix("%").rstrip() if self._share else typed
        given, example = (_as_typed(each, parameter, context) for each in (f"{value!r:.80}", self._example))
        if not (_WHOLE if self._whole else _DECIMAL).fullmatch(typed):
            kind = "whole number" if self._whole else "number"
            raise UsageError(f"{given} is not a {kind}", f"{self._how(typed)}, such as {example}")
        number = int(typed) if self._whole else float(typed)
        low_enough = self._low < number if self._above else self._low <= number
        if not (low_enough and number <= self._high and math.isfinite(number)):
            raise UsageError(f"{given} is not {self._range()}", f"type, for example, {example}")
        return number

    def _how(self, typed: str) -> str:
        comma = "," in typed and not self._whole
        if not re.search(r"\d", typed) or self._whole:
            return "write it in digits alone" if self._whole else "write it in digits"
        alone = re.search(r"[^\d.,+\s-]", typed)
        if alone:
            return "write the number alone, with a point" if comma else "write the number alone"
        return "write it with a point" if typed.count(",") == 1 and "." not in typed else "write it without separators"

    def _range(self) -> str:
        unit = f" {self._unit}" if self._unit else ""
        if self._high == math.inf and self._low == -math.inf:
            return "finite"
        low, high = f"{self._low:.15g}", f"{self._high:.15g}"
        if self._high == math.inf:
            return f"above {low}{unit}" if self._above else f"{low}{unit} or more"
        return f"above {low} and at most {high}{unit}" if self._above else f"from {low} to {high}{unit}"


def _as_typed(value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
    """Return a value with the name of its variable or option."""
    if parameter is None or parameter.name is None:
        return value
    variable = parameter.envvar if isinstance(parameter.envvar, str) else None
    source = None if context is None else context.get_parameter_source(parameter.name)
    if variable and source is ParameterSource.ENVIRONMENT:
        return f"{variable}={value}"
    return f"{parameter.opts[0]} {value}"


#: A share in per cent, such as 2%, of which none is 0.
SHARE = Number("2%", 0, unit="per cent", share=True)
#: A target: above 0 and at most 100.
PERCENT = Number("94.5", 0, 100, unit="per cent", above=True)
