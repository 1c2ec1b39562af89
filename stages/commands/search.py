"""`python -m stages search`: optimize the settings of one variant and print the best as a new row.

The section `search` of params.yaml declares the settings, their bounds and the number of trials.
Each trial is cross-validated on the prepared folds; the test set is not read. The study is stored
in `.foldlab/search/`, so the same command resumes it.
"""

from stages.data import dataset as prepared
from stages.engine import environment, fold_store, fold_tasks
from stages.engine.resolve import check
from stages.errors import UserError
from stages.files import PREPARED
from stages.search import rows, space, study
from stages.search.trial import Trial, best
from stages.settings import params
from stages.settings.params import Params
from stages.statistics.metrics import METRICS
from stages.tracking import published, store
from stages.tracking.record import flat
from stages.tracking.store_errors import StoreError


def search(trials: int = 0, write: bool = False) -> None:
    """Run the remaining trials and print the best one as a row for params.yaml.

    Args:
        trials: total number of trials, including those of earlier runs; 0: as in params.yaml.
        write: also add the row to params.yaml.

    Raises:
        UserError: if the settings are invalid, the data are not prepared, no trial completed, or
            this search is already running.
    """
    settings = params.load()
    check(settings)
    environment.check(settings.train.kernels)
    dataset = prepared.read(settings)
    space.check(settings, dataset, PREPARED)
    arrays = fold_tasks.read_training_data(dataset)

    wanted = trials or settings.search.trials
    with study.opened(settings, dataset["sha256"]) as opened:
        finished = study.finished(opened, settings)
        if len(finished) < wanted:
            fold_tasks.try_networks(space.architectures(settings), arrays, settings.parallel)
        tracked = True
        if finished:
            print(f"Finished trials: {len(finished)} of {wanted}.")
            tracked = _track(settings, opened.study_name, dataset["sha256"], finished)
        for trial in study.run(opened, settings, wanted, dataset, arrays):
            finished.append(trial)
            leader = best(finished)
            first = f"; best {leader.outcome()} (trial {leader.number})" if leader else ""
            values = ", ".join(f"{path} {value}" for path, value in flat(trial.values))
            print(f"trial {trial.number}: {values}: {trial.outcome()}{first}", flush=True)
            if tracked:  # do not wait for a store that failed
                tracked = _track(settings, opened.study_name, dataset["sha256"], finished)
    if len(finished) < wanted:
        print("The search ends here: all settings of search.space have been tried.")
    fold_store.prune()
    _conclude(settings, finished, write)


def _track(settings: Params, fingerprint: str, data_sha256: str, trials: list[Trial]) -> bool:
    """Publish the trials so far; return whether that worked, else print why not."""
    section = settings.search
    shown = dict(flat(section.model_dump(include={"seed", "variant"}), "search."))
    for path, allowed in section.space.items():
        shown |= flat({path: allowed.model_dump(exclude_defaults=True)}, "search.space.")
    try:
        with store.opened(settings.tracking, published.SECONDS) as client:
            from stages.tracking import search as trial_runs  # MLflow's import takes seconds

            tags = {"variant": section.variant, "fingerprint": fingerprint}
            trial_runs.publish(client, {**tags, "data_sha256": data_sha256}, shown, trials)
    except StoreError as error:
        saved = "its trials are saved, run `make search` again when the store is back"
        published.warn("the search", error, saved)
        return False
    return True


def _conclude(settings: Params, trials: list[Trial], write: bool) -> None:
    """Print the best trial as a row with a note on its bias, and add it to params.yaml on request.

    Raises:
        UserError: if no trial completed.
    """
    count = len(trials)
    found = best(trials)
    if found is None:
        raise UserError(f"none of {count} trials completed; the last one {trials[-1].outcome()}")
    tuned = space.tuned_name(settings.search.variant)
    row = space.tuned(settings, found.values).variants[tuned]
    about = f"{settings.search.variant} with the settings of the best of {count} trials."
    row = row.model_copy(update={"description": about, "train": row.overrides})
    label = METRICS[found.metric].label
    print(
        f"\nBest of {count} trial{'s' * (count != 1)}: trial {found.number} with a cross-validated "
        f"{label} of {found.outcome()}."
    )
    if count > 1:
        print(
            f"As the best of {count} on the same folds, this score is biased upward: expect less "
            "on other images."
        )
    print()
    if edges := space.at_edge(settings.search.space, found.values):
        print(
            f"{', '.join(edges)}: the best value is at the edge of its range; better ones may lie "
            "beyond it, so widen the range in search.space and search again.\n"
        )
    if known := rows.same(settings, row):
        seeds = ", whose score differs because a search trains with other seeds" * (known != tuned)
        print(f"It is already in params.yaml, as `{known}`{seeds}.")
        return
    name = rows.free_name(settings, tuned)
    print(rows.text(name, row))
    if write:
        rows.add(name, row)
        print(f"Added the row `{name}` to params.yaml. ", end="")
    else:
        print("Paste this under `variants` in params.yaml, or run again with --write. ", end="")
    print(
        f"To compare it, add {name} to compare.variants, change folds.seed, so that it is not "
        "compared on the folds it was selected on, and run `dvc repro`."
    )
