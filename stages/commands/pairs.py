"""`python -m stages pairs`: test every two compared variants against each other."""

from itertools import combinations
from typing import Any

import numpy as np
from tabulate import tabulate

from stages.errors import UserError
from stages.files import PREPARED, read_dataset
from stages.report.markdown import difference, probability
from stages.report.results import check, read
from stages.settings import params
from stages.statistics import baseline, paired
from stages.statistics.metrics import METRICS


def pairs() -> None:
    """Print a table of all pairs, the better variant first, with Holm's correction for all of them.

    Raises:
        UserError: when results are missing, damaged, or from different data or environments.
    """
    chosen = params.load().compare
    if len(chosen.variants) < 2:
        raise UserError("compare.variants has one name; add another to have a pair to compare.")
    dataset = read_dataset(PREPARED)
    results = {name: read(name) for name in chosen.variants}
    check(results, dataset, chosen.baseline, chosen.metric)
    folds = dataset["folds"]["count"]
    score = {name: result.scores[chosen.metric] for name, result in results.items()}
    best_first = sorted(score, key=lambda name: -score[name].mean())
    couples = list(combinations(best_first, 2))
    gains = np.array([score[one] - score[other] for one, other in couples])
    rows: list[dict[str, Any]] = []
    for (one, other), gained, variance in zip(couples, gains, paired.variances(gains), strict=True):
        row: dict[str, Any] = {"pair": f"{one} - {other}", "metric": chosen.metric}
        row |= paired.corrected_resampled_t(gained, folds, variance)
        row |= paired.bayesian_correlated_t(gained, folds, chosen.rope, variance)
        rows.append(row)
    for row, p_holm in zip(rows, paired.holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p_holm
    cells = [
        [
            row["pair"],
            difference(row),
            probability(row["p_holm"]),
            baseline.outcome(row, chosen.rope),
        ]
        for row in rows
    ]
    columns = [
        "variants",
        f"difference, {METRICS[chosen.metric].unit} (95 %)",
        f"Holm p of {len(rows)}",
        "the first is",
    ]
    print(tabulate(cells, columns, disable_numparse=True))
