"""What a comparison needs of the files of one variant, and whether variants can be compared."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import files
from stages.errors import UserError
from stages.scoring import calibration, classification

HISTORY = ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
TRAINED = ("fingerprint", "data_sha256", "settings")
SCORES = ("accuracy", "loss", "top_2_accuracy", "macro_precision", "macro_recall", "macro_f1")
SCORES += ("cohen_kappa", "brier", "expected_calibration_error")


class Result(NamedTuple):
    """One variant: its files without what takes room; classes are numbers from 0."""

    accuracy: np.ndarray  # float (n,), validation accuracy of each fold
    folds: list[tuple[int, int]]  # (fold number, validation images)
    label: np.ndarray  # int (images,), of the training images
    guess: np.ndarray  # int (images,), the out-of-fold prediction for each
    test_label: np.ndarray  # int (tests,), of the test images
    test_guess: np.ndarray  # int (tests,), the prediction for each
    confidence: np.ndarray  # float (tests,), the probability of that prediction
    likelihood: np.ndarray  # float (tests,), the probability of the true class
    counts: np.ndarray  # int (classes, classes), test images by actual and predicted class
    per_class: list[tuple]  # of test images, as from `classification.per_class`
    bins: dict[str, np.ndarray]  # of test images, as from `calibration.reliability_bins`
    history: dict[str, np.ndarray]  # the columns of history.csv; empty for an ensemble
    training: dict[str, Any]  # fingerprint, data_sha256, settings and description
    scores: dict[str, float]  # SCORES, on the test images
    parameters: int

    @property
    def precision(self) -> str:
        """Return what it was trained in; an ensemble was trained in what its members were."""
        rows = self._rows()
        return " and ".join(sorted({row.get("precision", "float32") for row in rows}))

    @property
    def stops_early(self) -> bool:
        """Return whether the images that score a fold also chose its epoch, of any member."""
        return any(row.get("early_stopping") for row in self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        """Return the section `train` of its settings, of an ensemble those of its members."""
        settings = self.training["settings"]
        return [row.get("train", {}) for row in settings.get("ensemble", {"": settings}).values()]

    @property
    def right(self) -> np.ndarray:
        """Return which training images the out-of-fold prediction hits: bool (images,)."""
        return self.guess == self.label

    @property
    def test_right(self) -> np.ndarray:
        """Return which test images are predicted rightly: bool (tests,)."""
        return self.test_guess == self.test_label


def read(name: str, results: Path = Path("results")) -> Result:
    """Read the results of one variant.

    Raises:
        UserError: when a file is missing or cannot be read; says which stage writes it.
    """
    folder = results / name
    try:
        rows = files.read_table(folder / "folds.csv")
        history = files.read_table(folder / "history.csv")
        if not history:
            raise UserError("history.csv has no rows")
        epochs = [row for row in history if row["epoch"]]  # an ensemble has none
        training = files.read_json(folder / "training.json")
        metrics = files.read_json(folder / "metrics.json")
        with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
            label, test_label = arrays["oof_label"], arrays["test_label"]
            guess = arrays["oof_probability"].argmax(axis=1)
            probability = arrays["test_probability"]
        return Result(
            accuracy=np.array([row["accuracy"] for row in rows], dtype=np.float64),
            folds=[(row["fold"], row["val_images"]) for row in rows],
            label=label.astype(np.int32),  # 200 variants of 60,000 images fit into memory
            guess=guess.astype(np.int32),
            test_label=test_label.astype(np.int32),
            test_guess=probability.argmax(axis=1).astype(np.int32),
            confidence=probability.max(axis=1),
            likelihood=probability[np.arange(len(test_label)), test_label],
            counts=classification.confusion_matrix(probability, test_label),
            per_class=classification.per_class(probability, test_label),
            bins=calibration.reliability_bins(probability, test_label),
            history={key: np.array([row[key] for row in epochs]) for key in HISTORY},
            training={key: training[key] for key in TRAINED}
            | {"description": training.get("description", "")},
            scores={key: metrics["test"][key] for key in SCORES},
            parameters=metrics["parameters"],
        )
    except FileNotFoundError as error:
        missing = Path(error.filename)
        trained = ("folds.csv", "history.csv", "training.json")
        stage = "train" if missing.name in trained else "evaluate"
        raise UserError(
            f"{missing} is missing: variant {name!r} has no finished results to compare; "
            f"run `dvc repro {stage}@{name}`."
        ) from None
    except (KeyError, IndexError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{folder} holds a file that is not what train and evaluate write ({error}); "
            f"run `dvc repro -f train@{name} evaluate@{name}`."
        ) from None


def check(results: Mapping[str, Result], dataset: Mapping[str, Any], baseline: str) -> None:
    """Refuse results that do not come from the same images, folds and precision.

    Args:
        results: variant -> its results.
        dataset: the content of dataset.json.
        baseline: the variant whose folds all others must have.

    Raises:
        UserError: names the variant, and what differs.
    """
    count, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    for name, result in results.items():
        sha256 = result.training["data_sha256"]
        if sha256 != dataset["sha256"]:
            raise UserError(
                f"variant {name!r} was trained on other images or folds than data/prepared holds "
                f"now (sha256 {sha256[:8]} instead of {dataset['sha256'][:8]}), so it "
                f"cannot be compared; run `dvc repro publish@{name}`."
            )
        if [fold for fold, _ in result.folds] != list(range(count * repeats)):
            raise UserError(
                f"variant {name!r} has results of {len(result.folds)} folds where data/prepared "
                f"has {count} x {repeats}; run `dvc repro publish@{name}`."
            )
        if not np.isfinite(result.accuracy).all():
            raise UserError(
                f"variant {name!r} has a fold whose accuracy is no number, so it cannot be "
                f"compared; mend its settings and run `dvc repro publish@{name}`."
            )
        other = results[baseline]
        same_folds = result.folds == other.folds
        same_labels = np.array_equal(result.label, other.label)
        if not (same_folds and same_labels and np.array_equal(result.test_label, other.test_label)):
            what = "labels" if same_folds else "folds"
            raise UserError(
                f"variant {name!r} and the baseline {baseline!r} were not scored on the same "
                f"{what}, so they cannot be compared; run `dvc repro -f train@{name}`."
            )
        if result.precision != other.precision:
            raise UserError(
                f"variant {name!r} was trained in {result.precision} and the baseline {baseline!r} "
                f"in {other.precision}, so they cannot be compared; give all chosen variants the "
                "same train.precision."
            )
