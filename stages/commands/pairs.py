"""`python -m stages pairs`: test all pairs of compared variants."""

from tabulate import tabulate

from stages.errors import UserError
from stages.files import PREPARED, read_dataset
from stages.report.markdown import difference, probability
from stages.report.results import check, read
from stages.settings import params
from stages.statistics.metrics import METRICS
from stages.statistics.pairs import pairs as every_pair


def pairs() -> None:
    """Print a table of all pairs, the better variant first, with Holm's correction for all of them.

    Raises:
        UserError: when results are missing, damaged, or from different data or environments.
    """
    settings = params.load().compare
    if len(settings.variants) < 2:
        raise UserError("compare.variants has one name; add another to have a pair to compare.")
    dataset = read_dataset(PREPARED)
    results = {name: read(name) for name in settings.variants}
    check(results, dataset, settings.baseline, settings.metric)
    score = {name: result.scores[settings.metric] for name, result in results.items()}
    folds = dataset["folds"]["count"]
    images = dataset["train"]["images"] / folds
    rows = every_pair(score, folds, settings.rope, settings.metric, images)
    table = [
        {
            "variants": f"{row['variant']} - {row['other']}",
            f"difference, {METRICS[settings.metric].unit} (95 %)": difference(row),
            f"Holm p of {len(rows)}": probability(row["p_holm"]),
            "the first is": row["outcome"],
        }
        for row in rows
    ]
    print(tabulate(table, "keys", disable_numparse=True))
