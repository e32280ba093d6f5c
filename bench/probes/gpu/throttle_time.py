"""How long the card's clocks were held down, by cause: counters that the driver keeps, in nanoseconds.

A poll of the event reasons can miss a short slowdown; the difference of two readings of these cannot.

The unit. NVML gives the time of a performance policy in nanoseconds (``nvmlViolationTime_t.violationTime``), and the
header of driver 575 documents fields 74 and 76, with 251 to 253 (now 269 to 271), as durations in ns. That 75 and 77
to 79 count the same unit follows from the first of these; no document says it of the fields themselves.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any

from bench.probes.gpu import nvml as driver


@dataclass(frozen=True)
class Field:
    """A counter: the cause it counts, its field id, and the drivers, from one up to another, whose id means this."""

    cause: str
    id: int
    since_driver: tuple[int, ...] = ()
    before_driver: tuple[int, ...] = (sys.maxsize,)

    def known_to(self, version: tuple[int, ...]) -> bool:
        """Return whether the id means this in a driver."""
        return self.since_driver <= version < self.before_driver


#: Where two fields are of one cause (75 and 269), both are kept: which of them a driver fills is not documented. The
#: ids 251 to 253 are power smoothing in the headers before driver 575 and from 580.82 on, where these causes have 269
#: to 271 (the constants of nvidia-ml-py 12.570, 12.575, 13.580.65 and 13.580.82).
FIELDS = (
    Field("software_power_cap", 74),
    Field("thermal", 75),
    Field("sync_boost", 76),
    Field("board_limit", 77),
    Field("low_utilisation", 78),
    Field("reliability", 79),
    Field("software_thermal", 251, (575,), (580, 66)),
    Field("hardware_thermal", 252, (575,), (580, 66)),
    Field("power_brake", 253, (575,), (580, 66)),
    Field("software_thermal", 269, (580, 82)),
    Field("hardware_thermal", 270, (580, 82)),
    Field("power_brake", 271, (580, 82)),
)
#: The member of ``nvmlValue_t`` that holds a value of each type, by ``nvmlValueType_t``.
_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


class ThrottleTime:
    """The counters of one card that answer; ``calls`` says of each, as ``lost_CAUSE``, ``yes`` or why not."""

    def __init__(self, nvml: Any, handle: Any, driver_version: str | None) -> None:
        self._nvml = nvml
        self._handle = handle
        version = tuple(map(int, re.findall(r"\d+", driver_version or "")))
        self._fields = tuple(each for each in FIELDS if each.known_to(version))
        self.calls = {f"lost_{each.cause}": "missing in the driver" for each in FIELDS}
        self._fields = tuple(each for each in self._fields if self._answers(each))

    def read(self) -> dict[str, int]:
        """Nanoseconds so far, by cause; one that gives nothing this time is left out.

        Raises the binding's NVMLError where the card is lost, or none answers and one of them has an unknown error.
        """
        if not self._fields:
            return {}
        values = self._nvml.nvmlDeviceGetFieldValues(self._handle, [each.id for each in self._fields])
        found, unknown = {}, False
        for each, value in zip(self._fields, values, strict=True):
            if value.nvmlReturn == self._nvml.NVML_SUCCESS:
                lost_ns = driver.known(getattr(value.value, _MEMBERS[value.valueType]))
                if lost_ns is not None:
                    found[each.cause] = lost_ns
            elif driver.is_lost(self._nvml, value.nvmlReturn):
                raise self._nvml.NVMLError(value.nvmlReturn)
            else:
                unknown = unknown or value.nvmlReturn == self._nvml.NVML_ERROR_UNKNOWN
        if unknown and not found:
            raise self._nvml.NVMLError(self._nvml.NVML_ERROR_UNKNOWN)
        return found

    def _answers(self, each: Field) -> bool:
        """Try one counter and record the result: the call may succeed where the field does not."""
        nvml = self._nvml
        try:
            value = driver.answer(nvml, self._field, each)
            if value.valueType >= len(_MEMBERS):
                raise nvml.NVMLError(nvml.NVML_ERROR_NOT_SUPPORTED)  # of a type that our list does not have
        except nvml.NVMLError as error:
            self.calls[f"lost_{each.cause}"] = driver.word(nvml, error)
            return False
        self.calls[f"lost_{each.cause}"] = "yes"
        return True

    def _field(self, each: Field) -> Any:
        (value,) = self._nvml.nvmlDeviceGetFieldValues(self._handle, [each.id])
        if value.nvmlReturn != self._nvml.NVML_SUCCESS:
            raise self._nvml.NVMLError(value.nvmlReturn)
        return value
