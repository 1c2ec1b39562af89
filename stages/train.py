"""The stage `train@<variant>`: all folds of one variant, and the model file made of them."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages import entry, params
from stages.files import read_json, replacing, write_json, write_table
from stages.training import recovery, workers
from stages.training.artifact import assemble
from stages.training.fold import HISTORY, Record, train_fold
from stages.training.recipe import Recipe, check, recipe

PREPARED = Path("data/prepared")


def train(variant: str) -> None:
    """Train the folds of one variant and make its model."""
    settings = params.load()
    check(settings)
    chosen = recipe(settings, variant)
    dataset = read_json(PREPARED / "dataset.json")
    images = np.load(PREPARED / "train_images.npy", mmap_mode="r")
    labels = np.load(PREPARED / "train_labels.npy")
    assigned = np.load(PREPARED / "folds.npy")  # (repeats, n)
    classes = len(dataset["classes"])
    mark = recovery.fingerprint(chosen, dataset["sha256"])
    jobs = settings.parallel.jobs

    per_repeat = dataset["folds"]["count"]
    tasks = {
        fold: (images, labels, assigned[fold // per_repeat], classes, chosen, fold)
        for fold in range(per_repeat * len(assigned))
    }
    records = _finish(mark, chosen, tasks, jobs)
    if chosen.train.final == "refit":
        epochs = round(float(np.mean([record.best_epoch for record in records.values()])))
        whole = chosen.model_copy(
            update={"train": chosen.train.model_copy(update={"epochs": epochs})}
        )
        tasks = {"refit": (images, labels, None, classes, whole, "refit")}
        voters = list(_finish(mark, whole, tasks, jobs).values())
    elif chosen.train.final == "best_fold":
        voters = [max(records.values(), key=lambda record: record.kept("val_accuracy"))]
    else:
        voters = list(records.values())
    members = [voter.weights for voter in voters]
    ((_, model),) = workers.run(assemble, [(chosen, images.shape[1:], classes, members)], jobs)
    parameters = sum(weights.size for weights in members[0])

    results = Path("results") / variant
    _write_scores(results, mark, records, labels, classes)
    with replacing(results / "model.keras") as beside:
        beside.write_bytes(model)
    write_json(
        results / "training.json",
        {
            "fingerprint": mark,
            "data_sha256": dataset["sha256"],
            "parameters": parameters,
            "final": chosen.train.final,
            "description": settings.variants[variant].description,
            "settings": chosen.model_dump(exclude={"variant"}),
        },
    )
    recovery.forget_old()
    accuracies = [record.kept("val_accuracy") for record in records.values()]
    print(
        f"{variant}: cross-validated accuracy {np.mean(accuracies):.2%} "
        f"(sd {np.std(accuracies, ddof=1):.2%}, n = {len(accuracies)} folds)"
    )


def _finish(mark: str, recipe: Recipe, tasks: dict, jobs: int | None) -> dict[int | str, Record]:
    """Return every task's record, training only those that no earlier run has finished."""
    records = {fold: recovery.kept(mark, fold) for fold in tasks}
    pending = [fold for fold, record in records.items() if record is None]
    finished = len(tasks) - len(pending)
    epochs = recipe.train.epochs
    with tqdm(
        total=len(tasks) * epochs,
        initial=finished * epochs,
        desc=recipe.variant,
        unit="epoch",
        disable=None,  # no bar where nobody watches
    ) as bar:

        def show(fold: int | str, epoch: int, accuracy: float) -> None:
            bar.set_postfix_str(
                f"{finished} of {len(tasks)} folds done, fold {fold} epoch {epoch}: {accuracy:.2%}"
            )
            bar.update()

        with workers.listening(show) as reporter:
            calls = [(*tasks[fold], reporter(fold)) for fold in pending]
            for position, record in workers.run(train_fold, calls, jobs):
                records[pending[position]] = record
                recovery.keep(mark, pending[position], record)
                finished += 1
                bar.update(epochs - len(record.history))  # what early stopping saved
    return records


def _write_scores(
    results: Path, mark: str, records: dict[int, Record], labels: np.ndarray, classes: int
) -> None:
    """Write the tables of folds and epochs, and the out-of-fold probabilities."""
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
            for fold, record in records.items()
        ],
    )
    write_table(
        results / "history.csv",
        ("fold", "epoch", *HISTORY),
        [
            (fold, epoch, *row.tolist())
            for fold, record in records.items()
            for epoch, row in enumerate(record.history, start=1)
        ],
    )
    write_table(
        results / "timing.csv",
        ("fold", "epoch", "time", "seconds", "fingerprint"),
        [
            (fold, epoch, round(end * 1000), round(seconds, 3), mark)
            for fold, record in records.items()
            for epoch, (end, seconds) in enumerate(record.times, start=1)
        ],
    )
    probability = np.zeros((len(labels), classes))
    times_scored = np.zeros((len(labels), 1))
    for record in records.values():
        probability[record.validation] += record.probability
        times_scored[record.validation] += 1
    with replacing(results / "out_of_fold.npz") as beside:
        np.savez(
            beside,
            oof_probability=(probability / times_scored).astype(np.float32),
            oof_label=labels,
        )


if __name__ == "__main__":
    entry.run(train, variant="a row of `variants` in params.yaml")
