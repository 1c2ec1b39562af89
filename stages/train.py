"""The stage `train@<variant>`: train all folds of a variant and build its model file."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages import files
from stages.engine import (
    backbones,
    environment,
    fold_store,
    identity,
    saved_model,
    tracker,
    variants,
)
from stages.engine.fold_tasks import read_training_data
from stages.engine.resolve import check
from stages.settings import params
from stages.training.fold import HISTORY, FoldResult, curve_rows


def train(variant: str) -> None:
    """Train the folds of a variant and build its model, or average the models of an ensemble."""
    settings = params.load()
    check(settings)
    environment.check(settings.train.kernels)
    dataset = files.read_dataset(files.PREPARED)
    plan = variants.plan(settings, variant, dataset)
    for name in settings.compare.variants:  # so that their errors show up before hours of training
        variants.plan(settings, name, dataset)
    for recipe in plan.recipes.values():
        if note := saved_model.note(recipe):
            print(note)
    results = files.RESULTS / variant
    files.check_writable(results)
    arrays = read_training_data(dataset)
    began, tracked = 0, []
    if not plan.is_ensemble:
        began = tracker.write_start_marker(
            plan.fingerprint, plan.recipes[plan.fingerprint], plan.description, dataset
        )
        tracked = [plan.fingerprint]
    with tracker.tracked(tracked, settings.tracking):
        trained = variants.train(plan, arrays, settings.parallel)

    weights = {
        recipe.variant: identity.of_arrays(backbones.arrays(recipe))
        for recipe in plan.recipes.values()
        if backbones.has_backbone(recipe)
    }
    # training.json says which training wrote the other files: delete it first and write it last.
    (results / "training.json").unlink(missing_ok=True)
    written = tables(plan.fingerprint, began, dict(enumerate(trained.folds)))
    for name, (columns, rows) in written.items():
        files.write_table(results / name, columns, rows)
    out_of_fold = {"oof_probability": trained.out_of_fold, "oof_label": arrays.labels}
    files.write_arrays(results / "out_of_fold.npz", out_of_fold)
    files.write_arrays(results / "augmentation.npz", trained.preview)
    files.write_bytes(results / "model.keras", trained.model)
    files.write_json(
        results / "training.json",
        {
            "fingerprint": plan.fingerprint,
            "data_sha256": dataset["sha256"],
            "environment": environment.current(settings.train.kernels),
            "description": plan.description,
            "parameters": trained.parameters,
            "temperature": trained.temperature,
            "curve_images": _curve_images(plan, trained.folds),
            **({"weights_sha256": weights} if weights else {}),
            **plan.about(),
        },
    )
    fold_store.prune()
    accuracies = [fold.at_best_epoch("val_accuracy") for fold in trained.folds]
    print(
        f"{variant}: cross-validated accuracy {np.mean(accuracies):.2%} "
        f"(sd {np.std(accuracies, ddof=1):.2%}, n = {len(accuracies)} folds)"
    )


def _curve_images(plan: variants.Plan, folds: Sequence[FoldResult]) -> int | None:
    """Return how many of a fold's validation images are scored in epochs before the last."""
    if plan.is_ensemble:
        return None
    train = plan.recipes[plan.fingerprint].train
    return max(len(curve_rows(fold.validation, train)) for fold in folds)


def tables(fingerprint: str, began: int, folds: Mapping[int, FoldResult]) -> dict[str, tuple]:
    """Return the tables of a training: file name -> (columns, rows).

    `began` is in ms since 1970, and `folds` maps numbers to the finished folds, or some of them.
    An ensemble has no epochs: its history has one row per fold, at epoch 0, with validation only.
    """
    scores, history, timing = [], [], []
    for fold, record in folds.items():
        accuracy, loss = map(record.at_best_epoch, ("val_accuracy", "val_loss"))
        epochs, images = len(record.times), (record.train_images, len(record.validation))
        scores.append((fold, accuracy, loss, record.best_epoch, epochs, *images))
        for epoch, row in enumerate(record.history, start=1 if epochs else 0):
            cells = ["" if np.isnan(cell) else cell for cell in row.tolist()]
            history.append((fold, epoch, *cells))
        for epoch, (end, seconds) in enumerate(record.times.tolist(), start=1):
            time = round(end * 1000)
            timing.append((fold, epoch, time, round(seconds, 3), fingerprint, began))
    counts = ("best_epoch", "epochs", "train_images", "val_images")
    return {
        "folds.csv": (("fold", "accuracy", "loss", *counts), scores),
        "history.csv": (("fold", "epoch", *HISTORY), history),
        "timing.csv": (("fold", "epoch", "time", "seconds", "fingerprint", "began"), timing),
    }
