"""The stage `compare`: compare every chosen variant with the baseline, on the same folds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages import files
from stages.figures import gallery, style
from stages.figures.comparison import comparison as draw
from stages.figures.ranks import ranks
from stages.files import PREPARED, RESULTS
from stages.report import html, markdown
from stages.report.checks import TRIVIAL, findings
from stages.report.comparison import Comparison, compared
from stages.report.results import Result, check, read
from stages.settings import params
from stages.statistics import label_issues, pairs, uses
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
    trainings = sum(use.test_sha256 == test_sha256 for use in noted)
    comparison = compared(results, dataset, settings, trainings)
    problems = findings(comparison)
    for row in comparison.rows:
        codes = (one.code for one in problems if row["variant"] in one.variants)
        row["checks"] = " ".join(dict.fromkeys(codes))  # a check may have several findings
    table = ([row[key] for key in COLUMNS] for row in comparison.rows)
    files.write_table(RESULTS / "comparison.csv", COLUMNS, table)
    _write(RESULTS / "comparison.md", markdown.report(comparison, problems))
    _draw(comparison)
    table = ([row[key] for key in pairs.COLUMNS] for row in comparison.pairs)
    files.write_table(RESULTS / "pairs.csv", pairs.COLUMNS, table)
    issues = _label_issues(results, dataset["classes"])
    _draw_near_duplicates()
    images = files.read_array(PREPARED / "test_images.npy")
    _write(RESULTS / "report.html", html.page(comparison, problems, images, RESULTS, issues))
    print(markdown.headline(comparison.best_first, comparison.baseline))


def _label_issues(results: Mapping[str, Result], classes: Sequence[str]) -> int:
    """Write the table and picture of training images with a doubtful label; return their number.

    Ensembles add nothing to their members, and rows without a hidden layer little but noise.
    """
    label = next(iter(results.values())).label
    networks = [
        name
        for name, one in results.items()
        if one.training["settings"].get("architecture", {"name": "majority"})["name"] not in TRIVIAL
    ]
    mean, votes = np.zeros(1), []
    for name in networks or [*results]:  # one at a time, as many variants may not fit into memory
        path = RESULTS / name / "predictions.npz"
        stored = files.read_arrays(path, ("oof_probability",))["oof_probability"]
        votes.append(stored.argmax(axis=1))
        mean = mean + stored.astype(np.float64)
    issues = label_issues.find(mean / len(votes), label, np.array(votes))
    names = files.read_table(PREPARED / "train_names.csv", ("row", "file"))
    rows = [
        (
            names[one.row]["row"],
            names[one.row]["file"],
            classes[one.given],
            classes[one.suggested],
            f"{one.score:.4f}",
            one.variants,
        )
        for one in issues
    ]
    files.write_table(RESULTS / "label_issues.csv", label_issues.COLUMNS, rows)
    images = files.read_array(PREPARED / "train_images.npy")
    first = [one.row for one in issues[: gallery.COUNT]]
    shown = [(two, given, str(file or row)) for row, file, given, two, *_ in rows[: len(first)]]
    drawn = gallery.label_issues(images[np.array(first, int)], shown, len(rows))
    style.save(drawn, RESULTS / "plots" / "label_issues.png")
    return len(rows)


def _draw_near_duplicates() -> None:
    """Draw the first groups of near duplicates that `prepare` found, as many as fit."""
    columns = ("group", "split", "index", "row", "file", "label")
    table = files.read_table(PREPARED / "near_duplicates.csv", columns)
    sizes = Counter(row["group"] for row in table)
    shown: list[Mapping[str, Any]] = []
    for group, size in sizes.items():
        if shown and len(shown) + size > gallery.COUNT:
            break
        shown += [row for row in table if row["group"] == group][: gallery.COUNT]
    splits = {name: files.read_array(PREPARED / f"{name}_images.npy") for name in gallery.SPLITS}
    images = np.array([splits[row["split"]][row["index"]] for row in shown])
    drawn = gallery.near_duplicates(images, shown, len(sizes))
    style.save(drawn, RESULTS / "plots" / "near_duplicates.png")


def _draw(comparison: Comparison) -> None:
    rows = comparison.best_first[:DRAWN]
    if comparison.baseline not in [row["variant"] for row in rows]:
        rows[-1] = next(row for row in comparison.rows if row["variant"] == comparison.baseline)
    scores = np.array([comparison.results[row["variant"]].scores[row["metric"]] for row in rows])
    figure = draw(rows, scores, rope=comparison.rope, hidden=len(comparison.rows) - len(rows))
    style.save(figure, RESULTS / "plots" / "comparison.png")
    drawn = ranks(comparison.shown, comparison.ranks, comparison.metric.label)
    style.save(drawn, RESULTS / "plots" / "ranks.png")


def _write(path: Path, text: str) -> None:
    with files.replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
