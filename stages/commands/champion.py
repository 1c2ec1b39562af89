"""`python -m stages champion`: log the comparison to MLflow and choose the champion.

`dvc repro` runs it after `compare`, and `publish --all` does the same at its end. The variant with
the best cross-validated score becomes `champion` if there is none, or if the corrected resampled
t test on the same folds of the same data finds it better than the current one. The p-value is
multiplied by the number of rivals (Bonferroni), because the variant was chosen as the best of them.
The runner-up becomes `challenger`. A run with `data.limit` gets verdicts, but its models are not
registered.
"""

import math
import sys
from pathlib import Path
from statistics import fmean

import numpy as np

from stages.errors import UserError
from stages.files import (
    PREPARED,
    RESULTS,
    existing,
    listed,
    read_dataset,
    read_table,
    root,
    write_text,
)
from stages.settings import params
from stages.statistics.paired import corrected_resampled_t, variances
from stages.tracking import address, marker, published, store
from stages.tracking.store_errors import StoreError


def champion() -> None:
    """Log the verdicts and set the aliases; if the store fails, only warn.

    Raises:
        UserError: if there is no comparison, or a compared variant has no marker of `publish`.
    """
    _log(published.SECONDS)


def complete() -> bool:
    """Do what `champion` does, without a time limit; return whether the store has everything.

    Without a comparison there is nothing to do.

    Raises:
        UserError: if a compared variant has no marker, or its scores are not those of its results.
    """
    path = RESULTS / "comparison.csv"
    if not path.is_file():
        print("foldlab: no variants are compared yet; run `dvc repro`.", file=sys.stderr)
        return True
    for row in read_table(path):
        file = RESULTS / row["variant"] / "fold_scores.csv"
        if not file.exists():
            raise UserError(f"{file} is missing; run `dvc repro`.")
        scores = [scored[row.get("metric", "accuracy")] for scored in read_table(file)]
        if not math.isclose(row["cv_mean"], fmean(scores), rel_tol=1e-6):
            raise UserError(f"{path} is of other results than {file}; run `dvc repro`.")
    return _log(None)


def identity() -> str:
    """Return what identifies the comparison in results/, its variants' results, and the store."""
    markers = listed(RESULTS / "published", "*.json")
    return f"{address.shown()} {marker.combined_sha256([RESULTS / 'comparison.csv', *markers])}\n"


def last_shown() -> str:
    """Return the identity of what this repository last showed in MLflow; "" if that failed."""
    note = _note()
    return note.read_text(encoding="utf-8") if note.exists() else ""


def _note() -> Path:
    return root() / ".foldlab" / "shown"


def _log(seconds: float | None) -> bool:
    tracking = params.load().tracking
    rows = read_table(existing(RESULTS / "comparison.csv", "compare"))
    rows.sort(key=lambda row: row["cv_mean"], reverse=True)
    metric = rows[0].get("metric", "accuracy")
    identities = []
    for row in rows:
        if (results := marker.published(row["variant"])) is None:
            file = f"results/published/{row['variant']}.json"
            raise UserError(f"{file} is missing or of an older version; run `dvc repro`.")
        identities.append(results)
    dataset = read_dataset(PREPARED)
    folds = dataset["folds"]["count"]
    images = dataset["train"]["images"] / folds

    def test(difference: np.ndarray) -> dict[str, float]:
        (variance,) = variances(difference[np.newaxis], images)
        return corrected_resampled_t(difference, folds, variance)

    try:
        with store.opened(tracking, seconds) as client:
            from stages.tracking import champion as rule
            from stages.tracking import comparison, runs  # this imports MLflow

            found = [runs.look_up(client, one) for one in identities]
            parents, versions, are_complete = zip(*found, strict=True)
            comparison.show(client, rows, identities, parents)
            missing = [
                row["variant"] for row, is_all in zip(rows, are_complete, strict=True) if not is_all
            ]
            published.warn_missing(missing)
            limits = [run.data.tags[runs.LIMIT] for run in parents if run and runs.is_limited(run)]
            if limits:
                print(f"A run with data.limit = {limits[0]}: its models are not registered.")
            elif versions[0]:  # otherwise the best variant has no version that could be champion
                known = [version for version in versions if version]
                print(rule.choose(client, known, identities, test, metric))
    except StoreError as error:
        _note().unlink(missing_ok=True)
        published.warn("the comparison", error)
        return False
    write_text(_note(), identity())
    return not missing
