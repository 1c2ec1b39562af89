"""The stage `plot@<variant>`: draw the figures of a variant and write its model card."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import files
from stages.figures import style
from stages.figures.augmentation import augmentation
from stages.figures.calibration import calibration
from stages.figures.confusion import confusion_matrix
from stages.figures.curves import curves
from stages.figures.data_card import data_card
from stages.figures.gallery import mistakes, samples
from stages.report.dataset import facts
from stages.report.model_card import model_card
from stages.report.settings import formatted
from stages.statistics import calibration as reliability
from stages.statistics import classification

PREPARED = Path("data/prepared")
RESULTS = Path("results")
HISTORY = ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")  # of history.csv


def plot(variant: str) -> None:
    """Draw the figures of a trained and evaluated variant and write its model card.

    Raises:
        UserError: when a file of an earlier stage is missing or damaged.
    """
    results = RESULTS / variant
    train, evaluate = f"train@{variant}", f"evaluate@{variant}"
    history = _columns(files.existing(results / "history.csv", train), HISTORY)
    folds = _columns(files.existing(results / "folds.csv", train), ("fold", "best_epoch"))
    best = set(zip(*(column.tolist() for column in folds.values()), strict=True))
    rows = zip(history["fold"].tolist(), history["epoch"].tolist(), strict=True)
    history["kept"] = np.array([row in best for row in rows])
    path = files.existing(results / "predictions.npz", evaluate)
    probability, label = files.read_arrays(path, ("test_probability", "test_label")).values()
    path = files.existing(results / "training.json", train)
    training = files.read_json(path, ("fingerprint", "parameters", "final", "settings"))
    metrics = files.read_json(files.existing(results / "metrics.json", evaluate), ("cv", "test"))
    path = files.existing(results / "augmentation.npz", train)
    original, changed = files.read_arrays(path, ("original", "changed")).values()
    dataset = files.read_dataset(PREPARED)
    classes = dataset["classes"]
    images, train_images, train_labels = (
        files.read_array(files.existing(PREPARED / f"{name}.npy", "prepare"))
        for name in ("test_images", "train_images", "train_labels")
    )

    named = {"classes": classes, "variant": variant}
    counts = classification.confusion_matrix(probability, label)
    bins = reliability.reliability_bins(probability, label)
    error = reliability.expected_calibration_error(probability, label)
    found = classification.mistakes(probability, label)
    figures = {
        "curves": curves(history, variant=variant),
        "confusion_matrix": confusion_matrix(counts, **named),
        "confusion_matrix_normalized": confusion_matrix(counts, **named, normalized=True),
        "calibration": calibration(bins, error, variant=variant),
        "mistakes": mistakes(images, found, **named),
        "samples": samples(images, label, probability.argmax(axis=1), **named),
        "data_card": data_card(
            train_images, train_labels, label, classes, facts(dataset), source=dataset["source"]
        ),
    }
    if len(changed):
        ops = [formatted(op) for op in training["settings"]["augmentation"]]
        names = [*ops, "all of them, in this order"][: len(changed)]
        figures["augmentation"] = augmentation(original, changed, names, variant=variant)
    for name, figure in figures.items():
        style.save(figure, results / "plots" / f"{name}.png")
    card = model_card(
        variant,
        dataset=dataset,
        training=training,
        metrics=metrics,
        probability=probability,
        label=label,
    )
    with files.replacing(results / "model_card.md") as temporary:
        temporary.write_text(card, encoding="utf-8")


def _columns(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the named columns of a CSV file."""
    rows = files.read_table(path, names)
    if not rows:
        raise files.damaged(path, "it has no rows")
    return {name: np.array([row[name] for row in rows]) for name in names}
