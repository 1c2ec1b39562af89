"""The stage `compare`: compare every chosen variant with the baseline, on the same folds."""

import numpy as np

from stages import files
from stages.figures import style
from stages.figures.comparison import comparison as draw
from stages.figures.ranks import ranks
from stages.files import PREPARED, RESULTS
from stages.report import html, markdown, training_images
from stages.report.checks import findings
from stages.report.comparison import Comparison, compared
from stages.report.results import check, read
from stages.settings import params
from stages.statistics import pairs, uses
from stages.statistics.baseline import COLUMNS

DRAWN = 40  # variants in the figure; if there are more, the best ones and the baseline


def compare() -> None:
    """Test every chosen variant against the baseline; write the table, reports and figure.

    Uses of the test set that are missing from results/test_set_uses.csv are added to it: results
    may come from DVC's cache, without a run of `evaluate` here.

    Raises:
        UserError: when results are missing, damaged, or from different data or environments.
    """
    settings = params.load().compare
    for marker in files.listed(RESULTS / "published", "*.json"):
        if marker.stem not in settings.variants:  # this stage must depend on params.yaml only
            marker.unlink()
    dataset = files.read_dataset(PREPARED)
    results = {name: read(name) for name in settings.variants}
    check(results, dataset, settings.baseline, settings.metric)
    noted = uses.note(result.use for result in results.values())
    test_sha256 = results[settings.baseline].use.test_sha256
    scored_models = sum(use.test_sha256 == test_sha256 for use in noted)
    comparison = compared(results, dataset, settings, scored_models)
    problems = findings(comparison)
    for row in comparison.rows:
        codes = (one.code for one in problems if row["variant"] in one.variants)
        row["checks"] = " ".join(dict.fromkeys(codes))  # a check may have several findings
    for name, columns, rows in (
        ("comparison.csv", COLUMNS, comparison.rows),
        ("pairs.csv", pairs.COLUMNS, comparison.pairs),
    ):
        cells = ([row[key] for key in columns] for row in rows)
        files.write_table(RESULTS / name, columns, cells)
    files.write_text(RESULTS / "comparison.md", markdown.report(comparison, problems))
    _draw(comparison)
    issues = training_images.label_issues(results, dataset["classes"])
    training_images.near_duplicates()
    images = files.read_array(PREPARED / "test_images.npy")
    files.write_text(
        RESULTS / "report.html", html.page(comparison, problems, images, RESULTS, issues)
    )
    print(markdown.headline(comparison.best_first, comparison.baseline))


def _draw(comparison: Comparison) -> None:
    rows = comparison.best_first[:DRAWN]
    if comparison.baseline not in [row["variant"] for row in rows]:
        rows[-1] = next(row for row in comparison.rows if row["variant"] == comparison.baseline)
    scores = np.array([comparison.results[row["variant"]].scores[row["metric"]] for row in rows])
    figure = draw(rows, scores, rope=comparison.rope, hidden=len(comparison.rows) - len(rows))
    style.save(figure, RESULTS / "plots" / "comparison.png")
    drawn = ranks(comparison.shown, comparison.ranks, comparison.metric.label)
    style.save(drawn, RESULTS / "plots" / "ranks.png")
