"""Training images to look at: those with a doubtful label, and groups of near duplicates."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stages import files
from stages.figures import gallery, style
from stages.files import PREPARED, RESULTS
from stages.report.checks import TRIVIAL, architecture
from stages.report.results import Result
from stages.statistics import label_issues as issues


def label_issues(results: Mapping[str, Result], classes: Sequence[str]) -> int:
    """Write results/label_issues.csv and its picture; return the number of rows.

    Ensembles are left out because they add nothing to their members, and rows without a hidden
    layer because they add little but noise.
    """
    label = next(iter(results.values())).label
    networks = [name for name, one in results.items() if architecture(one) not in ("", *TRIVIAL)]
    votes = []

    def probabilities() -> Iterator[np.ndarray]:
        for name in networks or [*results]:  # one at a time, as together they may exceed memory
            path = RESULTS / name / "predictions.npz"
            stored = files.read_arrays(path, ("oof_probability",))["oof_probability"]
            votes.append(stored.argmax(axis=1))
            yield stored

    combined = issues.combined(probabilities())
    found = issues.find(combined, label, np.array(votes))
    names = files.read_table(PREPARED / "train_names.csv", ("row", "file"), text=("file",))
    rows = [
        (
            names[one.row]["row"],
            names[one.row]["file"],
            classes[one.given],
            classes[one.suggested],
            f"{one.score:.4f}",
            one.variants,
        )
        for one in found
    ]
    files.write_table(RESULTS / "label_issues.csv", issues.COLUMNS, rows)
    images = files.read_array(PREPARED / "train_images.npy")
    first = [one.row for one in found[: gallery.COUNT]]
    shown = [(two, given, str(file or row)) for row, file, given, two, *_ in rows[: len(first)]]
    drawn = gallery.label_issues(images[np.array(first, int)], shown, len(rows))
    style.save(drawn, RESULTS / "plots" / "label_issues.png")
    return len(rows)


def near_duplicates() -> None:
    """Draw the first groups of near duplicates that `prepare` found, as many as fit."""
    columns = ("group", "split", "index", "row", "file", "label")
    path = PREPARED / "near_duplicates.csv"
    table = files.read_table(path, columns, text=("file", "label"))
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
