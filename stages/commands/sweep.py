"""`python -m stages sweep`: train the unfinished folds of all compared variants in one pool.

`dvc repro` trains one variant after the other, each in its own processes. Running a sweep first
keeps all cores busy and starts TensorFlow once; the stages then find folds, models and scores
cached. As soon as a variant is trained, the sweep has DVC run its remaining stages. It is optional
and does not change results.
"""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from stages import publish
from stages.engine import ensemble, environment, fold_store, fold_tasks, identity, tracker, workers
from stages.engine.predict import predict
from stages.engine.preview import preview
from stages.engine.resolve import check, check_data, recipes
from stages.files import read_dataset, read_json
from stages.settings import params
from stages.tracking import store
from stages.train import PREPARED, read_arrays
from stages.training.recipe import Recipe


def reproduce(variant: str) -> None:
    """Run a trained variant's stages with DVC; failures are left to the next `dvc repro`."""
    if not Path("dvc.yaml").exists():
        return
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", f"publish@{variant}"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError:  # no memory for another process: training matters more
        return
    with process:
        for line in process.stdout:
            tqdm.write(line.rstrip("\n"))  # above the progress bar


class Unfinished(NamedTuple):
    """The compared variants whose results do not match their current settings."""

    planned: dict[
        str, list[fold_tasks.FoldTask]
    ]  # fingerprint -> folds, including those of members
    trained: dict[str, Recipe]  # fingerprint -> settings
    averaged: dict[str, tuple[str, dict[str, Recipe]]]  # fingerprint -> name and members


def sweep(follow: Callable[[str], None] = reproduce) -> None:
    """Train all unfinished folds of the compared variants in parallel.

    Args:
        follow: callback with a variant's name, run when its model is built and scored while other
            variants still train; calls do not overlap. It is not run for variants completed after
            the last fold.
    """
    settings = params.load()
    check(settings)
    if changes := environment.adopt():
        print(f"foldlab: the environment changed ({changes}); all variants are trained again.")
    dataset = read_dataset(PREPARED)
    arrays = read_arrays(dataset)
    test_images = np.load(PREPARED / "test_images.npy", mmap_mode="r")
    planned, recipe_of, ensembles = _unfinished(settings, dataset, arrays)
    if not (recipe_of or ensembles):
        _warn_missing(settings)
        return
    tasks = [task for tasks in planned.values() for task in tasks]
    parallel = settings.parallel
    if parallel.backend == "local":  # a running pool must not be resized
        jobs = parallel.jobs or workers.optimal_workers(len(tasks), joblib.cpu_count())
        parallel = parallel.model_copy(update={"jobs": jobs})

    def complete(fingerprint: str) -> None:
        if fingerprint in recipe_of:
            recipe = recipe_of[fingerprint]
            records = fold_tasks.records(planned[fingerprint])
            fold_tasks.model(fingerprint, recipe, arrays, parallel, records)
            preview(fingerprint, recipe, arrays, parallel)
        else:
            variant, chosen = ensembles[fingerprint]
            members = ensemble.members(chosen, arrays, parallel)
            ensemble.model(fingerprint, variant, members, arrays, parallel)
        predict(fold_store.folder(fingerprint) / "model.keras", test_images, parallel)

    completions: dict[str, Future] = {}
    followed: list[Future] = []
    with ThreadPoolExecutor(1) as completing, ThreadPoolExecutor(1) as following:

        def complete_and_follow(fingerprint: str) -> None:
            complete(fingerprint)
            with suppress(RuntimeError):  # the pool is shut down once everything is trained
                followed.append(following.submit(follow, recipe_of[fingerprint].variant))

        def trained(fingerprint: str) -> None:
            if fingerprint in recipe_of:  # and not a member that is not compared itself
                future = completing.submit(complete_and_follow, fingerprint)
                completions[fingerprint] = future
                if parallel.local_jobs == 1:  # this process trains, and Keras has one global state
                    future.result()

        try:
            with tracker.tracked(list(recipe_of), settings.tracking):
                fold_tasks.run_folds(tasks, arrays, parallel, trained=trained)
        finally:
            for pool in (completing, following):
                pool.shutdown(wait=False, cancel_futures=True)
        completions = {key: future for key, future in completions.items() if not future.cancelled()}
        remaining = [key for key in (*recipe_of, *ensembles) if key not in completions]
        with ThreadPoolExecutor(parallel.local_jobs or joblib.cpu_count()) as waiting:
            for _ in waiting.map(complete, remaining):
                pass
        for future in (*completions.values(), *followed):
            if not future.cancelled():
                future.result()


def _warn_missing(settings: params.Params) -> None:
    """Warn of variants missing from the store, as no stage will; ignore a store that fails."""
    try:
        publish.warn_missing(publish.missing(settings))
    except Exception as error:
        if not store.failed(error):
            raise


def _unfinished(settings: params.Params, dataset: dict, arrays: fold_tasks.Arrays) -> Unfinished:
    """Return the unfinished variants, after writing a start marker for each training.

    Raises:
        UserError: if a variant's settings do not fit the data.
    """
    found = Unfinished({}, {}, {})
    for variant in settings.compare.variants:
        chosen = {}
        for recipe in recipes(settings, variant):
            check_data(recipe, dataset, PREPARED)
            chosen[identity.fingerprint(recipe, dataset["sha256"])] = recipe
        row = settings.variants[variant]
        if row.ensemble:
            fingerprint = identity.ensemble_fingerprint(variant, chosen)
        else:
            fingerprint = next(iter(chosen))
        if _finished(variant, fingerprint):
            continue
        if row.ensemble:
            found.averaged[fingerprint] = variant, chosen
        else:
            recipe = chosen[fingerprint]
            found.trained[fingerprint] = recipe
            found.planned[fingerprint] = fold_tasks.variant_tasks(fingerprint, recipe, arrays)
            tracker.write_start_marker(fingerprint, recipe, row.description, dataset)
    for _, chosen in found.averaged.values():
        found.planned.update(ensemble.missing(chosen, arrays))
    return found


def _finished(variant: str, fingerprint: str) -> bool:
    """Return whether the variant's results match its current settings."""
    results = Path("results") / variant
    files = [results / name for name in ("training.json", "model.keras", "metrics.json")]
    return all(file.exists() for file in files) and (
        read_json(results / "training.json")["fingerprint"] == fingerprint
    )
