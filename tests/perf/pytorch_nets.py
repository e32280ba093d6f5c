"""The nets of the recipes in plain PyTorch, with whitening, optimiser and augmentation, as its users write them.

A recipe arrives as the table of ``dataclasses.asdict``, so both frameworks train the same numbers. Everything here is
PyTorch's own fast way: channels-last, fused SGD, in-place activations, a whole epoch augmented by one indexing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

Table = dict[str, Any]


def activation(name: str, alpha: float) -> nn.Module:
    """The activation a recipe names; GELU is the exact one."""
    made = {"relu": nn.ReLU(inplace=True), "gelu": nn.GELU(), "silu": nn.SiLU(inplace=True)}
    return made.get(name) or nn.CELU(alpha, inplace=True)


class Block(nn.Sequential):
    """Convolution, norm and activation, with a max pool where the recipe has it."""

    def __init__(self, recipe: Table, inputs: int, outputs: int, pool: bool = False) -> None:
        norm = nn.BatchNorm2d(outputs, recipe["batch_norm_epsilon"], 1.0 - recipe["batch_norm_keep"])
        norm.weight.requires_grad = recipe["batch_norm_scale"] == "trained"
        parts = [norm, activation(recipe["activation"], recipe["celu_alpha"])]
        if pool:
            parts.insert(0 if recipe["pool"] == "before_norm" else 2, nn.MaxPool2d(2))
        super().__init__(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *parts)


class ResNet9(nn.Module):
    """cifar10-fast's net without whitening."""

    def __init__(self, recipe: Table) -> None:
        super().__init__()
        w1, w2, w3, w4 = recipe["widths"]
        self.stem = nn.Sequential(Block(recipe, 3, w1), Block(recipe, w1, w2, pool=True))
        self.residual1 = nn.Sequential(Block(recipe, w2, w2), Block(recipe, w2, w2))
        self.middle = nn.Sequential(Block(recipe, w2, w3, pool=True), Block(recipe, w3, w4, pool=True))
        self.residual3 = nn.Sequential(Block(recipe, w4, w4), Block(recipe, w4, w4))
        self.head, self.scale = nn.Linear(w4, 10, bias=False), recipe["logit_scale"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.residual1(x)
        x = self.middle(x)
        x = x + self.residual3(x)
        return self.head(functional.max_pool2d(x, 4).flatten(1)) * self.scale


class Air(nn.Module):
    """airbench's net: 2x2 whitening and three groups of two convolutions."""

    def __init__(self, recipe: Table) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad = False
        if recipe["whitening"]["bias_init"] == "zero":
            nn.init.zeros_(self.whitening.bias)
        stem = recipe["stem_activation"] or recipe["activation"]
        layers, inputs = [activation(stem, recipe["celu_alpha"])], 24
        for width in recipe["widths"]:
            layers += [Block(recipe, inputs, width, pool=True), Block(recipe, width, width)]
            inputs = width
        self.groups = nn.Sequential(*layers)
        self.head, self.scale = nn.Linear(inputs, 10, bias=False), recipe["logit_scale"]
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.whitening:
                nn.init.dirac_(module.weight.data[: module.in_channels])
        if recipe["head_init"] == "unit_std":
            self.head.weight.data /= self.head.weight.data.std()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.groups(self.whitening(x))
        return self.head(functional.max_pool2d(x, 3).flatten(1)) * self.scale

    @torch.no_grad()
    def whiten(self, images: torch.Tensor, epsilon: float) -> None:
        """Set the whitening filters from normalised images [N,3,32,32]."""
        patches = functional.unfold(images.float(), 2).transpose(1, 2).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(patches.T @ patches / (len(patches) - 1))
        filters = (vectors / torch.sqrt(values + epsilon)).T.reshape(12, 3, 2, 2)
        self.whitening.weight.copy_(torch.cat([filters, -filters]))


def build(recipe: Table) -> ResNet9 | Air:
    """The net of a recipe, on the CPU in float32. Raises KeyError for one that PyTorch has no version of here."""
    if (recipe["net"] == "resnet9" and recipe["whitening"]) or recipe["residual"] or recipe["ghost_batch"]:
        raise KeyError(f"the peer has no {recipe['name']}")
    return {"resnet9": ResNet9, "air": Air}[recipe["net"]](recipe)


def halved(net: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The net with weights of ``dtype`` and norms of float32, as cifar10-fast and airbench train."""
    net.to(dtype)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.float()
    return net


class Optimiser:
    """The recipe's optimisers over a summed loss: SGD in PyTorch's Nesterov form for every group, Muon for the filters
    where the recipe has it. ``row`` names the rates of a step as ``resnet9.optim.schedule.controls`` gives them.
    """

    def __init__(self, net: nn.Module, recipe: Table, row: list[str]) -> None:
        self.recipe, self.row = recipe, {name: index for index, name in enumerate(row)}
        trained = {name: each for name, each in net.named_parameters() if each.requires_grad}
        members = {
            "norms": [each for each in trained.values() if each.ndim == 1 and each is not _bias(net)],
            "filters": [each for each in trained.values() if each.ndim == 4],
            "head": [net.head.weight],
            "whitening_bias": [] if _bias(net) is None else [_bias(net)],
        }
        self.muon = Muon(recipe["muon"], members.pop("filters")) if recipe["muon"] else None
        groups = []
        for name, parameters in members.items():
            own = recipe["groups"].get(name) or {}
            decay, momentum = own.get("weight_decay"), own.get("momentum")
            groups.append(
                {
                    "name": name,
                    "params": parameters,
                    "weight_decay": recipe["batch"] * (recipe["weight_decay"] if decay is None else decay),
                    "momentum": recipe["momentum"] if momentum is None else momentum,
                }
            )
        groups = [group for group in groups if group["params"]]
        self.sgd = torch.optim.SGD(groups, lr=0.1, momentum=recipe["momentum"], nesterov=True, fused=True)

    def step(self, rates: np.ndarray) -> None:
        """One update by a row of the controls; gradients are those of the batch's summed loss and are dropped."""
        for group in self.sgd.param_groups:
            group["lr"] = float(rates[self.row[group["name"]]]) / self.recipe["batch"]
        self.sgd.step()
        self.sgd.zero_grad(set_to_none=True)
        if self.muon is not None:
            self.muon.step(float(rates[self.row["filters"]]), rates[self.row["renormalise"]] > 0.5)


def _bias(net: nn.Module) -> nn.Parameter | None:
    return net.whitening.bias if isinstance(net, Air) else None


class Muon:
    """Nesterov momentum made orthogonal by Newton-Schulz, for convolution kernels [out, in, 3, 3]."""

    def __init__(self, table: Table, kernels: list[nn.Parameter]) -> None:
        self.table, self.kernels = table, kernels
        self.velocities = [torch.zeros_like(kernel) for kernel in kernels]

    @torch.no_grad()
    def step(self, rate: float, renormalise: bool) -> None:
        """One update of every kernel; gradients are dropped."""
        gradients = [kernel.grad for kernel in self.kernels]
        torch._foreach_mul_(self.velocities, self.table["momentum"])
        torch._foreach_add_(self.velocities, gradients)
        updates = torch._foreach_add(gradients, self.velocities, alpha=self.table["momentum"])
        for kernel, update in zip(self.kernels, updates, strict=True):
            if renormalise:
                kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
            kernel.add_(self._orthogonal(update.flatten(1)).view_as(update), alpha=-rate)
            kernel.mul_(1.0 - rate * self.table["weight_decay"])
            kernel.grad = None

    def _orthogonal(self, update: torch.Tensor) -> torch.Tensor:
        a, b, c = self.table["coefficients"]
        x = update.bfloat16()
        x = x / (x.norm() + 1e-7)
        for _ in range(self.table["iterations"]):
            squares = x @ x.T
            x = a * x + (b * squares + c * squares @ squares) @ x
        return x.to(update.dtype)


class Average:
    """The recipe's moving average of all a net has learned; with ``copy_back`` (lookahead) the net becomes it."""

    def __init__(self, net: nn.Module, recipe: Table, row: list[str]) -> None:
        self.copies, self.row = recipe["average"]["copy_back"], {name: index for index, name in enumerate(row)}
        # The frozen parts do not move, and the batch counters of the norms are whole numbers.
        self.net = [each for each in net.state_dict().values() if each.is_floating_point()]
        self.average = [each.clone() for each in self.net]

    @torch.no_grad()
    def step(self, rates: np.ndarray) -> None:
        """Move by a row of the controls, on the steps that do."""
        keep = float(rates[self.row["average_keep"]])
        if keep < 1.0:
            torch._foreach_lerp_(self.average, self.net, 1.0 - keep)
        if self.copies and rates[self.row["average_copy"]] > 0.5:
            torch._foreach_copy_(self.net, self.average)


class Augmentation:
    """Crop, flip, jitter and cutout of a whole epoch of normalised images [N,3,32,32] at once, where they lie."""

    def __init__(self, recipe: Table, images: torch.Tensor) -> None:
        self.recipe, self.images = recipe, images
        self.padded = functional.pad(
            images, (recipe["pad"],) * 4, "reflect" if recipe["pad_mode"] == "reflect" else "constant"
        )
        self.first = self._coin()

    def _coin(self) -> torch.Tensor:
        return torch.rand(len(self.images), device=self.images.device) < 0.5

    def epoch(self, number: int) -> torch.Tensor:
        """The images of epoch 0, 1, ... in their own order, channels last."""
        recipe, count, device = self.recipe, len(self.images), self.images.device
        windows = self.padded.unfold(2, 32, 1).unfold(3, 32, 1)
        rows, columns = torch.randint(2 * recipe["pad"] + 1, (2, count), device=device)
        # Indexed with the channels behind, the crops come out channels-last and need no second copy.
        found = windows.permute(0, 2, 3, 4, 5, 1)[torch.arange(count, device=device), rows, columns].permute(0, 3, 1, 2)
        if recipe["flip"] != "none":
            mirrored = self._coin() if recipe["flip"] == "random" else self.first ^ bool(number % 2)
            found = torch.where(mirrored[:, None, None, None], found.flip(-1), found)
        if recipe["jitter"]:
            signed = 2 * torch.rand(2, count, 1, 1, 1, device=device, dtype=found.dtype) - 1
            found = (found + recipe["jitter"]["brightness"] * signed[0]) * (
                1 + recipe["jitter"]["contrast"] * signed[1]
            )
        if recipe["cutout"]:
            line, corner = (
                torch.arange(32, device=device),
                torch.randint(33 - recipe["cutout"], (2, count, 1), device=device),
            )
            inside = (line >= corner) & (line < corner + recipe["cutout"])
            found = found.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0.0)
        return found


def normalised(recipe: Table, images: np.ndarray | torch.Tensor, device: str, dtype: torch.dtype) -> torch.Tensor:
    """uint8 [N,32,32,3] -> [N,3,32,32] channels-last on the device, (x - mean) / std."""
    mean, std = (torch.tensor(recipe[key], device=device) for key in ("mean255", "std255"))
    return ((torch.as_tensor(images, device=device) - mean) / std).to(dtype).permute(0, 3, 1, 2)


def loss_of(recipe: Table, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The batch's summed cross entropy with the recipe's label smoothing, computed in float32."""
    return functional.cross_entropy(logits.float(), labels, reduction="sum", label_smoothing=recipe["label_smoothing"])
