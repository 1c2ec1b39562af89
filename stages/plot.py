"""Draw the figures of one variant and write its model card: `python -m stages plot VARIANT`."""

from pathlib import Path

import numpy as np

from stages import files
from stages.errors import UserError
from stages.figures import style
from stages.figures.augmentation import augmentation
from stages.figures.calibration import calibration
from stages.figures.confusion import confusion_matrix, confusion_matrix_normalized
from stages.figures.curves import curves
from stages.figures.data_card import data_card
from stages.figures.gallery import mistakes, samples
from stages.report.dataset import facts
from stages.report.model_card import model_card
from stages.report.settings import told
from stages.scoring import calibration as reliability
from stages.scoring import classification

PREPARED = Path("data/prepared")
RESULTS = Path("results")


def plot(variant: str) -> None:
    """Draw the figures of one variant and write its model card.

    They are curves, confusion matrices, calibration, mistakes, samples, the data card and,
    where there is any, augmentation.

    Args:
        variant: a row of params.yaml that is trained and evaluated.

    Raises:
        UserError: when a file of an earlier stage is missing.
    """
    results = RESULTS / variant
    history = _columns(_there(results / "history.csv", f"train@{variant}"))
    folds = _columns(_there(results / "folds.csv", f"train@{variant}"))
    with np.load(_there(results / "predictions.npz", f"evaluate@{variant}")) as predictions:
        probability, label = predictions["test_probability"], predictions["test_label"]
    training = files.read_json(_there(results / "training.json", f"train@{variant}"))
    metrics = files.read_json(_there(results / "metrics.json", f"evaluate@{variant}"))
    dataset = files.read_dataset(PREPARED)
    classes = dataset["classes"]
    images = np.load(_there(PREPARED / "test_images.npy", "prepare"), mmap_mode="r")
    train_images = np.load(_there(PREPARED / "train_images.npy", "prepare"), mmap_mode="r")
    train_labels = np.load(_there(PREPARED / "train_labels.npy", "prepare"))

    best_epoch = dict(zip(folds["fold"].tolist(), folds["best_epoch"].tolist(), strict=True))
    counts = classification.confusion_matrix(probability, label)
    bins = reliability.reliability_bins(probability, label)
    error = reliability.expected_calibration_error(probability, label)
    found = classification.mistakes(probability, label)
    predicted = probability.argmax(axis=1)
    figures = {
        "curves": curves(history, best_epoch, variant=variant),
        "confusion_matrix": confusion_matrix(counts, classes, variant=variant),
        "confusion_matrix_normalized": confusion_matrix_normalized(
            counts, classes, variant=variant
        ),
        "calibration": calibration(bins, error, variant=variant),
        "mistakes": mistakes(images, found, classes, variant=variant),
        "samples": samples(images, label, predicted, classes, variant=variant),
        "data_card": data_card(
            train_images, train_labels, label, classes, facts(dataset), source=dataset["source"]
        ),
    }
    with np.load(_there(results / "augmentation.npz", f"train@{variant}")) as preview:
        original, changed = preview["original"], preview["changed"]
    if len(changed):
        ops = [told(op) for op in training["settings"]["augmentation"]]
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
    with files.replacing(results / "model_card.md") as beside:
        beside.write_text(card, encoding="utf-8")


def _there(path: Path, stage: str) -> Path:
    """Return `path`, or refuse with the stage that writes it."""
    if not path.exists():
        raise UserError(f"{path.as_posix()} is missing; run `dvc repro {stage}` first.")
    return path


def _columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a CSV file of numbers."""
    rows = files.read_table(path)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
