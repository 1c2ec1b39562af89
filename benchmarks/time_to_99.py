"""`python -m benchmarks.time_to_99`: seconds of fitting `sprint`, and its accuracy.

One epoch on the 60,000 training images, ten seeds, the last epoch's weights, scored once on the
10,000 test images. Two forms: one fit at a time with two threads, and two seeds side by side with
one thread each, as the pipeline trains. Seconds include compilation, but not the import of
TensorFlow; side by side, they are the time in which any worker fits, divided by the seeds.
"""

from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor

from benchmarks import inputs, measured, processes
from benchmarks.overhead import union
from stages.data import load
from stages.engine import resolve as recipes
from stages.engine import workers
from stages.settings import params
from stages.settings.sections import Data
from stages.statistics.paired import mean_std
from stages.training.epoch import scorer
from stages.training.fold import network, train_fold
from stages.training.tf_runtime import import_tensorflow

GOAL = 0.99


def fit(arrays: dict[str, np.ndarray], classes: int, recipe: recipes.Recipe, threads: int) -> dict:
    """Train on all images in this process and score the test images.

    The number of threads set in TensorFlow itself overrides the variables that limit a fold to one.
    It cannot change after the first computation of a process.

    Returns:
        Start and end in s since 1970, and the test accuracy.
    """
    tf = import_tensorflow("native")
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    images, labels = arrays["train_images"], arrays["train_labels"]
    record = train_fold(images, labels, None, classes, recipe, "refit")
    ((end, seconds),) = record.times.tolist()
    model = network(recipe, images.shape[1:], classes)
    model.set_weights(record.weights)
    tests = arrays["test_images"]
    probability = scorer(tf, model, tests, model)(np.arange(len(tests)))
    reached = float((probability.argmax(1) == arrays["test_labels"]).mean())
    return {"start": end - seconds, "end": end, "accuracy": reached}


def measure(data: dict[str, Any], seeds: int, limit: int | None) -> dict[str, Any]:
    """Return for both forms every fit's seconds and accuracy, and the seconds per seed."""
    source = load(Data(source=data["source"], folder=data.get("folder")))
    arrays = {
        "train_images": source.train.images[:limit],
        "train_labels": source.train.labels[:limit],
        "test_images": source.train.images[-100:] if limit else source.test.images,
        "test_labels": source.train.labels[-100:] if limit else source.test.labels,
    }
    base = recipes.recipe(params.parse(inputs.on_mnist("sprint")), "sprint")
    many = []
    for seed in range(1, seeds + 1):
        train = base.train.model_copy(update={"seed": seed, "epochs": 1})
        many.append(base.model_copy(update={"train": train}))
    found: dict[str, Any] = {
        "train_images": len(arrays["train_labels"]),
        "test_images": len(arrays["test_labels"]),
        "recipe": base.model_dump(),
    }
    forms = {"one_fit_two_threads": (2, 1), "two_fits_one_thread": (1, 2)}
    for form, (threads, jobs) in forms.items():
        get_reusable_executor().shutdown()  # threads are set once in a process
        tasks = [(arrays, len(source.classes), recipe, threads) for recipe in many]
        fits = [result for _, result in sorted(workers.run(fit, tasks, jobs), key=lambda r: r[0])]
        accuracies = [one["accuracy"] for one in fits]
        found[form] = {
            "seconds_a_seed": union((one["start"], one["end"]) for one in fits) / seeds,
            "seconds": processes.summary([one["end"] - one["start"] for one in fits]),
            "accuracy": mean_std(accuracies),
            "accuracies": accuracies,
            "mean_reaches_goal": float(np.mean(accuracies)) >= GOAL,
        }
    return found


def main() -> None:
    """Measure, and write benchmarks/records/time_to_99.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args()
    seeds, limit = (2, 1000) if chosen.quick else (chosen.seeds, None)
    with inputs.temporary_folder():
        found = measure(inputs.data(chosen), seeds, limit)
    print(measured.write("time_to_99", {"goal": GOAL} | found, chosen.folder))


if __name__ == "__main__":
    main()
