"""A trainer in PyTorch that the harness can time: a narrow ResNet9, its data resident on the device.

    python -m bench check-trainer 'python examples/pytorch_trainer.py'
    make bench TRAINER='python examples/pytorch_trainer.py --epochs 24 --width 64'

It writes events with ``bench.protocol`` and reads data with ``resnet9.data``, which needs numpy alone. Every phase
ends with a synchronisation: what a GPU has not finished yet belongs to the phase that started it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout; the harness does not pass PYTHONPATH on

import torch
from torch import nn
from torch.nn import functional as F

from bench import protocol
from resnet9.data import dataset, sources

SEED = int(os.environ.get("BENCH_SEED", 0))
PAD = 4
TEST_BATCH = 500


class Phases:
    """The stretches of this process's life, each begun where the one before ended."""

    def __init__(self, writer: protocol.Writer) -> None:
        self.writer = writer
        self.began_ns = int(os.environ.get(protocol.STARTED_VARIABLE, time.monotonic_ns()))
        self.held: list[protocol.Phase] = []
        self.hello_received = False

    def end(self, name: str, epoch: int | None = None) -> None:
        """The stretch up to now was ``name``; before ``hello`` it is held back, as that event comes first."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began_ns, self.began_ns = self.began_ns, time.monotonic_ns()
        self.held.append(protocol.Phase(name, began_ns, self.began_ns, epoch))
        while self.hello_received and self.held:
            self.writer.emit(self.held.pop(0))


class Block(nn.Sequential):
    """A 3 x 3 convolution, a batch norm and a ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Residual(nn.Sequential):
    """What is inside, beside a shortcut."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x)


def resnet9(width: int) -> nn.Module:
    """The net of David Page's "How to train your ResNet" (64 wide), at any width: [N,3,32,32] -> [N,10]."""
    pool = nn.MaxPool2d(2)
    return nn.Sequential(
        Block(3, width),
        *(Block(width, 2 * width), pool, Residual(Block(2 * width, 2 * width), Block(2 * width, 2 * width))),
        *(Block(2 * width, 4 * width), pool),
        *(Block(4 * width, 8 * width), pool, Residual(Block(8 * width, 8 * width), Block(8 * width, 8 * width))),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8 * width, 10)),
    )


class Training:
    """A net, its optimizer and a learning rate that rises for a fifth of the run and then falls to nothing."""

    def __init__(self, options: argparse.Namespace, steps: int, device: torch.device) -> None:
        self.options = options
        self.net = resnet9(options.width).to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.net.parameters(), options.rate, 0.9, weight_decay=5e-4, nesterov=True)

        def share(step: int) -> float:
            return min((step + 1) / (0.2 * steps), (steps - step) / (0.8 * steps))

        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, share)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """One step of SGD; the loss stays on the device, so that no step waits for the host."""
        self.net.train()
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.net(images), labels)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.detach()

    def epoch(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """Every whole batch of a new order of padded images [N,3,32 + 2 PAD,32 + 2 PAD]; the mean loss."""
        order, batch = torch.randperm(len(images), device=images.device), self.options.batch
        batches = order[: len(images) // batch * batch].split(batch)
        return float(torch.stack([self.step(augmented(images[each]), labels[each]) for each in batches]).mean())

    @torch.no_grad()
    def predict(self, images: torch.Tensor) -> torch.Tensor:
        """The class of every image, uint8 [M], on the host."""
        self.net.eval()
        return torch.cat([self.net(part).argmax(1) for part in images.split(TEST_BATCH)]).to(torch.uint8).cpu()


def normalised(data: dataset.Dataset, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Training images [N,3,32 + 2 PAD,32 + 2 PAD] and test images [M,3,32,32] on the device, mean 0 and deviation 1."""
    train, test = (torch.from_numpy(each).to(device).float() for each in (data.train_images, data.test_images))
    mean, std = train.mean((0, 1, 2)), train.std((0, 1, 2))
    train, test = (((each - mean) / std).permute(0, 3, 1, 2) for each in (train, test))
    return F.pad(train, (PAD,) * 4, mode="reflect").contiguous(memory_format=torch.channels_last), test


def augmented(images: torch.Tensor) -> torch.Tensor:
    """A random 32 x 32 part of each padded image, and every other one mirrored."""
    count = len(images)
    shifts = torch.randint(0, 2 * PAD + 1, (2, count, 1), device=images.device)
    rows, columns = (torch.arange(32, device=images.device) + shift for shift in shifts)
    mirrored = torch.rand(count, 1, device=images.device) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    every = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[every, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def hello(options: argparse.Namespace, data: dataset.Dataset, device: torch.device, target: float) -> protocol.Hello:
    """What this run is, for the harness and every reader of its record."""
    build = {"cuda_version": torch.version.cuda, "cudnn_version": torch.backends.cudnn.version()}
    gpu = device.type == "cuda"
    return protocol.Hello(
        trainer="pytorch example 1", framework=f"pytorch {torch.__version__}", runs=1, seed=SEED,
        recipe={
            "name": f"resnet9-{options.width}", "model": "ResNet9", "target_percent": target, "epochs": options.epochs,
            "sha256": hashlib.sha256(repr(options).encode() + Path(__file__).read_bytes()).hexdigest(),
            "steps_per_epoch": len(data.train_labels) // options.batch, "batch": options.batch,
        },
        dataset={"name": data.name, "sha256": data.sha256, "state": data.state},
        precision="fp32", input="device", threads=torch.get_num_threads(), xla={"on": False, "flags": ""},
        device={"kind": "gpu" if gpu else "cpu", "name": torch.cuda.get_device_name() if gpu else "CPU",
                "uuid": os.environ["BENCH_DEVICE"] if gpu else ""},
        build={name: str(version) for name, version in build.items() if version is not None},
    )  # fmt: skip


def train(options: argparse.Namespace, writer: protocol.Writer, phases: Phases) -> None:
    """One run, from the device to the last evaluation."""
    phases.end("import")
    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    torch.backends.cudnn.allow_tf32 = False  # `precision` says fp32
    # CUDA_VISIBLE_DEVICES shows the GPU of BENCH_DEVICE alone, so it is the first one.
    device = torch.device("cpu" if os.environ["BENCH_DEVICE"] == "cpu" else "cuda")
    float(torch.ones(8, device=device).sum())  # the first operation starts the device
    phases.end("device_init")
    data, target = sources.load(os.environ["BENCH_DATA"]), float(os.environ["BENCH_TARGET_PERCENT"])
    writer.emit(hello(options, data, device, target))
    phases.hello_received = True
    phases.end("data_load")
    steps, crossed = len(data.train_labels) // options.batch, False
    warm_up = Training(options, steps, device)  # on random data: libraries choose their kernels at a shape's first use
    images = torch.rand(options.batch, 3, 32, 32, device=device)
    warm_up.step(images, torch.zeros(options.batch, dtype=torch.long, device=device))
    warm_up.predict(torch.rand(TEST_BATCH, 3, 32, 32, device=device))
    phases.end("compile")
    torch.manual_seed(SEED)
    training = Training(options, options.epochs * steps, device)
    phases.end("build")
    train_images, test_images = normalised(data, device)
    labels = torch.from_numpy(data.train_labels).long().to(device)
    phases.end("preprocess")
    for epoch in range(1, options.epochs + 1):
        loss = training.epoch(train_images, labels)
        phases.end("train_k", epoch)
        predicted = training.predict(test_images)
        correct = int((predicted == torch.from_numpy(data.test_labels)).sum())
        crosses = not crossed and 100 * correct >= target * len(predicted)
        crossed = crossed or crosses
        if crosses or epoch == options.epochs:
            writer.write_predictions(predicted.numpy().tobytes())
        phases.end("eval_k", epoch)
        print(f"epoch {epoch}: loss {loss:.4f}, {100 * correct / len(predicted):.2f} %")
        writer.emit(protocol.Epoch(epoch, steps, steps * options.batch, loss, correct, len(predicted), "plain"))
    phases.end("exit")
    writer.emit(protocol.Done("done", events=writer.events + 1, emit_ns=writer.emit_ns))


if __name__ == "__main__":
    if "BENCH_EVENTS" not in os.environ:
        sys.exit("The harness starts this program: make bench TRAINER='python examples/pytorch_trainer.py'")
    parser = argparse.ArgumentParser(description="A narrow ResNet9 in PyTorch.", allow_abbrev=False)
    for name, value in (("epochs", 6), ("width", 16), ("batch", 100), ("rate", 0.1)):
        parser.add_argument(f"--{name}", type=type(value), default=value)
    with protocol.Writer.from_environment() as events:
        train(parser.parse_args(), events, Phases(events))
