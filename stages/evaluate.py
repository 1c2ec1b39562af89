"""The stage `evaluate@<variant>`: score the shipped model file on the test set."""

import hashlib

import numpy as np

from stages import files
from stages.engine import environment, model_file
from stages.engine.predict import score
from stages.settings import params
from stages.statistics import classification, evaluation, uses
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
    for name in ("out_of_fold.npz", "model.keras", "folds.csv", "training.json"):
        files.existing(results / name, f"train@{variant}")
    images = files.read_array(files.existing(files.PREPARED / "test_images.npy", "prepare"))
    test_label = np.array(files.read_array(files.PREPARED / "test_labels.npy"))
    stored = files.read_arrays(results / "out_of_fold.npz", ("oof_probability", "oof_label"))
    by_repeat, oof_label = stored.values()
    training = files.read_json(results / "training.json", ["parameters"])
    folds = files.read_table(results / "folds.csv", ("fold", "accuracy", "loss"))
    fold_of = files.read_array(files.PREPARED / "folds.npy")

    model = results / "model.keras"
    content = model.read_bytes()
    model_file.layers(content, str(model))
    model_sha256 = hashlib.sha256(content).hexdigest()
    use = uses.Use(uses.digest(images, test_label), variant, model_sha256)
    scored = score(model, images, test_label, settings.parallel, kernels)
    uses.note([use])

    predictions = evaluation.Predictions(
        oof_probability=by_repeat.mean(axis=0, dtype=np.float64).astype(np.float32),
        oof_label=oof_label,
        test_probability=scored.probability,
        test_label=test_label,
    )
    digests = {"test_sha256": np.array(use.test_sha256), "model_sha256": np.array(model_sha256)}
    files.write_arrays(results / "predictions.npz", predictions._asdict() | digests)
    files.write_arrays(results / "occlusion.npz", {"drops": scored.drops})
    tables = evaluation.tables(predictions, dataset["classes"], scored.mistakes)
    fold_scores = of_folds(by_repeat, oof_label, fold_of)
    tables["fold_scores.csv"] = (
        ("fold", *SCORES),
        [(row["fold"], *one.values()) for row, one in zip(folds, fold_scores, strict=True)],
    )
    for name, (columns, rows) in tables.items():
        files.write_table(results / name, columns, rows)
    value = training.get("temperature", 1.0)
    metrics = evaluation.metrics(predictions, scored.by_member, folds, fold_scores, value != 1) | {
        "temperature": _temperature(value, predictions),
        "parameters": training["parameters"],
        "model_bytes": len(content),
    }
    files.write_json(results / "metrics.json", metrics)
    accuracy = metrics["test"]["accuracy"]
    print(f"{variant}: test accuracy {accuracy:.2%} (n = {len(test_label)} images)")


def _temperature(in_model: float, predictions: evaluation.Predictions) -> dict[str, float | bool]:
    """Return the temperature fitted out of fold, and the test loss without and with it.

    `in_model` is the temperature by which the model already divides its logits; 1 if it does not.
    """
    shipped, is_scaled = predictions.test_probability, in_model != 1
    if is_scaled:
        fitted, without, with_it = in_model, temperature.scaled(shipped, 1 / in_model), shipped
    else:
        fitted = temperature.fit(predictions.oof_probability, predictions.oof_label)
        without, with_it = shipped, temperature.scaled(shipped, fitted)
    label = predictions.test_label
    return {
        "fitted": fitted,
        "in_model": is_scaled,
        "test_loss_without": classification.summary(without, label)["loss"],
        "test_loss_with": classification.summary(with_it, label)["loss"],
    }
