"""`python -m stages champion`: log the comparison to MLflow and choose the champion.

`dvc repro` runs it after `compare`. The variant with the best cross-validated accuracy becomes
`champion` if there is none, or if the corrected resampled t test on the same folds of the same data
finds it better than the current one. Its p is multiplied by the number of its rivals (Bonferroni),
because it is the best of them. The runner-up becomes `challenger`.
"""

from functools import partial

from stages import publish
from stages.errors import UserError
from stages.files import PREPARED, RESULTS, read_dataset, read_table
from stages.settings import params
from stages.statistics.paired import corrected_resampled_t
from stages.tracking import marker, store


def champion() -> None:
    """Log the verdicts and set the aliases; if the store fails, only warn.

    Raises:
        UserError: if a compared variant has no marker of `publish`.
    """
    tracking = params.load().tracking
    rows = read_table(RESULTS / "comparison.csv")
    rows.sort(key=lambda row: row["cv_mean"], reverse=True)
    identities = []
    for row in rows:
        if (identity := marker.published(row["variant"])) is None:
            file = f"results/published/{row['variant']}.json"
            raise UserError(f"{file} is missing or of an older version; run `dvc repro`.")
        identities.append(identity)
    test = partial(corrected_resampled_t, folds=read_dataset(PREPARED)["folds"]["count"])
    try:
        with store.opened(tracking, publish.SECONDS) as client:
            from stages.tracking import comparison, registered_model  # this imports MLflow

            versions = [registered_model.find(client, identity) for identity in identities]
            comparison.show(client, rows, identities, versions)
            pairs = zip(rows, versions, strict=True)
            publish.warn_missing([row["variant"] for row, version in pairs if not version])
            if versions[0]:  # otherwise the best variant has no version that could be champion
                print(registered_model.crown(client, [v for v in versions if v], test))
    except store.StoreError as error:
        publish.warn("the comparison", error)
