"""The stage `train@<variant>`: train all folds of a variant and build its model file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages.engine import (
    ensemble,
    environment,
    fold_store,
    fold_tasks,
    identity,
    saved_model,
    tracker,
)
from stages.engine.preview import preview
from stages.engine.resolve import check, check_data, recipes
from stages.files import check_writable, read_dataset, replacing, write_json, write_table
from stages.settings import params
from stages.settings.sections import Parallel
from stages.training import combine
from stages.training.fold import HISTORY, FoldResult
from stages.training.recipe import Recipe

PREPARED = Path("data/prepared")


class Trained(NamedTuple):
    """The results of training a variant, before they are written to files."""

    fingerprint: str
    records: Sequence[FoldResult]  # of all folds
    model: bytes  # the content of the model file
    preview: Mapping[str, np.ndarray]  # of the augmentation
    about: Mapping[str, Any]  # additional content of training.json
    began: int  # start of the training, in ms since 1970


def train(variant: str) -> None:
    """Train the folds of a variant and build its model, or average the models of an ensemble."""
    settings = params.load()
    check(settings)
    environment.check()
    chosen = recipes(settings, variant)
    dataset = read_dataset(PREPARED)
    # Check all compared variants, so that an error shows up before others are trained for hours.
    for name in dict.fromkeys([variant, *settings.compare.variants]):
        for recipe in recipes(settings, name):
            check_data(recipe, dataset, PREPARED)
    for recipe in chosen:
        if note := saved_model.note(recipe.variant, recipe.architecture):
            print(note)
    results = Path("results") / variant
    check_writable(results)
    arrays = read_arrays(dataset)
    by_fingerprint = {identity.fingerprint(recipe, dataset["sha256"]): recipe for recipe in chosen}
    if settings.variants[variant].ensemble:
        training = _averaged(variant, by_fingerprint, arrays, settings.parallel)
    else:
        training = _trained(*by_fingerprint.popitem(), arrays, settings, dataset)

    # It identifies the training of all other files, so delete it first and write it last.
    (results / "training.json").unlink(missing_ok=True)
    written = tables(training.fingerprint, training.began, dict(enumerate(training.records)))
    for name, (columns, rows) in written.items():
        write_table(results / name, columns, rows)
    _write_arrays(
        results / "out_of_fold.npz",
        {
            "oof_probability": fold_tasks.out_of_fold(training.records, arrays),
            "oof_label": arrays.labels,
        },
    )
    _write_arrays(results / "augmentation.npz", training.preview)
    with replacing(results / "model.keras") as temporary:
        temporary.write_bytes(training.model)
    write_json(
        results / "training.json",
        {
            "fingerprint": training.fingerprint,
            "data_sha256": dataset["sha256"],
            "environment": dict(environment.current()),
            "description": settings.variants[variant].description,
            **training.about,
        },
    )
    fold_store.prune()
    accuracies = [record.at_best_epoch("val_accuracy") for record in training.records]
    print(
        f"{variant}: cross-validated accuracy {np.mean(accuracies):.2%} "
        f"(sd {np.std(accuracies, ddof=1):.2%}, n = {len(accuracies)} folds)"
    )


def _trained(
    fingerprint: str,
    recipe: Recipe,
    arrays: fold_tasks.Arrays,
    settings: params.Params,
    dataset: dict,
) -> Trained:
    parallel = settings.parallel
    description = settings.variants[recipe.variant].description
    began = tracker.write_start_marker(fingerprint, recipe, description, dataset)
    with tracker.tracked([fingerprint], settings.tracking):
        tasks = fold_tasks.variant_tasks(fingerprint, recipe, arrays)
        fold_tasks.run_folds(tasks, arrays, parallel)
        records = fold_tasks.records(tasks)
        model = fold_tasks.model(fingerprint, recipe, arrays, parallel, records)
    about = {
        "parameters": combine.parameters(records),
        "final": recipe.train.final,
        "settings": recipe.model_dump(exclude={"variant"}),
    }
    return Trained(
        fingerprint, records, model, preview(fingerprint, recipe, arrays, parallel), about, began
    )


def _averaged(
    variant: str, recipes: Mapping[str, Recipe], arrays: fold_tasks.Arrays, parallel: Parallel
) -> Trained:
    fingerprint = identity.ensemble_fingerprint(variant, recipes)
    members = ensemble.members(recipes, arrays, parallel)
    rows = {recipe.variant: recipe.model_dump(exclude={"variant"}) for recipe in recipes.values()}
    about = {
        "parameters": sum(member.parameters for member in members),
        "final": "ensemble",
        "settings": {"ensemble": rows},
        "members": {recipe.variant: own for own, recipe in recipes.items()},
    }
    model = ensemble.model(fingerprint, variant, members, arrays, parallel)
    records = combine.averaged(
        [member.probability for member in members], arrays.folds, arrays.labels
    )
    return Trained(
        fingerprint, records, model, preview(fingerprint, None, arrays, parallel), about, 0
    )


def read_arrays(dataset: dict) -> fold_tasks.Arrays:
    """Return the prepared training data; the images are memory-mapped."""
    return fold_tasks.Arrays(
        images=np.load(PREPARED / "train_images.npy", mmap_mode="r"),
        labels=np.load(PREPARED / "train_labels.npy"),
        folds=np.load(PREPARED / "folds.npy"),
        classes=len(dataset["classes"]),
    )


def tables(fingerprint: str, began: int, folds: Mapping[int, FoldResult]) -> dict[str, tuple]:
    """Return the tables of a training: file name -> (columns, rows).

    An ensemble has no epochs: its history has one row per fold, at epoch 0, with validation only.

    Args:
        fingerprint: the training's fingerprint.
        began: start of the training, in ms since 1970.
        folds: number -> record, of all or only the finished folds.
    """
    return {
        "folds.csv": (
            ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
            [
                (
                    fold,
                    record.at_best_epoch("val_accuracy"),
                    record.at_best_epoch("val_loss"),
                    record.best_epoch,
                    len(record.times),
                    record.train_images,
                    len(record.validation),
                )
                for fold, record in folds.items()
            ],
        ),
        "history.csv": (
            ("fold", "epoch", *HISTORY),
            [
                (fold, epoch, *("" if np.isnan(cell) else cell for cell in row.tolist()))
                for fold, record in folds.items()
                for epoch, row in enumerate(record.history, start=min(1, int(record.best_epoch)))
            ],
        ),
        "timing.csv": (
            ("fold", "epoch", "time", "seconds", "fingerprint", "began"),
            [
                (fold, epoch, round(end * 1000), round(seconds, 3), fingerprint, began)
                for fold, record in folds.items()
                for epoch, (end, seconds) in enumerate(record.times.tolist(), start=1)
            ],
        ),
    }


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)
