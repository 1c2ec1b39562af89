"""The comparison as one self-contained HTML file.

The template escapes all text. Tables list all variants; figures and images show the best MOST and
the baseline, so that the page stays small.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stages.report import details, images, markdown, pictures, verdict
from stages.report.comparison import Comparison
from stages.report.dataset import facts
from stages.report.settings import differing, environment
from stages.report.templates import TEMPLATES
from stages.statistics import classification
from stages.statistics.interval import wilson

MOST = 20  # variants with figures of their own
PAIRS = 2  # confused pairs named below a matrix
TESTS = (
    (("difference, points", "95 % interval"), "difference"),
    (("P(better)", ""), "p_better"),
    (("Holm p", ""), "p_holm"),
)


def comparison(found: Comparison, test_images: np.ndarray, folder: Path) -> str:
    """Return the whole page.

    Args:
        found: the comparison.
        test_images: uint8 (tests, height, width, channels); may be memory-mapped.
        folder: results, with the figures of `plot` and `compare`.

    Raises:
        UserError: when a figure is missing.
    """
    rows, results, baseline = found.best_first, found.results, found.baseline
    dataset, tested, tests = found.dataset, found.tested, found.test_images
    names = [row["variant"] for row in rows]
    shown = names[:MOST]
    if baseline not in shown:
        shown[-1] = baseline
    classes = dataset["classes"]
    training = {name: results[name].training for name in names}
    figures = {
        kind: {name: pictures.of_file(folder, name, kind) for name in shown}
        for kind in ("confusion_matrix", "calibration")
    }
    counts = {name: results[name].counts for name in shown}
    return TEMPLATES.get_template("report.html.j2").render(
        spans=spans,
        verdict=markdown.headline(found),
        verdict_note=verdict.verdict_note(found) if tested else "",
        power_note=verdict.power_note(found) if tested else "",
        notes=markdown.notes(found),
        names=names,
        shown=shown,
        baseline=baseline,
        dataset=dataset,
        facts=facts(dataset),
        card=pictures.of_file(folder, names[0], "data_card"),
        overview=pictures.embedded((folder / "plots" / "comparison.png").read_bytes()),
        curves=pictures.training_curves(found, shown),
        changes=pictures.differences(found, shown),
        **figures,
        results_table=(_columns(rows, tests), [_cells(row, tested, tests) for row in rows]),
        tests_table=details.tests(found),
        scores_table=details.scores(found),
        means={row["variant"]: markdown.mean_std(row) for row in rows},
        confusion_note={name: _confusion_note(counts[name], classes) for name in shown},
        errors={name: results[name].scores["expected_calibration_error"] for name in shown},
        hardest=images.hardest_images(results, test_images, classes),
        own=images.own_mistakes(results, shown, test_images, classes) if tested else {},
        small=max(test_images.shape[1:3]) < images.SIDE,
        agreements=details.agreements(shown, results) if tested else [],
        per_class=[(classes[number], *row) for number, *row in results[names[0]].per_class],
        descriptions={name: training[name]["description"] for name in names},
        settings=differing({name: training[name]["settings"] for name in names}),
        environment=environment(training[baseline]),
        precision=results[baseline].precision,
        fingerprints={name: training[name]["fingerprint"] for name in names},
    )


def spans(text: str) -> list[tuple[str, str]]:
    """Split one line of our Markdown into (tag, text), where the tag is "", "code" or "em"."""
    parts = re.split(r"(`[^`]+`|\*[^*]+\*)", text)
    tag = {"`": "code", "*": "em"}
    return [(tag[part[0]], part[1:-1]) if i % 2 else ("", part) for i, part in enumerate(parts)]


def _columns(rows: Sequence[Mapping[str, Any]], images: int) -> list[details.Column]:
    """Return (title, note) of each column; those of tests only for two variants or more."""
    tested = len(rows) > 1
    return [
        ("variant", ""),
        *([("verdict", "")] if tested else ()),
        ("CV accuracy, %", f"mean ± sd, n = {rows[0]['n']}"),
        *((title for title, _ in TESTS) if tested else ()),
        ("test accuracy, %", f"n = {images:,}, 95 % interval"),
        ("parameters", ""),
    ]


def _cells(row: Mapping[str, Any], tested: bool, images: int) -> list[details.Cell]:
    """Return one row of the results table: (text, sort key or None)."""
    test = row["test_accuracy"]
    low, high = (100 * end for end in wilson(round(test * images), images))
    first = [(row["variant"], row["variant"])]
    first += [(row["outcome"], row["outcome"])] if tested else []
    first += [(markdown.mean_std(row), row["cv_mean"])]
    last = [(f"{100 * test:.2f} ({low:.1f} to {high:.1f})", test)]
    last += [(f"{row['parameters']:,}", row["parameters"])]
    if not tested:
        return first + last
    if row["outcome"] == "baseline":
        return [*first, *[("", None)] * len(TESTS), *last]
    texts = [
        markdown.difference(row),
        *(markdown.probability(row[key]) for key in ("p_better", "p_holm")),
    ]
    values = [row[key] for _, key in TESTS]
    return [*first, *zip(texts, values, strict=True), *last]


def _confusion_note(counts: np.ndarray, classes: Sequence[str]) -> str:
    """Return the number of mistakes, the most common ones, and the hardest class."""
    total, images = int(counts.sum()), counts.sum(axis=1)
    wrong = total - int(np.trace(counts))
    if not wrong:
        return f"no mistake on {total:,} test images"
    pairs = ", ".join(
        f"{classes[actual]} taken for {classes[taken]} ({times:,})"
        for actual, taken, times in classification.most_confused_pairs(counts, PAIRS)
    )
    present = np.flatnonzero(images)
    worst = int(present[(np.diag(counts)[present] / images[present]).argmin()])
    return (
        f"{wrong:,} of {total:,} test images are wrong, most often {pairs}; hardest class: "
        f"{classes[worst]}, {counts[worst, worst]:,} of {images[worst]:,} found"
    )
