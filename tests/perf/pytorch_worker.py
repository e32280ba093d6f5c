"""The peer: page24's net and step in plain PyTorch, as its users write it for a CPU. Runs in an environment of its own.

Started as ``pytorch_worker.py DATA.npz PRECISION eager|compiled THREADS``; every line on standard input is a number
of steps to train, answered by one JSON line with seconds, images and the mean loss. The first line is the warm-up and
is the caller's to discard.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH, PEAK, PEAK_STEP, LAST_STEP = 512, 0.4, 485, 2328


class ConvNormReLU(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, pool: bool = False) -> None:
        parts = [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*parts, *([nn.MaxPool2d(2)] if pool else []))


class ResNet9(nn.Module):
    def __init__(self, w: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNormReLU(3, w), ConvNormReLU(w, 2 * w, pool=True))
        self.residual1 = nn.Sequential(ConvNormReLU(2 * w, 2 * w), ConvNormReLU(2 * w, 2 * w))
        self.middle = nn.Sequential(ConvNormReLU(2 * w, 4 * w, pool=True), ConvNormReLU(4 * w, 8 * w, pool=True))
        self.residual3 = nn.Sequential(ConvNormReLU(8 * w, 8 * w), ConvNormReLU(8 * w, 8 * w))
        self.linear = nn.Linear(8 * w, 10, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.residual1(x)
        x = self.middle(x)
        x = x + self.residual3(x)
        return self.linear(functional.max_pool2d(x, 4).flatten(1)) * 0.125


def main() -> None:
    path, precision, mode, threads = sys.argv[1:5]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    data = np.load(path)
    images = torch.from_numpy(data["images"]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(data["labels"].astype(np.int64))
    net = ResNet9().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True)
    forward = torch.compile(net) if mode == "compiled" else net
    done = 0
    for line in sys.stdin:
        losses, began = [], time.perf_counter()
        for _ in range(int(line)):
            done += 1
            rate = PEAK * min(done / PEAK_STEP, (LAST_STEP - done) / (LAST_STEP - PEAK_STEP))
            optimiser.param_groups[0]["lr"] = rate
            start = (done - 1) * BATCH % (len(labels) - BATCH + 1)
            x, y = images[start : start + BATCH], labels[start : start + BATCH]
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = functional.cross_entropy(forward(x).float(), y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        loss_mean = float(torch.stack(losses).mean())
        print(
            json.dumps({"seconds": time.perf_counter() - began, "images": int(line) * BATCH, "loss": loss_mean}),
            flush=True,
        )


if __name__ == "__main__":
    main()
