"""The beginning of a program that is ``python -m bench`` in a process of its own, to be killed or given a driver."""

#: With the checkout and a folder as its words: the smoke recipe, and a dataset of 2,000 labels in place of its own.
PRELUDE = """
import json, pathlib, sys
root, folder = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, root)
from types import SimpleNamespace
import numpy as np
from bench.launch import trainer_command as trainers
from bench.__main__ import main
from resnet9 import recipe
from resnet9.data import sources as dataset
smoke, labels = recipe.load("smoke"), np.arange(2000, dtype=np.uint8) % 10
stand_in = SimpleNamespace(name="synthetic", state="synthetic", sha256="d" * 64, test_labels=labels)
dataset.load = lambda *where: stand_in
(folder / "labels.u8").write_bytes(labels.tobytes())
"""
