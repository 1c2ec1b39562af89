"""`python -m stages champion`: show the comparison in MLflow, and name the champion.

`dvc repro` runs it after `compare`. The rule: the best variant by cross-validated accuracy becomes
`champion` when there is none, or when the corrected resampled t test on the same folds of the same
data says that it is better than the present one; p counts once for each of its rivals, since it is
the best of them. The best of the others is `challenger`.
"""

from pathlib import Path

import numpy as np

from stages import params, publish
from stages.errors import UserError
from stages.files import read_dataset, read_table
from stages.scoring.statistics import corrected_resampled_t
from stages.tracking import record, store
from stages.tracking.record import Identity


def champion() -> None:
    """Show verdicts and move aliases; a store that fails costs a warning and nothing else.

    Raises:
        UserError: when a compared variant was not published, even to a store that failed.
    """
    settings = params.load()
    rows = read_table(Path("results/comparison.csv"))
    rows.sort(key=lambda row: row["cv_mean"], reverse=True)
    identities = [_published(row["variant"]) for row in rows]
    folds = read_dataset(Path("data/prepared"))["folds"]["count"]

    def test(present: list[float], candidate: list[float]) -> tuple[float, float]:
        found = corrected_resampled_t(np.subtract(candidate, present), folds)
        return found["difference"], found["p"]

    try:
        with store.opened(settings.tracking.experiment, publish.SECONDS) as (client, experiment_id):
            from stages.tracking import comparison, registry  # MLflow's import takes seconds

            name = settings.tracking.model_name
            versions = [registry.find(client, name, identity) for identity in identities]
            comparison.show(client, experiment_id, rows, identities, versions)
            pairs = zip(rows, versions, strict=True)
            publish.tell_lacking([row["variant"] for row, version in pairs if not version])
            if versions[0]:  # or the best one could not be crowned
                print(registry.crown(client, name, [v for v in versions if v], test))
    except Exception as error:
        if not store.failed(error):
            raise
        publish.warn("the comparison", error)


def _published(variant: str) -> Identity:
    if (identity := record.published(variant)) is None:
        raise UserError(
            f"results/published/{variant}.json is missing or of an older version; run `dvc repro`."
        )
    return identity
