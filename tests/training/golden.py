"""Train a few small folds and print their results as JSON; golden.json is its output.

Regenerate it after a change that is meant to change bits:
    python -m tests.training.golden > tests/training/golden.json
TensorFlow selects kernels when it first computes, so this must run in a separate process.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from stages.engine import hardware
from stages.engine.identity import of_arrays
from stages.engine.resolve import recipe
from stages.models import efficientnet_lite
from stages.settings.sections import Named
from stages.training.features import features
from stages.training.fine_tuning import fine_tune
from stages.training.fold import HISTORY, train_fold
from tests.models.public_weights import weights
from tests.prepared import TRAIN, parse
from tests.prepared import recipe as of_parts

ROWS = {
    "basic": {"architecture": "basic"},
    "dropout": {
        "architecture": "dropout",
        "train": {"optimizer": "sgd", "schedule": {"cosine": {"warmup": 0.1}}},
    },
    "stacked": {
        "architecture": "stacked",
        "train": {"optimizer": "rmsprop", "label_smoothing": 0.1, "l2": 1e-4},
    },
    "batchnorm_moved": {
        "architecture": "batchnorm",
        "augmentation": [
            {"rotate": {"degrees": 10}},
            {"zoom": {"factor": 0.1}},
            {"shear": {"degrees": 5}},
            {"shift": {"fraction": 0.08}},
            {"elastic": {"pixels": 1}},
        ],
    },
    "double_conv": {"architecture": "double_conv", "train": {"optimizer": "rmsprop"}},
    "resnet_mixed": {
        "architecture": "resnet",
        "augmentation": [{"mixup": {"alpha": 0.3}}, {"cutmix": {"alpha": 1.0}}],
        "train": {"class_weight": "balanced", "global_clipnorm": 1.0},
    },
    "allconv": {
        "architecture": "allconv",
        "augmentation": [{"noise": {"deviation": 5}}, {"brightness": {"factor": 0.2}}],
        "train": {"schedule": "onecycle"},
    },
    "m5": {"architecture": "m5", "train": {"optimizer": {"sgd": {"momentum": 0.9}}}},
    "sprint": {"architecture": "sprint"},
    "tiny_flipped": {
        "architecture": "tiny",
        "augmentation": [{"flip": {"force": True}}, {"random_erasing": {"fraction": 0.3}}],
        "train": {"ema": 0.9, "class_weight": "balanced"},
    },
}
SETTINGS = parse(train=TRAIN | {"batch_size": 32, "learning_rate": 0.004}, variants=ROWS)


def images():
    """Return images, labels and folds computed with integers only."""
    count = 120
    place = np.arange(count * 28 * 28, dtype=np.uint64).reshape(count, 28, 28, 1)
    labels = np.arange(count) % 3
    pixels = (
        (place * np.uint64(2654435761) >> np.uint64(20)) % 256 // (1 + labels[:, None, None, None])
    )
    folds = np.arange(count) // 3 % 2
    return pixels.astype(np.uint8), labels.astype(np.int64), folds.astype(np.int16)


def backbones():
    """Return SHA-256 of features of augmented views, and of the fold of a fine-tuned backbone."""
    pixels, labels, folds = images()
    pixels = np.repeat(pixels[:24], 2, axis=1).repeat(2, axis=2)  # of 56 pixels
    arrays = efficientnet_lite.converted(weights())
    frozen, tuned = (
        Named(name="backbone", arguments={"name": "efficientnet_lite0"} | arguments)
        for arguments in ({"views": 2}, {"freeze": 1, "rate": 0.1})
    )
    rotated = Named(name="rotate", arguments={"degrees": 10})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.npz"
        np.savez(file, **{f"{number:04d}": array for number, array in enumerate(arrays)})
        found = features(pixels, of_parts(frozen, [rotated]), file)
    few = of_parts(tuned, epochs=1, batch_size=6)
    record = fine_tune(found[:, :1], arrays, pixels, labels[:24], folds[:24], 3, few, 0)
    digests = {"features": [found], "fine_tuning": [record.probability, *record.weights]}
    return {name: of_arrays(parts) for name, parts in digests.items()}


def processor():
    """Return vendor, family and model of the processor, or "" if unknown."""
    fields = hardware.processor()
    return " ".join(fields.get(key, "") for key in ("vendor_id", "cpu family", "model")).strip()


def fold(variant):
    """Return a fold's validation losses and SHA-256 of its probabilities and weights."""
    record = train_fold(*images(), 3, recipe(SETTINGS, variant), 0)
    losses = record.history[:, HISTORY.index("val_loss")].tolist()
    return {"val_loss": losses, "sha256": of_arrays([record.probability, *record.weights])}


if __name__ == "__main__":
    made = {
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "processor": processor(),
        "kernels": hardware.kernels("portable"),
        "folds": {variant: fold(variant) for variant in ROWS} | backbones(),
    }
    print(json.dumps(made, indent=2))
