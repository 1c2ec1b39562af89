"""`python -m benchmarks.label_issues`: how many wrong labels Foldlab and cleanlab find.

In mnist-5k, 2 % of the training labels are changed: in one experiment to any other class at random,
in another to the class that the out-of-fold predictions of the first run confuse the digit with
most often. Each experiment draws the changed labels three times. Rows are cross-validated on the
changed labels, as a user would. `--cleanlab PYTHON` names an interpreter that has cleanlab, which
then ranks the same probabilities.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured, processes
from stages import files
from stages.statistics import label_issues

ROWS = ("basic", "batchnorm")
SHARE = 0.02  # of the labels
SEEDS = 3
LENGTH = 1.2  # of the list, as a multiple of the number of changed labels
CLEANLAB = """
import json, sys, cleanlab, numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
given = np.load(sys.argv[1])
label, each = given["label"], list(given["probability"].astype(float))
mean = np.mean(each, axis=0)
ranks = {}
for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
    ranks[method] = get_label_quality_scores(label, mean, method=method).argsort(kind="stable")
    if len(each) > 1:
        score = get_label_quality_ensemble_scores(label, each, method=method, verbose=False)
        ranks[method + ", ensemble"] = score.argsort(kind="stable")
found = find_label_issues(label, mean, return_indices_ranked_by="normalized_margin")
ranks = {key: one.tolist() for key, one in ranks.items()} | {"find_label_issues": found.tolist()}
print(json.dumps({"version": cleanlab.__version__, "ranks": ranks}))
"""


def probabilities(
    folder: Path, arrays: dict[str, np.ndarray], given: np.ndarray, quick: bool
) -> np.ndarray:
    """Cross-validate ROWS on the labels `given`; return float32 (rows, n, classes)."""
    folder.mkdir()
    changed = folder / "changed.npz"
    np.savez(changed, **(arrays | {"y_train": given}))
    data = {"source": str(changed), "watch": str(changed)}
    over: dict[str, Any] = {"data": data, "compare": {"variants": [*ROWS], "baseline": ROWS[0]}}
    if quick:
        over |= {"folds": {"count": 2}, "train": {"epochs": 1}}
    place = inputs.prepare(folder / "run", inputs.merged(inputs.defaults(), over))
    for row in ROWS:
        processes.run_stage(place, "train", row)
    stored = [place / "results" / row / "out_of_fold.npz" for row in ROWS]
    names = ("oof_probability", "oof_label")
    each = [files.read_arrays(path, names)["oof_probability"].mean(axis=0) for path in stored]
    np.savez(folder / "arrays.npz", probability=np.array(each), label=given)
    return np.array(each)


def found(order: np.ndarray, changed: np.ndarray) -> float:
    """Return the share of the changed labels among the first LENGTH x their number."""
    return float(np.isin(changed, order[: round(LENGTH * len(changed))]).mean())


def scored(
    folder: Path, probability: np.ndarray, given: np.ndarray, changed: np.ndarray, python: str
) -> dict[str, Any]:
    """Return how many are found by Foldlab's ranking and list, and by cleanlab's rankings."""
    combined = label_issues.combined(probability)
    issues = label_issues.find(combined, given, probability.argmax(axis=2))
    result: dict[str, Any] = {
        "changed": len(changed),
        "found": found(label_issues.order(combined, given), changed),
        "listed": len(issues),
        "changed_in_list": int(np.isin(changed, [one.row for one in issues]).sum()),
    }
    if python:
        command = [python, "-c", CLEANLAB, str(folder / "arrays.npz")]
        ranked = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        ranks = {key: found(np.array(one), changed) for key, one in ranked["ranks"].items()}
        result |= {"cleanlab": ranks, "cleanlab_version": ranked["version"]}
    return result


def means(parts: Sequence[Any]) -> Any:
    """Average the numbers of nested mappings with the same keys; keep the first one's texts."""
    if isinstance(parts[0], dict):
        return {key: means([part[key] for part in parts]) for key in parts[0]}
    return parts[0] if isinstance(parts[0], str) else round(float(np.mean(parts)), 4)


def main() -> None:
    """Measure, and write benchmarks/records/label_issues.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--cleanlab", default="", metavar="PYTHON", help="that has cleanlab")
    chosen = parser.parse_args()
    found: dict[str, list] = {"random": [], "most_confused": []}
    with inputs.temporary_folder() as folder:
        over = {"data": {"limit": 200}} if chosen.quick else {}
        prepared = inputs.prepare(folder / "clean", inputs.merged(inputs.defaults(), over))
        load = lambda name: np.load(prepared / "data" / "prepared" / f"{name}.npy")  # noqa: E731
        arrays = {"x_train": load("train_images"), "y_train": load("train_labels")}
        arrays |= {"x_test": load("test_images"), "y_test": load("test_labels")}
        true = arrays["y_train"]
        classes = int(true.max()) + 1
        confused = np.zeros((classes, classes), int)
        for seed in range(1 if chosen.quick else SEEDS):
            random = np.random.default_rng(seed)
            changed = random.permutation(len(true))[: round(SHARE * len(true))]
            for kind, results in found.items():
                given = true.copy()
                if kind == "random":
                    steps = random.integers(1, classes, len(changed))
                    given[changed] = (true[changed] + steps) % classes
                else:
                    given[changed] = confused.argmax(axis=1)[true[changed]]
                place = folder / f"{kind}-{seed}"
                probability = probabilities(place, arrays, given, chosen.quick)
                results.append(scored(place, probability, given, changed, chosen.cleanlab))
                if kind == "random" and seed == 0:
                    np.add.at(confused, (true, probability.mean(axis=0).argmax(axis=1)), 1)
                    np.fill_diagonal(confused, -1)
    kinds = {kind: {"mean": means(results), "all": results} for kind, results in found.items()}
    result = {"rows": ROWS, "share": SHARE, "length": LENGTH, "kinds": kinds}
    print(measured.write("label_issues", result, chosen.folder))


if __name__ == "__main__":
    main()
