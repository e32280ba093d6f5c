"""The peer: a recipe's training in plain PyTorch on a CPU. Runs in an environment of its own; see turns.py.

``python -m tests.perf.pytorch_worker BATCHES.npz RECIPE.json PRECISION THREADS step|input eager|compiled
autocast|halved``. ``autocast``: float32 weights, cast at each use; ``halved``: weights of the compute precision, as
cifar10-fast and airbench train. ``step``: the images as they are; ``input``: shuffled and augmented every epoch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from tests.perf import pytorch_nets as nets
from tests.perf.turns import serve


def main() -> None:
    batches, table, precision, threads, kind, mode, weights = sys.argv[1:8]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    recipe, data = json.loads(Path(table).read_text()), np.load(batches)
    rows, names, batch = data["rows"], [str(name) for name in data["names"]], recipe["batch"]
    half = torch.bfloat16 if precision == "bf16" else torch.float32
    dtype = half if weights == "halved" else torch.float32
    images = nets.normalised(recipe, data["images"], "cpu", dtype)
    labels = torch.from_numpy(data["labels"].astype(np.int64))
    net = nets.build(recipe)
    if recipe["whitening"]:
        net.whiten(images[: recipe["whitening"]["images"]], recipe["whitening"]["epsilon"])
        net.whitening.bias.requires_grad = bool(data["whitening_bias"])
    net = nets.halved(net, dtype).to(memory_format=torch.channels_last).train()
    optimiser = nets.Optimiser(net, recipe, names)
    average = nets.Average(net, recipe, names) if recipe["average"] else None
    forward = torch.compile(net) if mode == "compiled" else net
    augmentation = nets.Augmentation(recipe, images) if kind == "input" else None

    def epoch(number: int) -> float:
        seen, order, losses = images, torch.arange(len(labels)), []
        if augmentation is not None:
            seen, order = augmentation.epoch(number), torch.randperm(len(labels))
        for index, start in enumerate(range(0, len(labels) - batch + 1, batch)):
            part = slice(start, start + batch) if augmentation is None else order[start : start + batch]
            with torch.autocast("cpu", torch.bfloat16, enabled=weights == "autocast" and precision == "bf16"):
                loss = nets.loss_of(recipe, forward(seen[part]), labels[part])
            loss.backward()
            row = rows[number * (len(labels) // batch) + index]
            optimiser.step(row)
            if average is not None:
                average.step(row)
            losses.append(loss.detach())
        return float(torch.stack(losses).sum()) / len(labels)

    serve(epoch, len(labels))


if __name__ == "__main__":
    main()
