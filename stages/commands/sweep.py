"""`python -m stages sweep`: train the unfinished folds of all compared variants in one pool.

`dvc repro` trains one variant after the other. A sweep before it keeps all cores busy and starts
TensorFlow once; the stages then find folds, models and scores cached. As soon as a variant is
trained, DVC runs its remaining stages. A sweep is optional and does not change results.
"""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import joblib
from tqdm import tqdm

from stages.data import dataset as prepared
from stages.engine import environment, fold_store, fold_tasks, hardware, tracker, variants, workers
from stages.engine.predict import score
from stages.engine.resolve import check
from stages.files import RESULTS, read_json, read_prepared
from stages.settings import params
from stages.settings.sections import Kernels
from stages.tracking import published, signature
from stages.tracking.store_errors import StoreError


def reproduce(variant: str) -> None:
    """Run a trained variant's stages with DVC; failures are left to the next `dvc repro`."""
    if not Path("dvc.yaml").exists():
        return
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", f"publish@{variant}"]
    with suppress(OSError):  # no memory for another process, and training matters more
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        tqdm.write(done.stdout + done.stderr, end="")  # above the progress bar


def sweep(follow: Callable[[str], None] = reproduce) -> None:
    """Train all unfinished folds of the compared variants in parallel.

    Workers train the folds. When a variant's last fold is stored, a thread builds and scores its
    model, and another then calls `follow` with its name, while the workers go on. Models that are
    not yet built when the very last fold ends are built in parallel, without `follow`.
    """
    signature.check_key()
    settings = params.load()
    check(settings)
    kernels = settings.train.kernels
    _adopt_environment(kernels)
    dataset = prepared.read(settings)
    planned = [variants.plan(settings, name, dataset) for name in settings.compare.variants]
    planned = [plan for plan in planned if not _is_finished(plan)]
    if not planned:
        with suppress(StoreError):  # nothing needs to be published
            published.warn_missing(published.missing(settings))  # no stage will run to do so
        return
    arrays = fold_tasks.read_training_data(dataset)
    test_images, test_labels = read_prepared("test_images", "test_labels")
    rows = {plan.fingerprint: plan for plan in planned if not plan.is_ensemble}
    for key, plan in rows.items():
        tracker.write_start_marker(key, plan.recipes[key], plan.description, dataset)
    folds: dict[str, list[fold_tasks.FoldTask]] = {}  # also of ensembles' members
    for plan in planned:
        folds |= variants.needed_folds(plan, arrays, variants.members_with_results(plan))
    tasks = [task for own in folds.values() for task in own]
    parallel = settings.parallel
    if parallel.backend == "local":  # a running pool must not be resized
        jobs = parallel.jobs or workers.optimal_workers(len(tasks), joblib.cpu_count())
        parallel = parallel.model_copy(update={"jobs": jobs})

    def complete(plan: variants.Plan) -> None:
        variants.train(plan, arrays, parallel)  # its folds are in the store
        model = fold_store.folder(plan.fingerprint) / "model.keras"
        score(model, test_images, test_labels, parallel, kernels)  # for evaluate, from its cache

    completions: dict[str, Future] = {}
    followed: list[Future] = []
    with ThreadPoolExecutor(1) as completing, ThreadPoolExecutor(1) as following:

        def complete_and_follow(plan: variants.Plan) -> None:
            complete(plan)
            with suppress(RuntimeError):  # the pool is shut down once everything is trained
                followed.append(following.submit(follow, plan.variant))

        def trained(fingerprint: str) -> None:
            if fingerprint in rows:  # excludes ensembles' members that are not compared themselves
                future = completing.submit(complete_and_follow, rows[fingerprint])
                completions[fingerprint] = future
                if parallel.local_jobs == 1:  # this process trains, and Keras has one global state
                    future.result()

        try:
            with tracker.tracked(list(rows), settings.tracking):
                fold_tasks.run_folds(tasks, arrays, parallel, on_complete=trained)
        finally:
            for pool in (completing, following):
                pool.shutdown(wait=False, cancel_futures=True)
        started = {key: future for key, future in completions.items() if not future.cancelled()}
        remaining = [plan for plan in planned if plan.fingerprint not in started]
        with ThreadPoolExecutor(parallel.local_jobs or joblib.cpu_count()) as pool:
            list(pool.map(complete, remaining))
    for future in (*started.values(), *followed):
        if not future.cancelled():
            future.result()


def _adopt_environment(kernels: Kernels) -> None:
    """Record the current environment; report if it changed, or rounds differently from others."""
    if changes := environment.adopt(kernels):
        print(f"foldlab: the environment changed ({changes}); all variants are trained again.")
    found = hardware.kernels(kernels)
    if kernels == "portable" and found != kernels:
        print(
            f"foldlab: {found} has no portable kernels, so results round differently from those of "
            "x86-64 processors with AVX2 (docs/running.md, Reproducibility)."
        )


def _is_finished(plan: variants.Plan) -> bool:
    """Return whether the variant's results match its current settings."""
    results = RESULTS / plan.variant
    present = all((results / f).exists() for f in ("training.json", "model.keras", "metrics.json"))
    if not present:
        return False
    return read_json(results / "training.json", ("fingerprint",))["fingerprint"] == plan.fingerprint
