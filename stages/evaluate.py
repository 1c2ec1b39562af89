"""The stage `evaluate@<variant>`: score the shipped model file on the test set."""

import hashlib

import numpy as np

from stages import files
from stages.engine import environment, model_file
from stages.engine.predict import score
from stages.settings import params
from stages.statistics import classification, two_classes, uses
from stages.statistics.paired import mean_std
from stages.statistics.scores import SCORES, of_folds
from stages.training import temperature


def evaluate(variant: str) -> None:
    """Score a variant's model on the test set, and its folds on their validation images.

    The use of the test set is recorded in results/test_set_uses.csv before any score is written.

    Raises:
        UserError: when a file of an earlier stage is damaged, or a file cannot be written.
    """
    settings = params.load()
    kernels = settings.train.kernels
    environment.check(kernels)
    results = files.RESULTS / variant
    files.check_writable(results)
    dataset = files.read_dataset(files.PREPARED)
    names = dataset["classes"]
    for name in ("out_of_fold.npz", "model.keras", "folds.csv", "training.json"):
        files.existing(results / name, f"train@{variant}")
    images = files.read_array(files.existing(files.PREPARED / "test_images.npy", "prepare"))
    test_label = np.array(files.read_array(files.PREPARED / "test_labels.npy"))
    stored = files.read_arrays(results / "out_of_fold.npz", ("oof_probability", "oof_label"))
    by_repeat, oof_label = stored.values()
    oof_probability = by_repeat.mean(axis=0, dtype=np.float64).astype(np.float32)

    model = results / "model.keras"
    content = model.read_bytes()
    model_file.layers(content, str(model))
    model_sha256 = hashlib.sha256(content).hexdigest()
    use = uses.Use(uses.digest(images, test_label), variant, model_sha256)
    scored = score(model, images, test_label, settings.parallel, kernels)
    test_probability = scored.probability
    uses.note([use])
    files.write_arrays(
        results / "predictions.npz",
        {
            "oof_probability": oof_probability,
            "oof_label": oof_label,
            "test_probability": test_probability,
            "test_label": test_label,
            "test_sha256": np.array(use.test_sha256),  # these two identify the line in the ledger
            "model_sha256": np.array(use.model_sha256),
        },
    )
    per_class = classification.per_class(test_probability, test_label)
    files.write_table(
        results / "per_class.csv",
        ("class", "precision", "recall", "f1", "support"),
        [(names[number], *scores) for number, *scores in per_class],
    )
    predicted = test_probability.argmax(axis=1)
    files.write_table(
        results / "confusion.csv",
        ("actual", "predicted"),
        [(names[a], names[p]) for a, p in zip(test_label, predicted, strict=True)],
    )
    files.write_table(
        results / "mistakes.csv",
        ("index", "actual", "predicted", "confidence"),
        [(index, names[a], names[p], confidence) for index, a, p, confidence in scored.mistakes],
    )
    files.write_arrays(results / "occlusion.npz", {"drops": scored.drops})
    files.write_table(
        results / "thresholds.csv",
        two_classes.COLUMNS,
        two_classes.thresholds(oof_probability, oof_label, test_probability, test_label),
    )
    training = files.read_json(results / "training.json", ["parameters"])
    folds = files.read_table(results / "folds.csv", ("fold", "accuracy", "loss"))
    fold_of = files.read_array(files.PREPARED / "folds.npy")
    scores = of_folds(by_repeat, oof_label, fold_of)
    files.write_table(
        results / "fold_scores.csv",
        ("fold", *SCORES),
        [(row["fold"], *one.values()) for row, one in zip(folds, scores, strict=True)],
    )
    error = classification.expected_calibration_error(test_probability, test_label)
    curves = two_classes.curves(test_probability, test_label)
    members = (scored.by_member.argmax(axis=2) == test_label).mean(axis=1)
    test = classification.summary(test_probability, test_label) | {
        "expected_calibration_error": error,
        "n": len(test_label),
        "members_accuracy": mean_std(members),
        **{name: float(curves[name]) for name in two_classes.AREAS if curves},
    }
    metrics = {
        "cv": {key: mean_std([row[key] for row in folds]) for key in ("accuracy", "loss")}
        | {
            key: mean_std([row[key] for row in scores]) for key in ("balanced_accuracy", "macro_f1")
        },
        "out_of_fold": classification.summary(oof_probability, oof_label),
        "test": test,
        "temperature": _temperature(
            training.get("temperature", 1.0),
            oof_probability,
            oof_label,
            test_probability,
            test_label,
        ),
        "parameters": training["parameters"],
        "model_bytes": len(content),
    }
    files.write_json(results / "metrics.json", metrics)
    print(f"{variant}: test accuracy {test['accuracy']:.2%} (n = {len(test_label)} images)")


def _temperature(
    in_model: float,
    oof_probability: np.ndarray,
    oof_label: np.ndarray,
    test_probability: np.ndarray,
    test_label: np.ndarray,
) -> dict[str, float | bool]:
    """Return the temperature fitted out of fold, and the test loss without and with it.

    `in_model` is the temperature by which the model's logits are divided already; 1: by none.
    """
    fitted = in_model if in_model != 1 else temperature.fit(oof_probability, oof_label)
    other = 1 / in_model if in_model != 1 else fitted
    plain, changed = (
        classification.summary(one, test_label)["loss"]
        for one in (test_probability, temperature.scaled(test_probability, other))
    )
    without, with_it = (changed, plain) if in_model != 1 else (plain, changed)
    return {
        "fitted": fitted,
        "in_model": in_model != 1,
        "test_loss_without": without,
        "test_loss_with": with_it,
    }
