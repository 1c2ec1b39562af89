"""`python -m stages search`: try settings of one row, and print the best as a new row.

The section `search` of params.yaml says which settings, within what bounds, and how many trials.
A trial is cross-validated on the prepared folds; the test set is not read. The study lies in
`.foldlab/search/`, so the same command goes on where it ended.
"""

import sys
from collections.abc import Callable

from stages import params, publish
from stages.engine import environment, fold_store, plan
from stages.engine.resolve import check
from stages.errors import UserError
from stages.files import read_dataset
from stages.params import Params
from stages.search import row as rows
from stages.search import space, study
from stages.search.trial import Trial, best
from stages.tracking import store
from stages.tracking.record import flat
from stages.train import PREPARED, read_arrays


def search(trials: int = 0, write: bool = False) -> None:
    """Run what lacks of the trials, and print the best one as a row for params.yaml.

    Args:
        trials: how many there shall be in all, those of earlier runs counted; 0: as params.yaml has
            it.
        write: also put the row into params.yaml.

    Raises:
        UserError: when the settings are refused, the data are not prepared, or no trial came to
            its end.
        OSError: when this search is running already.
    """
    settings = params.load()
    check(settings)
    environment.check()
    dataset = read_dataset(PREPARED)
    space.check(settings, dataset, PREPARED)
    arrays = read_arrays(dataset)

    wanted = trials or settings.search.trials
    mark = study.fingerprint(settings, dataset["sha256"])
    tell = _tracker(settings, mark, dataset["sha256"])
    with study.opened(mark) as opened:
        found = study.finished(opened, settings)
        if len(found) < wanted:
            plan.try_networks(space.architectures(settings), arrays, settings.parallel)
        if found:
            print(f"Trials there already: {len(found)}; wanted in all: {wanted}.")
            tell(found)
        for trial in study.run(opened, settings, wanted, dataset["sha256"], arrays):
            found.append(trial)
            leader = best(found)
            first = f"; best {leader.mean:.2%} (trial {leader.number})" if leader else ""
            print(f"trial {trial.number}: {_said(trial)}: {trial.outcome()}{first}", flush=True)
            tell(found)
    fold_store.prune()
    _conclude(settings, found, write)


def _said(trial: Trial) -> str:
    return ", ".join(f"{path} {value}" for path, value in flat(trial.values))


def _tracker(settings: Params, mark: str, data_sha256: str) -> Callable[[list[Trial]], None]:
    """Return the function that publishes the trials so far; after one failure it does nothing."""
    chosen = settings.search
    params_shown = dict(flat(chosen.model_dump(include={"seed", "variant"}), "search."))
    for path, allowed in chosen.space.items():
        params_shown |= flat({path: allowed.model_dump(exclude_defaults=True)}, "search.space.")
    failed = False

    def tell(trials: list[Trial]) -> None:
        nonlocal failed
        if failed:
            return
        try:
            with store.opened(settings.tracking.experiment, publish.SECONDS) as (client, number):
                from stages.tracking import search as runs  # it imports MLflow, which takes seconds

                shown = runs.Search(chosen.variant, mark, data_sha256, params_shown)
                runs.publish(client, number, shown, trials)
        except Exception as error:
            if not store.failed(error):
                raise
            failed = True
            where = store.safe(store.location())
            print(
                f"foldlab: the search is not (fully) in MLflow at {where}: "
                f"{store.why(error)}; its trials are kept, run `make search` when it is back.",
                file=sys.stderr,
            )

    return tell


def _conclude(settings: Params, trials: list[Trial], write: bool) -> None:
    """Print the best trial as a row with what its score is worth, and write it where asked to."""
    found = best(trials)
    if found is None:
        raise UserError(
            f"none of {len(trials)} trials came to its end; the last one {trials[-1].outcome()}"
        )
    named = space.tuned_name(settings.search.variant)
    made = space.tuned(settings, found.values).variants[named]
    about = f"{settings.search.variant} with the settings of the best of {len(trials)} trials."
    made = rows.written(made.model_copy(update={"description": about}))
    known = rows.same(settings, made)
    name = known or rows.free_name(settings, named)
    print(
        f"\nBest of {len(trials)} trials: trial {found.number} with a cross-validated accuracy of "
        f"{found.mean:.2%} (sd {found.sd:.2%}, n = {len(found.accuracies)} folds).\n"
        f"As the highest of {len(trials)} on the same folds it is biased upward: on other images "
        "expect less.\n"
    )
    if known:
        print(f"It is the row `{known}` of params.yaml.")
        return
    print(rows.text(name, made))
    if write:
        rows.add(name, made)
        print(f"params.yaml has the row `{name}` now. ", end="")
    else:
        print("Paste this under `variants` in params.yaml, or let --write do it. ", end="")
    print(
        f"To compare it, add {name} to compare.variants, give folds.seed another value, so that it "
        "is judged by folds on which it was not chosen, and run `dvc repro`."
    )
