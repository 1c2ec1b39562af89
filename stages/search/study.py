"""Run a search as an Optuna study in a file: trials run one by one, each cross-validated.

Results depend neither on the number of workers nor on interruptions: the sampler is seeded by the
trial's number, and pruning is decided fold by fold, in order.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import joblib
import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.trial import TrialState

from stages import files
from stages.engine import final_model, fold_store, fold_tasks, identity
from stages.engine.resolve import check_data
from stages.errors import UserError
from stages.search import space
from stages.search.draw import STARTUP, draw, key, size
from stages.search.trial import Trial
from stages.settings.params import Params
from stages.statistics.scores import SCORES, of_folds
from stages.training.fold import FoldResult, UntrainableError
from stages.training.recipe import Recipe

MIN_FOLDS = 2  # folds before a trial may be pruned

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def fingerprint(settings: Params, data_sha256: str) -> str:
    """Return the SHA-256, in hexadecimal, that identifies a search except its number of trials."""
    content = {
        "row": identity.fingerprint(space.tuned_recipe(settings, {}), data_sha256),
        "search": settings.search.model_dump(exclude={"trials"}),
    }
    if settings.compare.metric != "accuracy":
        content["metric"] = settings.compare.metric
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def opened(settings: Params, data_sha256: str) -> Iterator[optuna.Study]:
    """Open or create a search's study, named by its fingerprint, exclusively for this process.

    Raises:
        UserError: when another process has it open.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    name = fingerprint(settings, data_sha256)
    path = files.root() / ".foldlab" / "search" / f"{name}.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_suffix(".running"), timeout=0):
            yield optuna.create_study(
                storage=f"sqlite:///{path}",
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
    except Timeout:
        raise UserError(
            "this search is already running in another process; wait for it or stop it."
        ) from None


def finished(study: optuna.Study, settings: Params) -> list[Trial]:
    """Return the finished trials, in order, without those that were killed."""

    def milliseconds(time: datetime | None) -> int:
        return round(time.timestamp() * 1000) if time else 0

    ended = [
        trial
        for trial in study.get_trials(deepcopy=False, states=tuple(STATES))
        if trial.state != TrialState.FAIL or "reason" in trial.user_attrs
    ]
    return [
        Trial(
            number=number,
            values=space.values(settings.search.space, trial.params),
            scores=trial.user_attrs.get("scores", []),
            state=STATES[trial.state],
            reason=trial.user_attrs.get("reason", ""),
            start=milliseconds(trial.datetime_start),
            end=milliseconds(trial.datetime_complete),
            metric=settings.compare.metric,
        )
        for number, trial in enumerate(ended)
    ]


def run(
    study: optuna.Study,
    settings: Params,
    trials: int,
    dataset: Mapping[str, Any],
    arrays: fold_tasks.Arrays,
) -> Iterator[Trial]:
    """Run the remaining trials of a study; `trials` counts those of earlier runs too.

    The space in `settings` must have passed `space.check`; `dataset` is the content of
    dataset.json. The search ends early when all settings of the space have been tried.

    Yields:
        Each trial when it ends. A trial fails if its settings are not valid together or it raises
        UntrainableError; any other error ends the search, and its trial does not count.
    """
    for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(stale.number, state=TrialState.FAIL)  # of a killed search; its folds are stored
    while len(done := finished(study, settings)) < trials:
        tried = {key(trial.values) for trial in done}
        if len(tried) >= size(settings.search.space):
            return
        trial = draw(study, settings, len(done), tried)
        tasks: list[fold_tasks.FoldTask] = []
        try:
            recipe = _recipe(settings, trial, dataset)
            fingerprint = identity.fingerprint(recipe, dataset["sha256"])
            tasks = fold_tasks.variant_tasks(fingerprint, recipe, arrays)
            study.tell(trial, _cross_validate(study, trial, tasks, arrays, settings))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except UntrainableError as error:
            trial.set_user_attr("reason", str(error))
            study.tell(trial, state=TrialState.FAIL)
        fold_store.mark_complete({task.fingerprint for task in tasks})
        yield finished(study, settings)[-1]


def _recipe(settings: Params, trial: optuna.Trial, dataset: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a trial; raises UntrainableError if its values are not valid together.

    `space.check` has tried all values of a dimension only if they are few, and only pairs of them.
    """
    try:
        recipe = space.tuned_recipe(settings, space.values(settings.search.space, trial.params))
        check_data(recipe, dataset, files.PREPARED)
    except UserError as error:
        raise UntrainableError(str(error)) from None
    return recipe


def _cross_validate(
    study: optuna.Study,
    trial: optuna.Trial,
    tasks: list[fold_tasks.FoldTask],
    arrays: fold_tasks.Arrays,
    settings: Params,
) -> float:
    """Return the mean score of a trial's folds; raise TrialPruned when it should be pruned.

    A trial is pruned when its mean is below the median of the complete trials after the same folds,
    the rule of Golovin et al., "Google Vizier" (2017). Optuna's `MedianPruner` uses a trial's best
    intermediate value, so that an easy first fold would protect every trial; its `WilcoxonPruner`
    needs at least four folds for p < 0.1.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    metric, parallel = settings.compare.metric, settings.parallel
    batch = parallel.jobs or (len(tasks) if parallel.backend == "ray" else joblib.cpu_count())
    scores: list[float] = []
    for fold, task in enumerate(tasks):
        if fold % batch == 0:
            # Train as many folds in parallel as there are workers, even if a pruned trial does not
            # need them all. Errors are raised below, in order of folds, so that the result does
            # not depend on which fold fails first.
            with suppress(UntrainableError):
                fold_tasks.run_folds(tasks[fold : fold + batch], arrays, parallel, keep_bar=False)
        fold_tasks.run_folds([task], arrays, parallel, keep_bar=False)
        (record,) = fold_tasks.records([task])
        scores.append(_score(record, arrays.labels, metric))
        if not np.isfinite(scores[-1]):
            raise UserError(
                f"{metric} is not defined for the images of fold {task.fold}; use another "
                "compare.metric or folds.seed."
            )
        mean, folds = float(np.mean(scores)), fold + 1
        trial.set_user_attr("scores", scores)
        trial.report(mean, folds)
        may_prune = len(complete) >= STARTUP and MIN_FOLDS <= folds < len(tasks)
        if may_prune and mean < np.median([one.intermediate_values[folds] for one in complete]):
            raise optuna.TrialPruned
    if metric == "accuracy":
        return mean
    # The score of a complete trial is the one that `compare` would use.
    records, recipe = fold_tasks.records(tasks), tasks[0].recipe
    probability = final_model.calibration(records, recipe, arrays)[1]
    scores = [row[metric] for row in of_folds(probability, arrays.labels, arrays.folds)]
    trial.set_user_attr("scores", scores)
    return float(np.mean(scores))


def _score(record: FoldResult, labels: np.ndarray, metric: str) -> float:
    """Return a fold's score; `labels` are those of all training images."""
    if metric == "accuracy":
        return record.at_best_epoch("val_accuracy")
    return SCORES[metric](record.probability, labels[record.validation])
