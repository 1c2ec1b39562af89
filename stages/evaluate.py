"""The stage `evaluate@<variant>`: the model file that will be shipped, scored on the test set."""

from pathlib import Path

import numpy as np

from stages import params
from stages.engine import environment
from stages.engine.predict import predict
from stages.files import (
    check_writable,
    read_dataset,
    read_json,
    read_table,
    replacing,
    write_json,
    write_table,
)
from stages.scoring import calibration, classification
from stages.scoring.statistics import mean_std

PREPARED = Path("data/prepared")


def evaluate(variant: str) -> None:
    """Score one variant's model on the test set, and its folds on their validation images."""
    parallel = params.load().parallel
    environment.check()
    results = Path("results") / variant
    check_writable(results)
    dataset = read_dataset(PREPARED)
    names = dataset["classes"]
    images = np.load(PREPARED / "test_images.npy", mmap_mode="r")
    test_label = np.load(PREPARED / "test_labels.npy")
    with np.load(results / "out_of_fold.npz") as stored:
        by_repeat, oof_label = stored["oof_probability"], stored["oof_label"]
    oof_probability = by_repeat.mean(axis=0, dtype=np.float64).astype(np.float32)

    test_probability, by_member = predict(results / "model.keras", images, parallel)
    with replacing(results / "predictions.npz") as beside:
        np.savez(
            beside,
            oof_probability=oof_probability,
            oof_label=oof_label,
            test_probability=test_probability,
            test_label=test_label,
        )
    write_table(
        results / "per_class.csv",
        ("class", "precision", "recall", "f1", "support"),
        [
            (names[number], *scores)
            for number, *scores in classification.per_class(test_probability, test_label)
        ],
    )
    predicted = test_probability.argmax(axis=1)
    write_table(
        results / "confusion.csv",
        ("actual", "predicted"),
        [(names[a], names[p]) for a, p in zip(test_label, predicted, strict=True)],
    )
    write_table(
        results / "mistakes.csv",
        ("index", "actual", "predicted", "confidence"),
        [
            (index, names[actual], names[guess], confidence)
            for index, actual, guess, confidence in classification.mistakes(
                test_probability, test_label
            )
        ],
    )
    metrics = _metrics(results, test_probability, test_label, oof_probability, oof_label)
    hits = (by_member.argmax(axis=2) == test_label).mean(axis=1)
    metrics["test"]["members_accuracy"] = mean_std(hits)
    write_json(results / "metrics.json", metrics)
    print(
        f"{variant}: test accuracy {metrics['test']['accuracy']:.2%} (n = {len(test_label)} images)"
    )


def _metrics(
    results: Path,
    test_probability: np.ndarray,
    test_label: np.ndarray,
    oof_probability: np.ndarray,
    oof_label: np.ndarray,
) -> dict:
    """Return the content of metrics.json but for the members' scores."""
    folds = read_table(results / "folds.csv")
    return {
        "cv": {
            score: mean_std(np.array([row[score] for row in folds]))
            for score in ("accuracy", "loss")
        },
        "out_of_fold": classification.summary(oof_probability, oof_label),
        "test": {
            **classification.summary(test_probability, test_label),
            "expected_calibration_error": calibration.expected_calibration_error(
                test_probability, test_label
            ),
            "n": len(test_label),
        },
        "parameters": read_json(results / "training.json")["parameters"],
    }
