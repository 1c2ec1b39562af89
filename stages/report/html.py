"""The comparison as one HTML file that needs nothing else: no network, no other file.

What it shows is plain text from files, escaped by the template; only pictures are embedded. The
page is as large as its pictures, so they stop at MOST variants or at ROOM characters.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.files import read_json, read_table
from stages.report import markdown
from stages.report.settings import differing
from stages.scoring.classification import confusion_matrix, most_confused_pairs
from stages.scoring.interval import wilson

MOST = 6  # variants with pictures
ROOM = 4_300_000  # characters of pictures; with the text the page stays below 5 MB
KINDS = {  # picture -> heading and what to look for
    "curves": (
        "Training curves",
        "Where validation turns away from training, a model overfits; dropout and augmentation "
        "hold training back.",
    ),
    "confusion_matrix": (
        "Confusion matrices",
        "Test images: rows are the true class, columns the predicted one.",
    ),
    "calibration": (
        "Calibration",
        "On the diagonal a model is right as often as it says.",
    ),
    "mistakes": ("Mistakes", "Wrongly predicted test images, the most confident first."),
}
TESTS = (
    (("difference, points", "95 % interval"), "difference"),
    (("P(better)", ""), "p_better"),
    (("Holm p", ""), "p_holm"),
)


def comparison(
    rows: Sequence[Mapping[str, Any]],
    *,
    baseline: str,
    dataset: Mapping[str, Any],
    rope: float,
    results: Path,
) -> str:
    """Return the whole page.

    Args:
        rows: one a variant, best first, as `stages.report.markdown.comparison` takes them.
        baseline: the variant that all others are compared with.
        dataset: the content of dataset.json.
        rope: differences up to this fraction count as none.
        results: the folder with plots/comparison.png and one folder a variant.

    Raises:
        ValueError: when a file of a variant is missing; says which stage writes it.
    """
    names = [row["variant"] for row in rows]
    training = {name: read_json(results / name / "training.json") for name in names}
    images = dataset["test"]["images"]
    folds, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    overview = _embedded(results / "plots" / "comparison.png")
    overview = overview if len(overview) <= ROOM // 2 else None
    shown = _pictures(names, dataset["classes"], results, ROOM - len(overview or ""))
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=folder,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["spans"] = spans
    environment.globals["percent"] = lambda fraction: f"{100 * fraction:.1f}"
    return environment.get_template("report.html.j2").render(
        verdict=markdown.headline(rows, baseline),
        notes=markdown.notes(rows, baseline, folds, repeats, images, rope),
        names=names,
        baseline=baseline,
        columns=_columns(rows, images),
        cells=[_cells(row, len(rows) > 1, images) for row in rows],
        overview=overview,
        kinds=KINDS,
        shown=shown,
        most=MOST,
        descriptions={name: training[name].get("description", "") for name in names},
        settings=differing({name: training[name]["settings"] for name in names}),
        dataset=dataset,
        per_class=read_table(_there(results, names[0], "per_class.csv", "evaluate")),
        fingerprints={name: training[name]["fingerprint"] for name in names},
    )


def spans(text: str) -> list[tuple[str, str]]:
    """Split one line of our Markdown into (tag, text), where the tag is "", "code" or "em"."""
    parts = re.split(r"(`[^`]+`|\*[^*]+\*)", text)
    tag = {"`": "code", "*": "em"}
    return [(tag[part[0]], part[1:-1]) if i % 2 else ("", part) for i, part in enumerate(parts)]


def _columns(rows: Sequence[Mapping[str, Any]], images: int) -> list[tuple[str, str]]:
    """Return (title, what it holds) of each column; tests only where there is something to test."""
    tested = len(rows) > 1
    return [
        ("variant", ""),
        *([("verdict", "")] if tested else ()),
        ("CV accuracy, %", f"mean ± sd, n = {rows[0]['n']}"),
        *((title for title, _ in TESTS) if tested else ()),
        ("test accuracy, %", f"n = {images:,}, 95 % interval"),
        ("parameters", ""),
    ]


def _cells(row: Mapping[str, Any], tested: bool, images: int) -> list[tuple[str, Any]]:
    """Return one row of the results table: (text, what the column sorts by or None)."""
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
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    texts = [f"{centre:+z.2f} ({low:z.2f} to {high:z.2f})"]
    texts += [markdown.chance(row[key]) for key in ("p_better", "p_holm")]
    values = [row[key] for _, key in TESTS]
    return [*first, *zip(texts, values, strict=True), *last]


def _pictures(
    names: Sequence[str], classes: Sequence[str], results: Path, room: int
) -> dict[str, dict[str, tuple[str, str]]]:
    """Return variant -> picture -> (data URL, alternative text), as many as there is room for."""
    shown: dict[str, dict[str, tuple[str, str]]] = {}
    for name in names[:MOST]:
        pictures = {
            kind: _embedded(_there(results, name, f"plots/{kind}.png", "plot")) for kind in KINDS
        }
        room -= sum(map(len, pictures.values()))
        if room < 0:
            break
        said = _said(name, classes, results)
        shown[name] = {kind: (pictures[kind], said[kind]) for kind in KINDS}
    return shown


def _said(name: str, classes: Sequence[str], results: Path) -> dict[str, str]:
    """Return what the pictures of a variant show, for who does not see them."""
    scores = read_json(results / name / "metrics.json")
    with np.load(results / name / "predictions.npz", allow_pickle=False) as arrays:
        counts = confusion_matrix(arrays["test_probability"], arrays["test_label"])
    wrong, total = int(counts.sum() - np.trace(counts)), int(counts.sum())
    pairs = [
        f"{classes[actual]} taken for {classes[predicted]} ({images})"
        for actual, predicted, images in most_confused_pairs(counts, 3)
    ]
    most = f"; most often {', '.join(pairs)}" if pairs else ""
    error = scores["test"]["expected_calibration_error"]
    loss = scores["cv"]["loss"]
    return {
        "curves": f"Loss and accuracy of {name} by epoch, one line a fold; validation loss of the "
        f"kept epochs {loss['mean']:.3f} ± {loss['std']:.3f}.",
        "confusion_matrix": f"Confusion matrix of {name}: {wrong:,} of {total:,} test images are "
        f"wrong{most}.",
        "calibration": f"Reliability diagram of {name}: its confidence is {100 * error:.1f} points "
        "from its accuracy on average (expected calibration error).",
        "mistakes": f"The most confident of {wrong:,} wrongly predicted test images of {name}.",
    }


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _there(results: Path, name: str, file: str, stage: str) -> Path:
    """Return the path of a variant's file, or refuse with the stage that writes it."""
    path = results / name / file
    if not path.is_file():
        raise ValueError(f"{path.as_posix()} is missing; run `dvc repro {stage}@{name}`.")
    return path
