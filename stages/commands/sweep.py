"""`python -m stages.commands.sweep`: train what is unfinished of all chosen variants as one pool.

`dvc repro` trains variant after variant, each in processes of its own. A sweep before it keeps
every core busy from the first fold to the last and starts TensorFlow once; the stages then find
their folds, models and scores done. It changes no result and may be left out.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np

from stages import entry, live, params
from stages.files import read_dataset, read_json
from stages.train import PREPARED, read_arrays
from stages.training import ensemble, plan, recovery
from stages.training.predict import predict
from stages.training.preview import preview
from stages.training.recipe import check, check_data, recipes


def sweep() -> None:
    """Train every unfinished fold of the chosen variants, several at a time."""
    settings = params.load()
    check(settings)
    dataset = read_dataset(PREPARED)
    arrays = read_arrays(dataset)
    test_images = np.load(PREPARED / "test_images.npy", mmap_mode="r")
    parallel = settings.parallel

    planned, recipe_of, ensembles = {}, {}, {}
    for variant in settings.compare.variants:
        marks = {}
        for recipe in recipes(settings, variant):
            check_data(recipe, dataset)
            marks[recovery.fingerprint(recipe, dataset["sha256"])] = recipe
        averaged = settings.variants[variant].ensemble
        mark = ensemble.fingerprint(variant, marks) if averaged else next(iter(marks))
        if _finished(variant, mark):
            continue
        if averaged:
            ensembles[mark] = variant, marks
        else:
            recipe_of |= marks
            planned[mark] = plan.plan(mark, marks[mark], arrays)
            live.announce(mark, marks[mark], settings.variants[variant].description, dataset)
    for _, marks in ensembles.values():
        planned |= ensemble.missing(marks, arrays)
    with live.shown(list(recipe_of), settings.tracking):
        plan.finish([unit for units in planned.values() for unit in units], arrays, parallel)

    def complete(mark: str) -> None:
        if mark in recipe_of:
            recipe = recipe_of[mark]
            plan.model(mark, recipe, arrays, parallel, plan.records(planned[mark]))
            preview(mark, recipe, arrays, parallel)
        else:
            variant, marks = ensembles[mark]
            members = ensemble.members(marks, arrays, parallel)
            ensemble.model(mark, variant, members, arrays, parallel)
        predict(recovery.folder(mark) / "model.keras", test_images, parallel)

    with ThreadPoolExecutor(parallel.local_jobs or joblib.cpu_count()) as waiting:
        for _ in waiting.map(complete, [*recipe_of, *ensembles]):
            pass


def _finished(variant: str, mark: str) -> bool:
    """Return whether the variant's results are those of its present settings."""
    results = Path("results") / variant
    files = [results / name for name in ("training.json", "model.keras", "metrics.json")]
    return all(file.exists() for file in files) and (
        read_json(results / "training.json")["fingerprint"] == mark
    )


if __name__ == "__main__":
    entry.run(sweep)
