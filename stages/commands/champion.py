"""`python -m stages champion`: show the comparison in MLflow, and name the champion.

`dvc repro` runs it after `compare`. The rule: the best variant by cross-validated accuracy becomes
`champion` when there is none, or when the corrected resampled t test on the same folds of the same
data says that it is better than the present one; p counts once for each of its rivals, since it is
the best of them. The best of the others is `challenger`.
"""

from pathlib import Path

import numpy as np

from stages import params, publish
from stages.files import read_dataset, read_json, read_table
from stages.scoring.statistics import corrected_resampled_t
from stages.tracking import store


def champion() -> None:
    """Show verdicts and move aliases; a store that fails costs a warning and nothing else."""
    settings = params.load()
    rows = read_table(Path("results/comparison.csv"))
    rows.sort(key=lambda row: row["cv_mean"], reverse=True)
    marks = [
        read_json(Path("results") / row["variant"] / "training.json")["fingerprint"] for row in rows
    ]
    folds = read_dataset(Path("data/prepared"))["folds"]["count"]

    def test(present: list[float], candidate: list[float]) -> tuple[float, float]:
        found = corrected_resampled_t(np.subtract(candidate, present), folds)
        return found["difference"], found["p"]

    try:
        with store.opened(settings.tracking.experiment, publish.SECONDS) as (client, experiment_id):
            from stages.tracking import comparison, registry  # MLflow's import takes seconds

            name = settings.tracking.model_name
            comparison.show(client, experiment_id, rows, marks, name)
            print(registry.crown(client, name, marks, test))
    except Exception as error:  # whatever a tracker fails with, it costs no result
        publish.warn("the comparison", error)
