"""Read the results of variants, and check that they can be compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import files
from stages.errors import UserError
from stages.report.settings import rows
from stages.statistics import classification, conformal, two_classes
from stages.statistics.metrics import METRICS
from stages.statistics.uses import Use

FILES = {  # stage -> files that it writes and that are read here
    "train": ("folds.csv", "history.csv", "training.json"),
    "evaluate": ("fold_scores.csv", "metrics.json", "predictions.npz"),
}
COVERAGES = (0.95, 0.99)  # of prediction sets
HISTORY = ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
TRAINING_KEYS = ("fingerprint", "data_sha256", "settings", "final", "description", "environment")
PREDICTIONS: tuple[str, ...] = ("oof_probability", "oof_label", "test_probability", "test_label")
PREDICTIONS += ("test_sha256", "model_sha256")
TEST_SCORES: tuple[str, ...] = ("accuracy", "loss", "top_2_accuracy", "cohen_kappa", "brier")
TEST_SCORES += ("macro_precision", "macro_recall", "macro_f1", "expected_calibration_error")


class Result(NamedTuple):
    """Results of one variant, without large arrays. Classes are numbers from 0."""

    accuracy: np.ndarray  # float (n,), validation accuracy of each fold
    images: np.ndarray  # float (n,), number of its validation images
    scores: dict[str, np.ndarray]  # metric -> float (n,), of each fold; see statistics.metrics
    label: np.ndarray  # int32 (images,), of the training images
    predicted: np.ndarray  # int32 (images,), their out-of-fold predictions
    test_label: np.ndarray  # int32 (test images,), of the test images
    test_predicted: np.ndarray  # int32 (test images,), their predictions
    confidence: np.ndarray  # float (test images,), the probability of that prediction
    p_true: np.ndarray  # float (test images,), the probability of the true class
    counts: np.ndarray  # int (classes, classes), test images by actual and predicted class
    per_class: list[tuple]  # of test images, as from `classification.per_class`
    bins: dict[str, np.ndarray]  # of test images, as from `classification.reliability_bins`
    curves: dict[str, dict[str, Any]]  # "oof" and "test", as from `two_classes.curves`
    thresholds: list[two_classes.Row]  # as from `two_classes.thresholds`, for two classes
    coverage: list[conformal.Coverage]  # of prediction sets of the test images
    history: dict[str, np.ndarray]  # as `figures.curves` takes it; empty for an ensemble
    training: dict[str, Any]  # training.json
    metrics: dict[str, Any]  # metrics.json
    use: Use  # of the test set, by its model

    @property
    def correct(self) -> np.ndarray:
        """Return which out-of-fold predictions are correct: bool (images,)."""
        return self.predicted == self.label

    @property
    def test_correct(self) -> np.ndarray:
        """Return which predictions of test images are correct: bool (test images,)."""
        return self.test_predicted == self.test_label

    @property
    def curve_images(self) -> int | None:
        """Return how many images of a fold are scored before its last epoch; None: all."""
        scored = self.training.get("curve_images")
        return scored if scored and scored < max(self.images) else None

    @property
    def mistakes(self) -> list[classification.Mistake]:
        """Return the wrongly predicted test images; see `classification.mistakes`."""
        return classification.mistakes(self.test_label, self.test_predicted, self.confidence)

    def confused(self, classes: Sequence[str], most: int) -> str:
        """Return at most `most` pairs of classes, the most confused first: `a taken for b (3)`."""
        return ", ".join(
            f"{classes[actual]} taken for {classes[predicted]} ({images:,})"
            for actual, predicted, images in classification.most_confused_pairs(self.counts, most)
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return what must be equal in all variants: versions, and the numeric precision."""
        trained = [row.get("train", {}) for row in rows(self.training["settings"])]
        precisions = sorted({train.get("precision", "float32") for train in trained})
        return {"precision": " and ".join(precisions)} | self.training["environment"]


def read(name: str, results: Path = files.RESULTS) -> Result:
    """Read the results of one variant.

    Raises:
        UserError: when a file is missing or damaged; names the file and the next command.
    """
    folder = results / name
    for stage, names in FILES.items():
        for file in names:
            files.existing(folder / file, f"{stage}@{name}")
    columns = ("fold", "accuracy", "best_epoch", "val_images")
    folds = files.read_table(folder / "folds.csv", columns)
    accuracy, images = (
        _numbers(folder / "folds.csv", folds, key) for key in ("accuracy", "val_images")
    )
    scored = folder / "fold_scores.csv"
    table = files.read_table(scored, ("fold", *METRICS))
    if len(table) != len(folds):
        raise files.damaged(scored, f"of {len(table)} folds where folds.csv has {len(folds)}")
    best = {(row["fold"], row["best_epoch"]) for row in folds}
    history = files.read_table(folder / "history.csv", HISTORY)
    if not history:
        raise files.damaged(folder / "history.csv", "without rows")
    epochs = [row for row in history if row["epoch"]]  # an ensemble has none
    for row in epochs:
        row["selected"] = (row["fold"], row["epoch"]) in best
    arrays = _predictions(folder / "predictions.npz")
    probability, test_label = arrays["test_probability"], arrays["test_label"]
    return Result(
        accuracy=accuracy,
        images=images,
        scores={key: _numbers(scored, table, key) for key in METRICS} | {"accuracy": accuracy},
        label=arrays["oof_label"].astype(np.int32),  # 200 variants must fit in memory
        predicted=arrays["oof_probability"].argmax(axis=1).astype(np.int32),
        test_label=test_label.astype(np.int32),
        test_predicted=probability.argmax(axis=1).astype(np.int32),
        confidence=probability.max(axis=1),
        p_true=probability[np.arange(len(test_label)), test_label],
        counts=classification.confusion_matrix(probability, test_label),
        per_class=classification.per_class(probability, test_label),
        bins=classification.reliability_bins(probability, test_label),
        curves={
            kind: two_classes.curves(arrays[f"{kind}_probability"], arrays[f"{kind}_label"])
            for kind in ("oof", "test")
        },
        thresholds=two_classes.thresholds(
            arrays["oof_probability"], arrays["oof_label"], probability, test_label
        ),
        coverage=[
            conformal.coverage(
                arrays["oof_probability"], arrays["oof_label"], probability, test_label, wanted
            )
            for wanted in COVERAGES
        ],
        history={
            key: _numbers(folder / "history.csv", epochs, key) for key in (*HISTORY, "selected")
        },
        training=files.read_json(folder / "training.json", TRAINING_KEYS),
        metrics=_metrics(folder / "metrics.json"),
        use=Use(str(arrays["test_sha256"]), name, str(arrays["model_sha256"])),
    )


def _metrics(path: Path) -> dict[str, Any]:
    metrics = files.read_json(path, ("cv", "test", "parameters", "temperature", "model_bytes"))
    files.require(path, metrics["test"], TEST_SCORES)
    for key, value in [("parameters", metrics["parameters"]), *metrics["test"].items()]:
        if isinstance(value, str):
            raise files.damaged(path, f"{key} is {value!r}")
    return metrics


def _predictions(path: Path) -> dict[str, np.ndarray]:
    arrays = files.read_arrays(path, PREDICTIONS)
    for kind in ("oof", "test"):
        scores, label = (arrays[f"{kind}_{name}"] for name in ("probability", "label"))
        if scores.ndim != 2 or label.shape != scores.shape[:1] or (label >= scores.shape[1]).any():
            problem = f"{kind}_label does not fit {kind}_probability, of shape {scores.shape}"
            raise files.damaged(path, problem)
    return arrays


def _numbers(path: Path, rows: Sequence[Mapping[str, Any]], column: str) -> np.ndarray:
    """Return a column of a table; empty cells become NaN."""
    cells = [row[column] for row in rows]
    try:
        return np.array([float(one or "nan") if isinstance(one, str) else one for one in cells])
    except ValueError as error:
        raise files.damaged(path, f"{column}: {error}") from None


def check(
    results: Mapping[str, Result],
    dataset: Mapping[str, Any],
    baseline: str,
    metric: str = "accuracy",
) -> None:
    """Raise UserError unless all results share images, folds, precision and environment.

    `dataset` is the content of dataset.json, and `metric` compares the variants; the message names
    the variant and what differs from it or from the baseline.
    """
    images = tuple(dataset[split]["images"] for split in ("train", "test"))
    count, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    other = results[baseline]
    for name, result in results.items():
        sha256, again = result.training["data_sha256"], f"run `dvc repro publish@{name}`"
        one, two = result.environment, other.environment
        differing = [key for key in one | two if one.get(key) != two.get(key)]
        labels = (result.label, other.label), (result.test_label, other.test_label)
        if differing:
            mine, theirs = (
                ", ".join(f"{key} {known.get(key, 'unknown')}" for key in differing)
                for known in (one, two)
            )
            problem = (
                f"was trained with {mine} and the baseline {baseline!r} with {theirs}, so they "
                "cannot be compared; give all variants the same train.precision and run "
                "`make repro`, which trains them in the current environment"
            )
        elif sha256 != dataset["sha256"]:
            problem = (
                "was not trained on the images and folds now in data/prepared (sha256 "
                f"{sha256[:8]} instead of {dataset['sha256'][:8]}); {again}"
            )
        elif len(result.accuracy) != count * repeats:
            problem = (
                f"has results of {len(result.accuracy)} folds where data/prepared has {count} x "
                f"{repeats}; {again}"
            )
        elif not np.isfinite(result.scores[metric]).all():
            problem = (
                f"has a fold whose {METRICS[metric].label} is not a number, so it cannot be "
                f"compared; use another compare.metric or folds.seed, and {again}"
            )
        elif not all(np.array_equal(*pair) for pair in labels):
            problem = (
                f"and the baseline {baseline!r} were not scored on the same labels, so they cannot "
                f"be compared; run `dvc repro -f train@{name}`"
            )
        elif (scored := (len(result.label), len(result.test_label))) != images:
            problem = (
                f"has predictions of {scored[0]:,} training and {scored[1]:,} test images, and "
                f"data/prepared has {images[0]:,} and {images[1]:,}; "
                f"run `dvc repro -f train@{name}`"
            )
        else:
            continue
        raise UserError(f"variant {name!r} {problem}.")
