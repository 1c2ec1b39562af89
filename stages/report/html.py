"""The comparison as one self-contained HTML file.

The template escapes all text. Tables list all variants; figures and images show the best of them
and the baseline, so that the page stays small.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stages.report import details, markdown, pictures
from stages.report.checks import Finding
from stages.report.comparison import Comparison
from stages.report.dataset import facts
from stages.report.results import Result
from stages.report.settings import differing, environment
from stages.report.templates import TEMPLATES
from stages.statistics import classification

PAIRS = 2  # confused pairs named below a matrix


def page(
    comparison: Comparison,
    findings: Sequence[Finding],
    images: np.ndarray,
    folder: Path,
    issues: int,
) -> str:
    """Return the whole page, with the figures that `plot` and `compare` wrote to `folder`.

    `images` are the test images, uint8 (tests, height, width, channels); may be memory-mapped.
    `issues` is the number of rows in label_issues.csv. A missing figure raises UserError.
    """
    results, classes = comparison.results, comparison.dataset["classes"]
    return TEMPLATES.get_template("report.html.j2").render(
        details=details,
        markdown=markdown,
        pictures=pictures,
        spans=spans,
        comparison=comparison,
        findings=findings,
        names=comparison.names,
        folder=folder,
        images=images,
        issues=issues,
        near={"groups": 0} | comparison.dataset.get("near_duplicates", {}),
        facts=facts(comparison.dataset),
        confusion_note={name: _confusion_note(results[name], classes) for name in comparison.shown},
        settings=differing({name: results[name].training["settings"] for name in comparison.names}),
        environment=environment(results[comparison.baseline].training),
    )


def spans(text: str) -> list[tuple[str, str]]:
    """Split one line of our Markdown into (tag, text), where the tag is "", "code" or "em"."""
    parts = re.split(r"(`[^`]+`|\*[^*]+\*)", text)
    tag = {"`": "code", "*": "em"}
    return [(tag[part[0]], part[1:-1]) if i % 2 else ("", part) for i, part in enumerate(parts)]


def _confusion_note(result: Result, classes: Sequence[str]) -> str:
    """Return the number of mistakes, the most common ones, and the hardest class."""
    counts = result.counts
    total, images = int(counts.sum()), counts.sum(axis=1)
    wrong = total - int(np.trace(counts))
    if not wrong:
        return f"no mistake on {total:,} test images"
    pairs, worst = result.confused(classes, PAIRS), classification.hardest_class(counts)
    return (
        f"{wrong:,} of {total:,} test images {'is' if wrong == 1 else 'are'} wrong, most often "
        f"{pairs}; hardest class: "
        f"{classes[worst]}, {counts[worst, worst]:,} of {images[worst]:,} correct"
    )
