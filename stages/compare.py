"""The stage `compare`: compare every chosen variant with the baseline, on the same folds."""

from pathlib import Path

import numpy as np

from stages import files
from stages.figures import style
from stages.figures.comparison import comparison as draw
from stages.files import PREPARED, RESULTS
from stages.report import html, markdown
from stages.report.checks import findings
from stages.report.comparison import Comparison, compared
from stages.report.results import check, read
from stages.settings import params
from stages.statistics import uses
from stages.statistics.baseline import COLUMNS

DRAWN = 40  # variants in the figure; if there are more, the best ones and the baseline


def compare() -> None:
    """Test every chosen variant against the baseline; write the table, reports and figure.

    Uses of the test set that are missing in the ledger are added to it, since results may come
    from DVC's cache, without a run of `evaluate` here.

    Raises:
        UserError: when results are missing, damaged, or from different data or environments.
    """
    chosen = params.load().compare
    for marker in files.listed(RESULTS / "published", "*.json"):
        if marker.stem not in chosen.variants:  # this stage must depend on params.yaml only
            marker.unlink()
    dataset = files.read_dataset(PREPARED)
    results = {name: read(name) for name in chosen.variants}
    check(results, dataset, chosen.baseline, chosen.metric)
    noted = uses.note(result.use for result in results.values())
    test_sha256 = results[chosen.baseline].use.test_sha256
    trainings = sum(use.test_sha256 == test_sha256 for use in noted)
    found = compared(results, dataset, chosen, trainings)
    checked = findings(found)
    for row in found.rows:
        row["checks"] = " ".join(one.code for one in checked if row["variant"] in one.variants)
    table = ([row[key] for key in COLUMNS] for row in found.rows)
    files.write_table(RESULTS / "comparison.csv", COLUMNS, table)
    _write(RESULTS / "comparison.md", markdown.comparison(found, checked))
    _draw(found)
    images = files.read_array(PREPARED / "test_images.npy")
    _write(RESULTS / "report.html", html.comparison(found, checked, images, RESULTS))
    print(markdown.headline(found.best_first, found.baseline))


def _draw(found: Comparison) -> None:
    rows = found.best_first[:DRAWN]
    if found.baseline not in [row["variant"] for row in rows]:
        rows[-1] = next(row for row in found.rows if row["variant"] == found.baseline)
    scores = np.array([found.results[row["variant"]].scores[row["metric"]] for row in rows])
    figure = draw(rows, scores, rope=found.rope, hidden=len(found.rows) - len(rows))
    style.save(figure, RESULTS / "plots" / "comparison.png")


def _write(path: Path, text: str) -> None:
    with files.replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
