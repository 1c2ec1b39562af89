"""`python -m stages.commands.sweep`: train what is unfinished of all chosen variants as one pool.

`dvc repro` trains variant after variant, each in processes of its own. A sweep before it keeps
every core busy from the first fold to the last and starts TensorFlow once; the stages then find
their folds, models and scores done. It changes no result and may be left out.
"""

from pathlib import Path

import numpy as np

from stages import entry, params
from stages.files import read_json
from stages.train import PREPARED, read_arrays
from stages.training import plan, recovery
from stages.training.predict import predict
from stages.training.recipe import check, check_data, recipe


def sweep() -> None:
    """Train every unfinished fold of the chosen variants, several at a time."""
    settings = params.load()
    check(settings)
    dataset = read_json(PREPARED / "dataset.json")
    arrays = read_arrays(dataset)
    test_images = np.load(PREPARED / "test_images.npy", mmap_mode="r")
    jobs = settings.parallel.jobs

    unfinished = {}
    for variant in settings.compare.variants:
        chosen = recipe(settings, variant)
        check_data(chosen, dataset)
        mark = recovery.fingerprint(chosen, dataset["sha256"])
        if not _finished(variant, mark):
            unfinished[mark] = chosen
    planned = {mark: plan.plan(mark, chosen, arrays) for mark, chosen in unfinished.items()}
    plan.finish([unit for units in planned.values() for unit in units], arrays, jobs)
    for mark, units in planned.items():
        plan.model(mark, unfinished[mark], arrays, jobs, plan.records(units))
        predict(recovery.folder(mark) / "model.keras", test_images, jobs)


def _finished(variant: str, mark: str) -> bool:
    """Return whether the variant's results are those of its present settings."""
    results = Path("results") / variant
    files = [results / name for name in ("training.json", "model.keras", "metrics.json")]
    return all(file.exists() for file in files) and (
        read_json(results / "training.json")["fingerprint"] == mark
    )


if __name__ == "__main__":
    entry.run(sweep)
