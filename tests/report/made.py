"""Plausible results of any number of variants, as the stages write them, without training."""

import hashlib

import numpy as np
import yaml
from PIL import Image

from stages import files
from stages.report import html
from stages.report.checks import findings
from stages.report.comparison import Comparison, compared
from stages.report.results import Result, read
from stages.settings.sections import Compare
from stages.statistics import classification
from stages.statistics.metrics import METRICS
from stages.statistics.paired import mean_std
from stages.statistics.power import MinimumDetectable
from tests.prepared import TRAIN, dataset

SHA256 = "ab" * 32
EPOCHS = 4
POSSIBLE = MinimumDetectable(effect=0.004, limit=0.002, repeats=3)
IMPOSSIBLE = MinimumDetectable(effect=0.02, limit=0.01, repeats=None)
WIDE = {"outcome": "undecided", "verdict": "undecided: +1.00 points (95 % 0.00 to 2.00)"}
WIDE |= {"cv_mean": 0.99, "cv_std": 0.00123, "difference": 0.01, "ci_low": 0.0, "ci_high": 0.02}
WIDE |= {
    "p_better": 0.98765,
    "p_best": 0.7,
    "p_holm": 0.0213,
    "test_accuracy": 0.8,
    "parameters": 9,
}


def make(root, names, *, classes=10, train=200, tests=100, folds=5, repeats=1, shape=(8, 8, 1)):
    """Write params.yaml, data/prepared and the results of all `names`; the first is the baseline.

    `classes` is how many there are, or their names; `train` and `tests` are numbers of images.
    """
    random = np.random.default_rng(0)
    named = [str(i) for i in range(classes)] if isinstance(classes, int) else list(classes)
    labels = [np.arange(n) % len(named) for n in (train, tests)]
    images = random.integers(0, 256, (tests, *shape), dtype="uint8")
    prepare(root, names, labels, named, images, folds={"count": folds, "repeats": repeats})
    for name in names:
        probability = [predicted(random, label, len(named)) for label in labels]
        correct = probability[0].argmax(axis=1) == labels[0]
        size = train // folds
        drawn = [random.permutation(correct)[:size].mean() for _ in range(1, folds * repeats)]
        scores, parameters = [correct.mean(), *drawn], int(random.integers(10**6))
        write(root / "results" / name, scores, probability, labels, parameters=parameters)


def prepare(root, names, labels, classes, images, *, folds, **compare):
    """Write params.yaml and data/prepared of the training and test labels, and test images."""
    counts = [np.bincount(label, minlength=len(classes)).tolist() for label in labels]
    scheme = folds["count"], folds["repeats"]
    content = dataset("made", classes, images.shape[1:], *counts, *scheme, sha256=SHA256)
    files.write_json(root / "data" / "prepared" / "dataset.json", content)
    np.save(root / "data" / "prepared" / "test_images.npy", images)
    train = np.zeros((len(labels[0]), *images.shape[1:]), np.uint8)
    np.save(root / "data" / "prepared" / "train_images.npy", train)
    rows = [(row, "") for row in range(len(train))]
    files.write_table(root / "data" / "prepared" / "train_names.csv", ("row", "file"), rows)
    columns = ("group", "split", "index", "row", "file", "label", "distance")
    files.write_table(root / "data" / "prepared" / "near_duplicates.csv", columns, [])
    content = {
        "train": TRAIN,
        "folds": folds,
        "variants": {name: {"architecture": "basic"} for name in names},
        "compare": {"variants": list(names), "baseline": names[0]} | compare,
    }
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def write(folder, accuracy, probability, labels, *, sha256=SHA256, parameters=1234, scores=()):
    """Write the files of one variant that `compare` reads.

    `probability` and `labels` are those of the training images out of fold, and of the test images.
    """
    files.write_table(
        folder / "folds.csv",
        ("fold", "accuracy", "best_epoch", "val_images"),
        [(fold, float(score), EPOCHS, 20) for fold, score in enumerate(accuracy)],
    )
    files.write_table(
        folder / "fold_scores.csv",
        ("fold", *METRICS),
        [(fold, *[float(score)] * len(METRICS)) for fold, score in enumerate(accuracy)],
    )
    files.write_table(
        folder / "history.csv",
        ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"),
        [
            (fold, e, 0.5 / e, 1 - 0.2 / e, 0.6 / e, score - 0.1 * (EPOCHS - e) / EPOCHS)
            for fold, score in enumerate(accuracy)
            for e in range(1, EPOCHS + 1)
        ],
    )
    architecture = {"name": "basic", "arguments": {"dense": parameters}}
    training = {
        "fingerprint": folder.name.encode().hex()[:64],
        "data_sha256": sha256,
        "final": "soft_vote",
        "description": f"The variant {folder.name}.",
        "environment": {"python": "3.11"},
        "settings": {"architecture": architecture, "augmentation": [], "train": {"epochs": EPOCHS}},
    }
    files.write_json(folder / "training.json", training)
    test = classification.summary(probability[1], labels[1]) | dict(scores)
    error = classification.expected_calibration_error(probability[1], labels[1])
    test |= {"expected_calibration_error": error, "n": len(labels[1])}
    metrics = {"cv": {"accuracy": mean_std(accuracy)}, "test": test, "parameters": parameters}
    scaling = {"test_loss_without": 0.0812, "test_loss_with": 0.0798}
    metrics["model_bytes"] = 4_720_000
    metrics["temperature"] = {"fitted": 1.25, "in_model": False} | scaling
    files.write_json(folder / "metrics.json", metrics)
    (folder / "plots").mkdir(exist_ok=True)
    for figure in ("calibration", "confusion_matrix", "data_card", "occlusion", "two_classes"):
        Image.new("L", (8, 8)).save(folder / "plots" / f"{figure}.png")
    wrong = (probability[1].argmax(axis=1) != labels[1]).sum()
    np.savez(folder / "occlusion.npz", drops=np.full((min(wrong, 20), 8, 8), 0.1, np.float32))
    np.savez(
        folder / "predictions.npz",
        oof_probability=probability[0],
        oof_label=labels[0],
        test_probability=probability[1],
        test_label=labels[1],
        test_sha256=SHA256,
        model_sha256=hashlib.sha256(f"{folder.name} {test}".encode()).hexdigest(),
    )


def predicted(random, label, classes):
    """Return probabilities in which the label mostly leads: float32 (images, classes)."""
    score = random.gumbel(0, 1, (len(label), classes)).astype("float32")
    score[np.arange(len(label)), label] += 3
    exponent = np.exp(score - score.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def result(**fields):
    """Return the results of a variant with only these fields."""
    return Result(**dict.fromkeys(Result._fields) | fields)


def row(variant, outcome, verdict="", cv_mean=0.99, **cells):
    """Return the row of a comparison of one variant."""
    cells = {"difference": 0.0031, "ci_low": 0.0012, "ci_high": 0.005, "n": 10} | cells
    cells |= {"variant": variant, "outcome": outcome, "verdict": verdict or outcome}
    cells |= {
        "cv_mean": cv_mean,
        "cv_std": 0.00123,
        "p_better": 0.98765,
        "p_best": 0.7,
        "p_holm": 0.0213,
    }
    cells |= {"test_accuracy": 0.9912, "parameters": 225034}
    if outcome == "baseline":
        cells |= dict.fromkeys(("difference", "ci_low", "ci_high", "p_better", "p_holm"))
    return {"on_validation": []} | cells


def comparison(*rows, repeats=2, **changed):
    """Return a comparison of rows with the baseline `basic`."""
    dataset = {"folds": {"count": 5, "repeats": repeats}, "test": {"images": 10_000}}
    dataset["classes"] = ["cat", "dog", "owl"]
    fields = {"results": {}, "detectable": {}, "baseline": "basic", "rope": 0.0005, "uses": 1234}
    fields["metric"] = METRICS["accuracy"]
    return Comparison(rows=list(rows), dataset=dataset, **fields | changed)


def page(root, names, **changed):
    """Return the page of some variants, whose rows have other cells where `changed` says so."""
    dataset = files.read_json(root / "data" / "prepared" / "dataset.json")
    found = {name: read(name, root / "results") for name in names}
    comparison = compared(found, dataset, Compare(variants=[*names], baseline=names[0]), 7)
    rows = [row | changed.get(row["variant"], {}) for row in comparison.rows]
    images = np.load(root / "data" / "prepared" / "test_images.npy")
    (root / "results" / "plots").mkdir(exist_ok=True)
    for name in ("comparison", "label_issues", "near_duplicates", "ranks"):
        Image.new("L", (8, 8)).save(root / "results" / "plots" / f"{name}.png")
    return html.page(
        comparison._replace(rows=rows), findings(comparison), images, root / "results", 0
    )
