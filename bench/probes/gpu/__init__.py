"""The NVIDIA GPUs that the driver shows, and what the one that trains does. The only package that knows NVML.

The module ``pynvml`` comes from the package ``nvidia-ml-py`` and loads the host driver's ``libnvidia-ml.so.1``, so what
answers depends on the driver and not on our environment. ``devices`` says which cards there are, ``selection`` which
one a run gets, ``card`` reads that one while the run lasts, ``nvml`` turns the driver's codes into absences, missing
values and errors of ours.
"""

from bench.probes.gpu.before import Before
from bench.probes.gpu.binding import WrongBinding, binding
from bench.probes.gpu.card import Card, open_card
from bench.probes.gpu.devices import Gpu, GpuInventory, LostGpu, discover
from bench.probes.gpu.driver_thread import DRIVER, Call, DriverThread, in_driver_thread
from bench.probes.gpu.energy import EnergyStep
from bench.probes.gpu.facts import CardFacts, facts
from bench.probes.gpu.nvml import DriverHangs, DriverMismatch, GpuLost, GpuProblem, NoPermission
from bench.probes.gpu.sample import Counters, Sample
from bench.probes.gpu.selection import choose, first_visible, hidden_by
from bench.probes.gpu.throttle_time import FIELDS as THROTTLE_TIME_FIELDS

__all__ = [
    "DRIVER",
    "THROTTLE_TIME_FIELDS",
    "Before",
    "Call",
    "Card",
    "CardFacts",
    "Counters",
    "DriverHangs",
    "DriverMismatch",
    "DriverThread",
    "EnergyStep",
    "Gpu",
    "GpuInventory",
    "GpuLost",
    "GpuProblem",
    "LostGpu",
    "NoPermission",
    "Sample",
    "WrongBinding",
    "binding",
    "choose",
    "discover",
    "facts",
    "first_visible",
    "hidden_by",
    "in_driver_thread",
    "open_card",
]
