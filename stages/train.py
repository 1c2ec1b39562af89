"""The stage `train@<variant>`: all folds of one variant, and the model file made of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import entry, params
from stages.files import read_json, replacing, write_json, write_table
from stages.training import plan, recovery
from stages.training.fold import HISTORY, Record
from stages.training.recipe import check, check_data, recipe

PREPARED = Path("data/prepared")


def train(variant: str) -> None:
    """Train the folds of one variant and make its model."""
    settings = params.load()
    check(settings)
    chosen = recipe(settings, variant)
    dataset = read_json(PREPARED / "dataset.json")
    check_data(chosen, dataset)
    arrays = read_arrays(dataset)
    jobs = settings.parallel.jobs

    mark = recovery.fingerprint(chosen, dataset["sha256"])
    units = plan.plan(mark, chosen, arrays)
    plan.finish(units, arrays, jobs)
    records = plan.records(units)
    model = plan.model(mark, chosen, arrays, jobs, records)

    results = Path("results") / variant
    _write_tables(results, mark, records)
    _write_out_of_fold(results, records, arrays)
    with replacing(results / "model.keras") as beside:
        beside.write_bytes(model)
    write_json(
        results / "training.json",
        {
            "fingerprint": mark,
            "data_sha256": dataset["sha256"],
            "parameters": sum(weights.size for weights in records[0].weights),
            "final": chosen.train.final,
            "description": settings.variants[variant].description,
            "settings": chosen.model_dump(exclude={"variant"}),
        },
    )
    recovery.forget_old()
    accuracies = [record.kept("val_accuracy") for record in records]
    print(
        f"{variant}: cross-validated accuracy {np.mean(accuracies):.2%} "
        f"(sd {np.std(accuracies, ddof=1):.2%}, n = {len(accuracies)} folds)"
    )


def read_arrays(dataset: dict) -> plan.Arrays:
    """Return the prepared training arrays; the images stay on disk, for workers to map."""
    return plan.Arrays(
        images=np.load(PREPARED / "train_images.npy", mmap_mode="r"),
        labels=np.load(PREPARED / "train_labels.npy"),
        folds=np.load(PREPARED / "folds.npy"),
        classes=len(dataset["classes"]),
    )


def _write_tables(results: Path, mark: str, records: Sequence[Record]) -> None:
    """Write folds.csv, history.csv and timing.csv."""
    write_table(
        results / "folds.csv",
        ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
        [
            (
                fold,
                record.kept("val_accuracy"),
                record.kept("val_loss"),
                record.best_epoch,
                len(record.history),
                record.train_images,
                len(record.validation),
            )
            for fold, record in enumerate(records)
        ],
    )
    write_table(
        results / "history.csv",
        ("fold", "epoch", *HISTORY),
        [
            (fold, epoch, *row.tolist())
            for fold, record in enumerate(records)
            for epoch, row in enumerate(record.history, start=1)
        ],
    )
    write_table(
        results / "timing.csv",
        ("fold", "epoch", "time", "seconds", "fingerprint"),
        [
            (fold, epoch, round(end * 1000), round(seconds, 3), mark)
            for fold, record in enumerate(records)
            for epoch, (end, seconds) in enumerate(record.times, start=1)
        ],
    )


def _write_out_of_fold(results: Path, records: Sequence[Record], arrays: plan.Arrays) -> None:
    """Write each training image's probabilities by the models that did not see it, averaged."""
    probability = np.zeros((len(arrays.labels), arrays.classes))
    for record in records:
        probability[record.validation] += record.probability
    with replacing(results / "out_of_fold.npz") as beside:
        np.savez(
            beside,
            oof_probability=(probability / len(arrays.folds)).astype(np.float32),
            oof_label=arrays.labels,
        )


if __name__ == "__main__":
    entry.run(train, variant="a row of `variants` in params.yaml")
