"""`python -m stages sweep`: train what is unfinished of all chosen variants as one pool.

`dvc repro` trains variant after variant, each in processes of its own. A sweep before it keeps
every core busy from the first fold to the last and starts TensorFlow once; the stages then find
their folds, models and scores done. While others still train, it has DVC run the stages of each
variant that is trained, so that these come to MLflow early. It changes no result and may be left
out.
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

from stages import live, params, publish
from stages.engine import ensemble, environment, fold_store, identity, plan, workers
from stages.engine.predict import predict
from stages.engine.preview import preview
from stages.engine.resolve import check, check_data, recipes
from stages.files import read_dataset, read_json
from stages.tracking import store
from stages.train import PREPARED, read_arrays
from stages.training.recipe import Recipe


def reproduce(variant: str) -> None:
    """Have DVC run the stages of a trained variant; what fails is left to the next `dvc repro`."""
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
    except OSError:  # no memory for one more process: the training comes first
        return
    with process:
        for line in process.stdout:
            tqdm.write(line.rstrip("\n"))  # above the bar of those that still train


class Unfinished(NamedTuple):
    """The chosen variants whose results are not those of their present settings."""

    planned: dict[str, list[plan.Unit]]  # fingerprint -> folds, also of members that are not chosen
    trained: dict[str, Recipe]  # fingerprint -> settings
    averaged: dict[str, tuple[str, dict[str, Recipe]]]  # fingerprint -> name and members


def sweep(follow: Callable[[str], None] = reproduce) -> None:
    """Train every unfinished fold of the chosen variants, several at a time.

    Args:
        follow: called with a variant's name when its model is joined and scored while others still
            train, one call at a time; not for those that are left when all are trained.
    """
    settings = params.load()
    check(settings)
    if changes := environment.adopt():
        print(f"foldlab: the environment changed ({changes}); all variants are trained anew.")
    dataset = read_dataset(PREPARED)
    arrays = read_arrays(dataset)
    test_images = np.load(PREPARED / "test_images.npy", mmap_mode="r")
    planned, recipe_of, ensembles = _unfinished(settings, dataset, arrays)
    if not (recipe_of or ensembles):
        _tell_lacking(settings)
        return
    units = [unit for units in planned.values() for unit in units]
    parallel = settings.parallel
    if parallel.backend == "local":  # a pool that is at work must not be asked to change its size
        jobs = parallel.jobs or workers.optimal_workers(len(units), joblib.cpu_count())
        parallel = parallel.model_copy(update={"jobs": jobs})

    def complete(mark: str) -> None:
        if mark in recipe_of:
            recipe = recipe_of[mark]
            plan.model(mark, recipe, arrays, parallel, plan.records(planned[mark]))
            preview(mark, recipe, arrays, parallel)
        else:
            variant, marks = ensembles[mark]
            members = ensemble.members(marks, arrays, parallel)
            ensemble.model(mark, variant, members, arrays, parallel)
        predict(fold_store.folder(mark) / "model.keras", test_images, parallel)

    begun: dict[str, Future] = {}
    followed: list[Future] = []
    with ThreadPoolExecutor(1) as completing, ThreadPoolExecutor(1) as following:

        def carry_on(mark: str) -> None:
            complete(mark)
            with suppress(RuntimeError):  # by now all are trained
                followed.append(following.submit(follow, recipe_of[mark].variant))

        def trained(mark: str) -> None:
            if mark in recipe_of:  # and not a member that is not chosen
                begun[mark] = completing.submit(carry_on, mark)
                if parallel.local_jobs == 1:  # this process trains, and Keras has one global state
                    begun[mark].result()

        try:
            with live.shown(list(recipe_of), settings.tracking):
                plan.finish(units, arrays, parallel, trained=trained)
        finally:
            for pool in (completing, following):
                pool.shutdown(wait=False, cancel_futures=True)
        begun = {mark: future for mark, future in begun.items() if not future.cancelled()}
        left = [mark for mark in (*recipe_of, *ensembles) if mark not in begun]
        with ThreadPoolExecutor(parallel.local_jobs or joblib.cpu_count()) as waiting:
            for _ in waiting.map(complete, left):
                pass
        for future in (*begun.values(), *followed):
            if not future.cancelled():
                future.result()


def _tell_lacking(settings: params.Params) -> None:
    """Say what a store lacks where no stage will run that says it; one that fails says nothing."""
    try:
        publish.tell_lacking(publish.lacking(settings))
    except Exception as error:
        if not store.failed(error):
            raise


def _unfinished(settings: params.Params, dataset: dict, arrays: plan.Arrays) -> Unfinished:
    """Return what is to be done, and announce each training of it.

    Raises:
        UserError: for a variant that makes no sense for the data.
    """
    found = Unfinished({}, {}, {})
    for variant in settings.compare.variants:
        marks = {}
        for recipe in recipes(settings, variant):
            check_data(recipe, dataset, PREPARED)
            marks[identity.fingerprint(recipe, dataset["sha256"])] = recipe
        averaged = settings.variants[variant].ensemble
        mark = identity.ensemble_fingerprint(variant, marks) if averaged else next(iter(marks))
        if _finished(variant, mark):
            continue
        if averaged:
            found.averaged[mark] = variant, marks
        else:
            found.trained[mark] = marks[mark]
            found.planned[mark] = plan.plan(mark, marks[mark], arrays)
            live.announce(mark, marks[mark], settings.variants[variant].description, dataset)
    for _, marks in found.averaged.values():
        found.planned.update(ensemble.missing(marks, arrays))
    return found


def _finished(variant: str, mark: str) -> bool:
    """Return whether the variant's results are those of its present settings."""
    results = Path("results") / variant
    files = [results / name for name in ("training.json", "model.keras", "metrics.json")]
    return all(file.exists() for file in files) and (
        read_json(results / "training.json")["fingerprint"] == mark
    )
