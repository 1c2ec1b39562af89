"""Train a few small folds and print their results as JSON; golden.json is its output.

Regenerate it after a change that is meant to change bits:
    ONEDNN_MAX_CPU_ISA=AVX2 python -m tests.training.golden > tests/training/golden.json
TensorFlow selects kernels when it starts, so this must run in a separate process.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stages.augment import OPS
from stages.models import ARCHITECTURES
from stages.settings.registry import check_arguments
from stages.settings.sections import Named, Train
from stages.training.fold import HISTORY, train_fold
from stages.training.optimizers import OPTIMIZERS
from stages.training.recipe import Recipe
from stages.training.schedules import SCHEDULES

ROWS = {
    "basic": {"architecture": "basic"},
    "dropout": {
        "architecture": "dropout",
        "train": {"optimizer": ("sgd", {}), "schedule": ("cosine", {"warmup": 0.1})},
    },
    "stacked": {
        "architecture": "stacked",
        "train": {"optimizer": ("rmsprop", {}), "label_smoothing": 0.1, "l2": 1e-4},
    },
    "tiny_flipped": {
        "architecture": "tiny",
        "augmentation": [("flip", {"force": True}), ("random_erasing", {"fraction": 0.3})],
        "train": {"ema": 0.9, "class_weight": "balanced"},
    },
}


def recipe(variant, row):
    """Return the resolved settings of a row."""

    def named(table, name, arguments):
        return Named(name=name, arguments=check_arguments(table[name], arguments, name))

    train = {
        "epochs": 2,
        "batch_size": 32,
        "optimizer": ("adam", {}),
        "learning_rate": 0.004,
        "schedule": ("constant", {}),
    } | row.get("train", {})
    train["optimizer"] = named(OPTIMIZERS, *train["optimizer"])
    train["schedule"] = named(SCHEDULES, *train["schedule"])
    return Recipe(
        variant=variant,
        architecture=named(ARCHITECTURES, row["architecture"], {}),
        augmentation=[named(OPS, *op) for op in row.get("augmentation", [])],
        train=Train(**train),
    )


def images():
    """Return images, labels and folds computed with integers only."""
    count = 120
    place = np.arange(count * 28 * 28, dtype=np.uint64).reshape(count, 28, 28, 1)
    labels = np.arange(count) % 3
    pixels = (
        (place * np.uint64(2654435761) >> np.uint64(20)) % 256 // (1 + labels[:, None, None, None])
    )
    return (
        pixels.astype(np.uint8),
        labels.astype(np.int64),
        (np.arange(count) // 3 % 2).astype(np.int16),
    )


def processor():
    """Return vendor, family and model of the processor, or "" if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    said = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    said = {key.strip(): value for key, value in said.items()}
    return " ".join(said.get(key, "") for key in ("vendor_id", "cpu family", "model")).strip()


def folds(rows):
    """Return row -> one fold's validation losses and SHA-256 of weights and probabilities."""
    found = {}
    for variant, row in rows.items():
        record = train_fold(*images(), 3, recipe(variant, row), 0)
        digest = hashlib.sha256(record.probability.tobytes())
        for weights in record.weights:
            digest.update(weights.tobytes())
        losses = record.history[:, HISTORY.index("val_loss")].tolist()
        found[variant] = {"val_loss": losses, "sha256": digest.hexdigest()}
    return found


if __name__ == "__main__":
    made = {
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "processor": processor(),
        "folds": folds(ROWS),
    }
    print(json.dumps(made, indent=2))
