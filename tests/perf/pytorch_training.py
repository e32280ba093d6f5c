"""Whole trainings of a recipe in plain PyTorch on a GPU, by the rules of the originals: the peer of ``make perf-gpu``.

``python -m tests.perf.pytorch_training DATA.npz RECIPE.json DEVICE eager|compiled RUNS`` prints a line of JSON a run.
Written by us from the descriptions of cifar10-fast, airbench94 and hiverge's record: the dataset rests on the device,
weights and activations are fp16 and channels-last, norms float32, the loss is summed, and air nets are compiled with
``max-autotune`` after a warm-up on random labels. What differs: the Nesterov form is PyTorch's also for page24, whose
own form gives the same mean (300 runs against 400); norms are float32 for hive too. Not run on a GPU yet.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.perf import pytorch_nets as nets

Table = dict[str, Any]


class Clock:
    """A stop-watch over the parts that count; a part on a GPU has ended when the device says so."""

    def __init__(self, device: str) -> None:
        self.device, self.seconds, self._began = device, 0.0, 0.0

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(self, *_: object) -> None:
        self.seconds += self._now() - self._began


@torch.no_grad()
def logits_of(net: nn.Module, images: torch.Tensor, view: str, shifted_share: float) -> torch.Tensor:
    """Float32 [M,10] of normalised images in a view: ``plain``, ``flip`` (with the mirror image), or ``six``, where
    ``shifted_share`` is what the images shifted by a pixel to two corners weigh together with their mirror images.
    """

    def mirrored(x: torch.Tensor) -> torch.Tensor:
        return (net(x).float() + net(x.flip(-1)).float()) / 2

    found = []
    for x in images.split(math.gcd(len(images), 2000)):
        if view == "plain":
            found.append(net(x).float())
            continue
        logits = mirrored(x)
        if view == "six":
            padded = functional.pad(x, (1, 1, 1, 1), "reflect")
            shifted = [mirrored(padded[:, :, corner : corner + 32, corner : corner + 32]) for corner in (0, 2)]
            logits = (1 - shifted_share) * logits + shifted_share * sum(shifted) / 2
        found.append(logits)
    return torch.cat(found)


def judged(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, recipe: Table, view: str) -> float:
    """Accuracy in percent; with a ``views_share`` only the least sure images get more views than one."""
    net.eval()
    share = recipe["views_share"] if view != "plain" else 1.0
    shifted = 2 / 3 if recipe["views_weights"] == "equal" else 1 / 2
    logits = logits_of(net, images, "plain" if share < 1 else view, shifted)
    if share < 1:
        unsure = logits.softmax(1).amax(1).argsort()[: round(share * len(images))]
        logits[unsure] = logits_of(net, images[unsure], view, shifted)
    accuracy = 100 * (logits.argmax(1) == labels).float().mean().item()
    net.train()
    return accuracy


class Training:
    """A recipe on a device; ``run`` trains it from a seed as often as asked, with the code compiled once."""

    def __init__(self, recipe: Table, data: Any, device: str, mode: str, dtype: torch.dtype) -> None:
        self.recipe, self.data, self.device, self.dtype = recipe, data, device, dtype
        self.rows, self.names = data["rows"], [str(name) for name in data["names"]]
        self.net = nets.halved(nets.build(recipe), dtype).to(device, memory_format=torch.channels_last).train()
        options = {"mode": "max-autotune"} if device == "cuda" else {}
        self.forward = torch.compile(self.net, dynamic=False, **options) if mode == "compiled" else self.net

    def _reset(self, seed: int) -> None:
        torch.manual_seed(seed)
        fresh = nets.halved(nets.build(self.recipe), self.dtype)
        self.net.load_state_dict(fresh.state_dict())

    def _labels(self, name: str, noise: bool) -> torch.Tensor:
        labels = torch.from_numpy(self.data[name].astype(np.int64)).to(self.device)
        return torch.randint_like(labels, 10) if noise else labels

    def run(self, seed: int, noise: bool = False) -> dict[str, Any]:
        """Train the whole schedule. ``train_seconds``: preparing and training; ``run_seconds``: with the final
        evaluation in the recipe's view, too. ``noise``: random labels, to compile and warm up.
        """
        recipe, batch = self.recipe, self.recipe["batch"]
        self._reset(seed)
        labels, test_labels = self._labels("labels", noise), self._labels("test_labels", noise)
        # Bytes on the device before the clock, as airbench has it; everything computed from them is inside.
        pixels, test_pixels = (torch.from_numpy(self.data[name]).to(self.device) for name in ("images", "test_images"))
        train, final = Clock(self.device), Clock(self.device)
        with train:
            images = nets.normalised(recipe, pixels, self.device, self.dtype)
            if recipe["whitening"]:
                self.net.whiten(images[: recipe["whitening"]["images"]], recipe["whitening"]["epsilon"])
            augmentation = nets.Augmentation(recipe, images)
            optimiser = nets.Optimiser(self.net, recipe, self.names)
            average = nets.Average(self.net, recipe, self.names) if recipe["average"] else None
        with final:
            tests = nets.normalised(recipe, test_pixels, self.device, self.dtype)
        per_epoch, reached, accuracy = len(labels) // batch, None, 0.0
        for epoch in range(math.ceil(len(self.rows) / per_epoch)):
            with train:
                seen, order = augmentation.epoch(epoch), torch.randperm(len(labels), device=self.device)
                for step in range(epoch * per_epoch, min((epoch + 1) * per_epoch, len(self.rows))):
                    if recipe["whitening"]:
                        bias = self.net.whitening.bias
                        bias.requires_grad = step < int(self.data["frozen_after"])
                        bias.grad = None if not bias.requires_grad else bias.grad
                    part = order[(step % per_epoch) * batch :][:batch]
                    loss = nets.loss_of(recipe, self.forward(seen[part]), labels[part])
                    loss.backward()
                    optimiser.step(self.rows[step])
                    if average is not None:
                        average.step(self.rows[step])
            accuracy = judged(self.forward, tests, test_labels, recipe, "plain")
            if reached is None and accuracy >= recipe["target_percent"]:
                reached = train.seconds
        plain = accuracy
        with final:
            accuracy = judged(self.forward, tests, test_labels, recipe, recipe["views"])
        return {
            "seed": seed,
            "accuracy_percent": accuracy,
            "plain_percent": plain,
            "to_target_seconds": reached,
            "train_seconds": train.seconds,
            "run_seconds": train.seconds + final.seconds,
        }


def main() -> None:
    data, table, device, mode, runs = sys.argv[1:6]
    recipe = json.loads(Path(table).read_text())
    torch.backends.cudnn.benchmark = True
    dtype = torch.float16 if device == "cuda" else torch.bfloat16
    began = time.perf_counter()
    training = Training(recipe, dict(np.load(data)), device, mode, dtype)
    training.run(0, noise=True)
    warm_up_seconds = time.perf_counter() - began
    for seed in range(int(runs)):
        print(json.dumps({**training.run(seed), "warm_up_seconds": warm_up_seconds}), flush=True)


if __name__ == "__main__":
    main()
