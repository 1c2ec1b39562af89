"""A search as an Optuna study in a file: one trial after the other, each cross-validated.

Nothing depends on the number of workers or on how often the search was stopped: a trial's sampler
is seeded by the trial's number, and whether a trial goes on is decided fold by fold, in order.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import joblib
import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from stages import entry
from stages.engine import fold_store, identity, plan
from stages.errors import UserError
from stages.params import Params
from stages.search import space
from stages.search.trial import Trial
from stages.sections import Parallel
from stages.training.fold import UntrainableError, derive_seed

STARTUP = 5  # complete trials before any is pruned, and random ones before the sampler learns
LEAST_FOLDS = 2  # before a trial may be pruned: one fold says little

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class MedianOfFolds(optuna.pruners.BasePruner):
    """Prune a trial whose mean so far is below the median of complete ones after the same folds.

    The median stopping rule of Golovin et al., "Google Vizier" (2017). Optuna's `MedianPruner`
    takes a trial's best intermediate value instead, which suits learning curves: an easy first
    fold would protect every trial. Its `WilcoxonPruner` compares fold by fold with the best trial,
    but four folds are the fewest from which its p can come below 0.1.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Say whether the trial, whose step is the number of its folds, should end here."""
        folds = trial.last_step
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < STARTUP or folds < LEAST_FOLDS:
            return False
        others = [other.intermediate_values[folds] for other in complete]
        return trial.intermediate_values[folds] < float(np.median(others))


def fingerprint(settings: Params, data_sha256: str) -> str:
    """Return the SHA-256 of what makes two searches the same but for the number of trials."""
    content = {
        "row": identity.fingerprint(space.tuned_recipe(settings, {}), data_sha256),
        "search": settings.search.model_dump(exclude={"trials"}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def opened(mark: str) -> Iterator[optuna.Study]:
    """Open the study of a fingerprint, a new one when there is none, for this process alone.

    Raises:
        OSError: when another process has it open.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    path = entry.root() / ".foldlab" / "search" / f"{mark}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_suffix(".running"), timeout=0):
            _mend(path)
            yield optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(path))),
                study_name=mark,
                direction="maximize",
                pruner=MedianOfFolds(),
                load_if_exists=True,
            )
    except Timeout:
        raise UserError(
            "this search is already running in another process; wait for it or stop it."
        ) from None


def _mend(path: Path) -> None:
    """Remove what a killed process may leave: half a line, and a lock that Optuna would wait for.

    Optuna would refuse the file once something follows half a line.
    """
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    content = path.read_bytes() if path.exists() else b""
    if not content.endswith(b"\n"):
        path.write_bytes(content[: content.rfind(b"\n") + 1])


def finished(study: optuna.Study, settings: Params) -> list[Trial]:
    """Return the trials that came to an end, in order; those that were killed do not count."""
    ended = [
        trial
        for trial in study.get_trials(deepcopy=False, states=tuple(STATES))
        if trial.state != TrialState.FAIL or "reason" in trial.user_attrs
    ]
    return [
        Trial(
            number=number,
            values=space.values(settings.search.space, trial.params),
            accuracies=trial.user_attrs.get("accuracies", []),
            state=STATES[trial.state],
            reason=trial.user_attrs.get("reason", ""),
            start=round(trial.datetime_start.timestamp() * 1000),
            end=round(trial.datetime_complete.timestamp() * 1000),
        )
        for number, trial in enumerate(ended)
    ]


def run(
    study: optuna.Study, settings: Params, trials: int, data_sha256: str, arrays: plan.Arrays
) -> Iterator[Trial]:
    """Run trials until there are `trials` in all.

    Args:
        study: what `opened` gave.
        settings: params.yaml, whose space `space.check` has accepted.
        trials: how many there shall be, those of earlier runs counted.
        data_sha256: of the prepared data.
        arrays: the prepared training images with their folds.

    Yields:
        Each trial as it ends. One that cannot be trained has failed; any other error ends the
        search, and the trial that met it does not count.
    """
    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)  # of a killed search; its folds are kept
    while (number := len(finished(study, settings))) < trials:
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, seed=derive_seed(settings.search.seed, number)
        )
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if number == 0 and not waiting and (own := space.standing(settings)):
            study.enqueue_trial(own)  # the row as it stands, to compare with
        trial = study.ask(space.distributions(settings.search.space))
        try:
            _cross_validate(study, trial, settings, data_sha256, arrays)
        except UntrainableError as error:  # it diverged, or is too deep for the images
            trial.set_user_attr("reason", str(error))
            study.tell(trial, state=TrialState.FAIL)
        yield finished(study, settings)[-1]


def _cross_validate(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: Params,
    data_sha256: str,
    arrays: plan.Arrays,
) -> None:
    chosen = space.tuned_recipe(settings, space.values(settings.search.space, trial.params))
    units = plan.plan(identity.fingerprint(chosen, data_sha256), chosen, arrays)
    parallel = settings.parallel
    everywhere = len(units) if parallel.backend == "ray" else joblib.cpu_count()
    at_once = parallel.jobs or everywhere
    accuracies: list[float] = []
    for fold, unit in enumerate(units):
        if fold % at_once == 0:
            # As many folds as there are workers, of which a pruned trial needs not all. One that
            # fails says so below, in its turn, so that the order of their ends does not matter.
            with suppress(UntrainableError):
                _train(units[fold : fold + at_once], arrays, parallel)
        _train([unit], arrays, parallel)
        (record,) = plan.records([unit])
        accuracies.append(record.kept("val_accuracy"))
        trial.set_user_attr("accuracies", accuracies)
        trial.report(float(np.mean(accuracies)), len(accuracies))
        if len(accuracies) < len(units) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    study.tell(trial, float(np.mean(accuracies)))


def _train(units: list[plan.Unit], arrays: plan.Arrays, parallel: Parallel) -> None:
    if any(fold_store.load(unit.fingerprint, unit.fold) is None for unit in units):
        plan.finish(units, arrays, parallel, leave=False)
