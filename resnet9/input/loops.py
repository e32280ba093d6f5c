"""The inputs. Their interface is the epoch: ``run(epoch) -> Sums``.

``HostLoop`` takes batches from tf.data (shuffled, augmented and prefetched on CPU cores) and calls a compiled step
for each.
``DeviceLoop`` keeps the dataset on the device as uint8 and runs the whole epoch, augmentation included, in one
compiled function. Both draw the same distributions (a ``shuffle_window`` is tf.data's buffer in the one and its
likeness in the other), augmentation from stateless random numbers keyed by (seed, step), so a seed fixes everything.
``MemoryLoop`` is no input to learn from: it shows how fast the step of ``HostLoop`` is when its batches are ready.
"""

from __future__ import annotations

from resnet9.input.base_loop import EpochStats, Loop
from resnet9.input.device_loop import DeviceLoop
from resnet9.input.host_loop import HostLoop, MemoryLoop

__all__ = ["INPUTS", "LOOPS", "DeviceLoop", "EpochStats", "HostLoop", "Loop", "MemoryLoop"]

#: The inputs that train, by the name on the command line.
LOOPS: dict[str, type[DeviceLoop] | type[HostLoop]] = {"device": DeviceLoop, "host": HostLoop}
#: With the control of the host's.
INPUTS: dict[str, type[DeviceLoop] | type[HostLoop] | type[MemoryLoop]] = {**LOOPS, "memory": MemoryLoop}
