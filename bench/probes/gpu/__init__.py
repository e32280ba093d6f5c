"""The NVIDIA GPUs that the driver shows, and what the one that trains does. The only package that knows NVML.

The module ``pynvml`` comes from the package ``nvidia-ml-py`` and loads the host driver's ``libnvidia-ml.so.1``, so what
answers depends on the driver and not on our environment. ``devices`` says which cards there are and which one a run
gets, ``card`` reads that one while the run lasts, ``nvml`` turns the driver's codes into absences, missing values and
errors of ours.
"""

from bench.probes.gpu.card import Card, Counters, Sample, open_card
from bench.probes.gpu.devices import Gpu, Sight, choose, look, visible
from bench.probes.gpu.nvml import DriverMismatch, GpuLost, GpuProblem, NoPermission

__all__ = [
    "Card",
    "Counters",
    "DriverMismatch",
    "Gpu",
    "GpuLost",
    "GpuProblem",
    "NoPermission",
    "Sample",
    "Sight",
    "choose",
    "look",
    "open_card",
    "visible",
]
