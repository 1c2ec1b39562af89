"""The stage `compare`: compare every chosen variant with the baseline, on the same folds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages import files
from stages.errors import UserError
from stages.figures import style
from stages.figures.comparison import comparison as draw
from stages.report import html, markdown
from stages.report.results import check, read
from stages.settings import params
from stages.statistics import uses
from stages.statistics.baseline import COLUMNS, against_baseline

PREPARED = Path("data/prepared")
RESULTS = Path("results")
DRAWN = 40  # variants in the figure; if there are more, the best ones and the baseline


def compare() -> None:
    """Test every chosen variant against the baseline; write the table, reports and figure.

    Uses of the test set that are missing in the ledger are added to it, since results may come
    from DVC's cache, without a run of `evaluate` here.

    Raises:
        UserError: when results are missing, damaged, or from different data or environments.
    """
    chosen = params.load().compare
    _drop_markers(chosen.variants)
    dataset = files.read_dataset(PREPARED)
    results = {name: read(name, RESULTS) for name in chosen.variants}
    check(results, dataset, chosen.baseline)
    noted = uses.note(result.use for result in results.values())
    test_sha256 = results[chosen.baseline].use.test_sha256
    trainings = sum(use.test_sha256 == test_sha256 for use in noted)
    folds, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    rows = against_baseline(
        {name: result.accuracy for name, result in results.items()},
        {name: result.correct for name, result in results.items()},
        chosen.baseline,
        folds,
        chosen.rope,
    )
    for row in rows:
        result = results[row["variant"]]
        row |= {
            "test_accuracy": result.scores["accuracy"],
            "parameters": result.parameters,
            "on_validation": result.on_validation,
        }
    files.write_table(
        RESULTS / "comparison.csv", COLUMNS, ([row[key] for key in COLUMNS] for row in rows)
    )

    best_first = sorted(rows, key=lambda row: -row["cv_mean"])  # ties keep the order in params.yaml
    report = markdown.comparison(
        best_first,
        baseline=chosen.baseline,
        folds=folds,
        repeats=repeats,
        test_images=dataset["test"]["images"],
        uses=trainings,
        rope=chosen.rope,
    )
    with files.replacing(RESULTS / "comparison.md") as temporary:
        temporary.write_text(report, encoding="utf-8")
    drawn = best_first[:DRAWN]
    if chosen.baseline not in [row["variant"] for row in drawn]:
        drawn[-1] = next(row for row in best_first if row["variant"] == chosen.baseline)
    figure = draw(
        [row["variant"] for row in drawn],
        np.array([results[row["variant"]].accuracy for row in drawn]),
        np.array([[row[key] or 0 for key in ("difference", "ci_low", "ci_high")] for row in drawn]),
        [row["outcome"] for row in drawn],
        baseline=chosen.baseline,
        rope=chosen.rope,
        hidden=len(rows) - len(drawn),
    )
    style.save(figure, RESULTS / "plots" / "comparison.png")
    card = RESULTS / best_first[0]["variant"] / "plots" / "data_card.png"
    if not card.exists():
        raise UserError(f"{card} is missing; run `dvc repro plot@{best_first[0]['variant']}`.")
    page = html.comparison(
        best_first,
        results,
        files.read_array(PREPARED / "test_images.npy"),
        baseline=chosen.baseline,
        dataset=dataset,
        uses=trainings,
        rope=chosen.rope,
        card=card.read_bytes(),
    )
    with files.replacing(RESULTS / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(markdown.headline(best_first, chosen.baseline))


def _drop_markers(chosen: Sequence[str]) -> None:
    """Remove the markers of published variants that are no longer chosen.

    The folder is a dependency of this stage, so its content must depend on params.yaml only.
    """
    for marker in files.listed(RESULTS / "published", "*.json"):
        if marker.stem not in chosen:
            marker.unlink()
