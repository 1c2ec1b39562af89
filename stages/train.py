"""The stage `train@<variant>`: all folds of one variant, and the model file made of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import live, params
from stages.engine import ensemble, environment, fold_store, identity, plan, saved_model
from stages.engine.preview import preview
from stages.engine.resolve import check, check_data, recipes
from stages.files import check_writable, read_dataset, replacing, write_json, write_table
from stages.sections import Parallel
from stages.training import combine
from stages.training.fold import HISTORY, Record
from stages.training.recipe import Recipe

PREPARED = Path("data/prepared")


class Trained(NamedTuple):
    """What the stage makes of a variant before it writes files."""

    mark: str  # the fingerprint
    records: Sequence[Record]  # of the folds
    model: bytes  # the content of the model file
    preview: Mapping[str, np.ndarray]  # of augmentation
    about: Mapping[str, Any]  # what training.json says besides
    began: int  # when the training began, in ms since 1970


def train(variant: str) -> None:
    """Train the folds of one variant and make its model, or average those of an ensemble."""
    settings = params.load()
    check(settings)
    environment.check()
    chosen = recipes(settings, variant)
    dataset = read_dataset(PREPARED)
    # Of all that will be trained, so that no variant is refused after others took hours.
    for name in dict.fromkeys([variant, *settings.compare.variants]):
        for recipe in recipes(settings, name):
            check_data(recipe, dataset, PREPARED)
    for recipe in chosen:
        if note := saved_model.note(recipe.variant, recipe.architecture):
            print(note)
    results = Path("results") / variant
    check_writable(results)
    arrays = read_arrays(dataset)
    marks = {identity.fingerprint(recipe, dataset["sha256"]): recipe for recipe in chosen}
    if settings.variants[variant].ensemble:
        made = _averaged(variant, marks, arrays, settings.parallel)
    else:
        made = _trained(*marks.popitem(), arrays, settings, dataset)

    # It names the training that all other files are of, so it goes first and comes back last.
    (results / "training.json").unlink(missing_ok=True)
    written = tables(made.mark, made.began, dict(enumerate(made.records)))
    for name, (columns, rows) in written.items():
        write_table(results / name, columns, rows)
    _write_arrays(
        results / "out_of_fold.npz",
        {"oof_probability": plan.out_of_fold(made.records, arrays), "oof_label": arrays.labels},
    )
    _write_arrays(results / "augmentation.npz", made.preview)
    with replacing(results / "model.keras") as beside:
        beside.write_bytes(made.model)
    write_json(
        results / "training.json",
        {
            "fingerprint": made.mark,
            "data_sha256": dataset["sha256"],
            "environment": dict(environment.current()),
            "description": settings.variants[variant].description,
            **made.about,
        },
    )
    fold_store.prune()
    accuracies = [record.kept("val_accuracy") for record in made.records]
    print(
        f"{variant}: cross-validated accuracy {np.mean(accuracies):.2%} "
        f"(sd {np.std(accuracies, ddof=1):.2%}, n = {len(accuracies)} folds)"
    )


def _trained(
    mark: str, chosen: Recipe, arrays: plan.Arrays, settings: params.Params, dataset: dict
) -> Trained:
    parallel = settings.parallel
    description = settings.variants[chosen.variant].description
    began = live.announce(mark, chosen, description, dataset)
    with live.shown([mark], settings.tracking):
        units = plan.plan(mark, chosen, arrays)
        plan.finish(units, arrays, parallel)
        records = plan.records(units)
        model = plan.model(mark, chosen, arrays, parallel, records)
    about = {
        "parameters": combine.parameters(records),
        "final": chosen.train.final,
        "settings": chosen.model_dump(exclude={"variant"}),
    }
    return Trained(mark, records, model, preview(mark, chosen, arrays, parallel), about, began)


def _averaged(
    variant: str, chosen: Mapping[str, Recipe], arrays: plan.Arrays, parallel: Parallel
) -> Trained:
    mark = identity.ensemble_fingerprint(variant, chosen)
    members = ensemble.members(chosen, arrays, parallel)
    rows = {recipe.variant: recipe.model_dump(exclude={"variant"}) for recipe in chosen.values()}
    about = {
        "parameters": sum(member.parameters for member in members),
        "final": "ensemble",
        "settings": {"ensemble": rows},
        "members": {recipe.variant: own for own, recipe in chosen.items()},
    }
    model = ensemble.model(mark, variant, members, arrays, parallel)
    records = combine.averaged(
        [member.probability for member in members], arrays.folds, arrays.labels
    )
    return Trained(mark, records, model, preview(mark, None, arrays, parallel), about, 0)


def read_arrays(dataset: dict) -> plan.Arrays:
    """Return the prepared training arrays; the images stay on disk, for workers to map."""
    return plan.Arrays(
        images=np.load(PREPARED / "train_images.npy", mmap_mode="r"),
        labels=np.load(PREPARED / "train_labels.npy"),
        folds=np.load(PREPARED / "folds.npy"),
        classes=len(dataset["classes"]),
    )


def tables(mark: str, began: int, folds: Mapping[int, Record]) -> dict[str, tuple]:
    """Return the tables of a training: file name -> (columns, rows).

    An ensemble has no epochs: its row of history stands at epoch 0, empty but for validation.

    Args:
        mark: the fingerprint.
        began: when the training began, in ms since 1970.
        folds: number -> record, of all folds or of those that have ended.
    """
    return {
        "folds.csv": (
            ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
            [
                (
                    fold,
                    record.kept("val_accuracy"),
                    record.kept("val_loss"),
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
                (fold, epoch, round(end * 1000), round(seconds, 3), mark, began)
                for fold, record in folds.items()
                for epoch, (end, seconds) in enumerate(record.times.tolist(), start=1)
            ],
        ),
    }


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as beside:
        np.savez(beside, **arrays)
