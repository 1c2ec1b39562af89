"""`python -m stages champion`: log the comparison to MLflow and choose the champion.

`dvc repro` runs it after `compare`. The variant with the best cross-validated accuracy becomes
`champion` if there is none, or if the corrected resampled t test on the same folds of the same data
finds it better than the current one. Its p is multiplied by the number of its rivals (Bonferroni),
because it is the best of them. The runner-up becomes `challenger`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import publish
from stages.errors import UserError
from stages.files import read_dataset, read_table
from stages.settings import params
from stages.statistics.paired import corrected_resampled_t
from stages.tracking import record, store
from stages.tracking.record import Identity


def champion() -> None:
    """Log the verdicts and set the aliases; if the store fails, only warn.

    Raises:
        UserError: if a compared variant has no marker of `publish`.
    """
    settings = params.load()
    rows = read_table(Path("results/comparison.csv"))
    rows.sort(key=lambda row: row["cv_mean"], reverse=True)
    identities = [_published(row["variant"]) for row in rows]
    folds = read_dataset(Path("data/prepared"))["folds"]["count"]

    def test(current: Sequence[float], candidate: Sequence[float]) -> tuple[float, float]:
        found = corrected_resampled_t(np.subtract(candidate, current), folds)
        return found["difference"], found["p"]

    try:
        with store.opened(settings.tracking.experiment, publish.SECONDS) as (client, experiment_id):
            from stages.tracking import comparison, registered_model  # this imports MLflow

            name = settings.tracking.model_name
            versions = [registered_model.find(client, name, identity) for identity in identities]
            comparison.show(client, experiment_id, rows, identities, versions)
            pairs = zip(rows, versions, strict=True)
            publish.warn_missing([row["variant"] for row, version in pairs if not version])
            if versions[0]:  # otherwise the best variant has no version that could be champion
                print(registered_model.crown(client, name, [v for v in versions if v], test))
    except store.StoreError as error:
        publish.warn("the comparison", error)


def _published(variant: str) -> Identity:
    if (identity := record.published(variant)) is None:
        raise UserError(
            f"results/published/{variant}.json is missing or of an older version; run `dvc repro`."
        )
    return identity
