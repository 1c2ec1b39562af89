"""The stage `compare`: every chosen variant against the baseline, on the same folds."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stages import entry, files, params
from stages.figures import style
from stages.figures.comparison import comparison as draw
from stages.report import html, markdown
from stages.scoring import statistics

PREPARED = Path("data/prepared")
RESULTS = Path("results")
COLUMNS = (
    "variant",
    "baseline",
    "cv_mean",
    "cv_std",
    "n",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "p_worse",
    "p_equal",
    "p_better",
    "mcnemar_p",
    "verdict",
)


class Result(NamedTuple):
    """What the comparison needs of one variant."""

    accuracy: np.ndarray  # float (n,), validation accuracy of each fold
    folds: list[tuple[int, int]]  # (fold number, validation images)
    data_sha256: str  # of the arrays that it was trained on
    label: np.ndarray  # int (images,), of the training images
    right: np.ndarray  # bool (images,), which of them the out-of-fold prediction hits
    test_accuracy: float
    parameters: int


def compare() -> None:
    """Test every chosen variant against the baseline; write table, reports and figure."""
    chosen = params.load().compare
    _drop_markers(chosen.variants)
    try:
        dataset = files.read_json(PREPARED / "dataset.json")
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing; run `dvc repro prepare`.") from None
    results = {name: read(name) for name in chosen.variants}
    check(results, dataset, chosen.baseline)
    folds, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    rows = against_baseline(results, chosen.baseline, folds, chosen.rope)
    files.write_table(
        RESULTS / "comparison.csv", COLUMNS, ([row[key] for key in COLUMNS] for row in rows)
    )

    best_first = sorted(rows, key=lambda row: -row["cv_mean"])  # ties stay in the chosen order
    report = markdown.comparison(
        best_first,
        baseline=chosen.baseline,
        folds=folds,
        repeats=repeats,
        test_images=dataset["test"]["images"],
        rope=chosen.rope,
    )
    with files.replacing(RESULTS / "comparison.md") as beside:
        beside.write_text(report, encoding="utf-8")
    interval = [
        [row[key] or 0 for key in ("difference", "ci_low", "ci_high")] for row in best_first
    ]
    figure = draw(
        [row["variant"] for row in best_first],
        np.array([results[row["variant"]].accuracy for row in best_first]),
        np.array(interval),
        [row["outcome"] for row in best_first],
        baseline=chosen.baseline,
        rope=chosen.rope,
    )
    style.save(figure, RESULTS / "plots" / "comparison.png")
    page = html.comparison(
        best_first, baseline=chosen.baseline, dataset=dataset, rope=chosen.rope, results=RESULTS
    )
    with files.replacing(RESULTS / "report.html") as beside:
        beside.write_text(page, encoding="utf-8")
    print(markdown.headline(best_first, chosen.baseline))


def read(name: str) -> Result:
    """Read the results of one variant.

    Raises:
        ValueError: when a file is missing or cannot be read; says which stage writes it.
    """
    folder = RESULTS / name
    try:
        rows = files.read_table(folder / "folds.csv")
        training = files.read_json(folder / "training.json")
        metrics = files.read_json(folder / "metrics.json")
        with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
            label = arrays["oof_label"]
            right = arrays["oof_probability"].argmax(axis=1) == label
        return Result(
            accuracy=np.array([row["accuracy"] for row in rows], dtype=np.float64),
            folds=[(row["fold"], row["val_images"]) for row in rows],
            data_sha256=training["data_sha256"],
            label=label,
            right=right,
            test_accuracy=metrics["test"]["accuracy"],
            parameters=metrics["parameters"],
        )
    except FileNotFoundError as error:
        missing = Path(error.filename)
        stage = "train" if missing.name in ("folds.csv", "training.json") else "evaluate"
        raise ValueError(
            f"{missing} is missing: variant {name!r} has no finished results to compare; "
            f"run `dvc repro {stage}@{name}`."
        ) from None
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{folder} holds a file that is not what train and evaluate write ({error}); "
            f"run `dvc repro -f train@{name} evaluate@{name}`."
        ) from None


def check(results: Mapping[str, Result], dataset: Mapping[str, Any], baseline: str) -> None:
    """Refuse results that do not come from the same images and folds.

    Args:
        results: variant -> its results.
        dataset: the content of dataset.json.
        baseline: the variant whose folds all others must have.

    Raises:
        ValueError: names the variant, and what differs.
    """
    count, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    for name, result in results.items():
        if result.data_sha256 != dataset["sha256"]:
            raise ValueError(
                f"variant {name!r} was trained on other images or folds than {PREPARED} holds now "
                f"(sha256 {result.data_sha256[:8]} instead of {dataset['sha256'][:8]}), so it "
                f"cannot be compared; run `dvc repro publish@{name}`."
            )
        if [fold for fold, _ in result.folds] != list(range(count * repeats)):
            raise ValueError(
                f"variant {name!r} has results of {len(result.folds)} folds where {PREPARED} has "
                f"{count} x {repeats}; run `dvc repro publish@{name}`."
            )
        if not np.isfinite(result.accuracy).all():
            raise ValueError(
                f"variant {name!r} has a fold whose accuracy is no number, so it cannot be "
                f"compared; mend its settings and run `dvc repro publish@{name}`."
            )
        same_folds = result.folds == results[baseline].folds
        if not (same_folds and np.array_equal(result.label, results[baseline].label)):
            what = "labels" if same_folds else "folds"
            raise ValueError(
                f"variant {name!r} and the baseline {baseline!r} were not scored on the same "
                f"{what}, so they cannot be compared; run `dvc repro -f train@{name}`."
            )


def against_baseline(
    results: Mapping[str, Result], baseline: str, folds: int, rope: float
) -> list[dict[str, Any]]:
    """Compare each variant with the baseline.

    Args:
        results: variant -> its results, all of the same images and folds.
        baseline: one of the variants.
        folds: folds of one cross-validation.
        rope: differences up to this fraction count as none.

    Returns:
        One row a variant in the order of `results`: the columns of comparison.csv, and `outcome`,
        `test_accuracy` and `parameters`. The baseline's own comparison cells are None.
    """
    reference = results[baseline]
    difference = {
        name: result.accuracy - reference.accuracy
        for name, result in results.items()
        if name != baseline
    }
    found = {
        name: statistics.corrected_resampled_t(values, folds)
        | statistics.bayesian_correlated_t(values, folds, rope)
        | {"mcnemar_p": statistics.mcnemar(results[name].right, reference.right)}
        for name, values in difference.items()
    }
    adjusted = statistics.holm([row["p"] for row in found.values()])
    for row, p_holm in zip(found.values(), adjusted, strict=True):
        row["p_holm"] = p_holm
        row["outcome"] = statistics.outcome(row, rope)
        row["verdict"] = verdict(row, rope)
    rows = []
    for name, result in results.items():
        score = statistics.mean_std(result.accuracy)
        rows.append(
            dict.fromkeys(COLUMNS)
            | {"variant": name, "baseline": baseline, "n": score["n"]}
            | {"cv_mean": score["mean"], "cv_std": score["std"]}
            | {"test_accuracy": result.test_accuracy, "parameters": result.parameters}
            | found.get(name, {"outcome": "baseline", "verdict": "baseline"})
        )
    return rows


def verdict(row: Mapping[str, Any], rope: float) -> str:
    """Return the outcome of one comparison as a person would say it, in percentage points."""
    centre, low, high = (100 * row[key] for key in ("difference", "ci_low", "ci_high"))
    if row["outcome"] == "no difference":
        return f"no difference beyond {100 * rope:g} points"
    if row["outcome"] == "undecided":
        return f"undecided: {centre:+z.2f} points (95 % {low:z.2f} to {high:z.2f})"
    if row["outcome"] == "worse":
        centre, low, high = -centre, -high, -low
    return f"{row['outcome']} by {centre:.2f} points (95 % {low:.2f} to {high:.2f})"


def _drop_markers(chosen: Sequence[str]) -> None:
    """Remove what DVC keeps of published variants that are no longer chosen.

    The folder is a dependency of this stage, so what lies in it must follow from params.yaml.
    """
    for marker in (RESULTS / "published").glob("*.json"):
        if marker.stem not in chosen:
            marker.unlink()


if __name__ == "__main__":
    entry.run(compare)
