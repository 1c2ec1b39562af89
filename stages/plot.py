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
    """Draw the figures of a variant and write its model card.

    The figures are curves, confusion matrices, calibration, mistakes, samples, the data card and,
    if the variant has any, augmentation.

    Args:
        variant: a trained and evaluated row of params.yaml.

    Raises:
        UserError: when a file of an earlier stage is missing or damaged.
    """
    results = RESULTS / variant
    history = _columns(files.existing(results / "history.csv", f"train@{variant}"), HISTORY)
    folds = _columns(
        files.existing(results / "folds.csv", f"train@{variant}"), ("fold", "best_epoch")
    )
    predictions = files.read_arrays(
        files.existing(results / "predictions.npz", f"evaluate@{variant}"),
        ("test_probability", "test_label"),
    )
    probability, label = predictions.values()
    training = files.read_json(
        files.existing(results / "training.json", f"train@{variant}"),
        ("fingerprint", "parameters", "final", "settings"),
    )
    metrics = files.read_json(
        files.existing(results / "metrics.json", f"evaluate@{variant}"), ("cv", "test")
    )
    dataset = files.read_dataset(PREPARED)
    classes = dataset["classes"]
    images, train_images, train_labels = (
        files.read_array(files.existing(PREPARED / f"{name}.npy", "prepare"))
        for name in ("test_images", "train_images", "train_labels")
    )

    best = set(zip(folds["fold"].tolist(), folds["best_epoch"].tolist(), strict=True))
    rows = zip(history["fold"].tolist(), history["epoch"].tolist(), strict=True)
    history["kept"] = np.array([row in best for row in rows])
    counts = classification.confusion_matrix(probability, label)
    bins = reliability.reliability_bins(probability, label)
    error = reliability.expected_calibration_error(probability, label)
    found = classification.mistakes(probability, label)
    predicted = probability.argmax(axis=1)
    figures = {
        "curves": curves(history, variant=variant),
        "confusion_matrix": confusion_matrix(counts, classes, variant=variant),
        "confusion_matrix_normalized": confusion_matrix(
            counts, classes, variant=variant, normalized=True
        ),
        "calibration": calibration(bins, error, variant=variant),
        "mistakes": mistakes(images, found, classes, variant=variant),
        "samples": samples(images, label, predicted, classes, variant=variant),
        "data_card": data_card(
            train_images, train_labels, label, classes, facts(dataset), source=dataset["source"]
        ),
    }
    original, changed = files.read_arrays(
        files.existing(results / "augmentation.npz", f"train@{variant}"), ("original", "changed")
    ).values()
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
