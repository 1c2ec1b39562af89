"""`python -m stages cost`: what each compared variant's model costs, beside its score.

Times depend on the machine, so no file that DVC tracks contains them: this command writes
results/cost.csv and results/plots/cost.png, attaches both to the variants' runs in MLflow, and tags
the runs with the latency.
"""

import sys
from typing import Any

import numpy as np

from stages.commands import models
from stages.engine import latency
from stages.errors import UserError
from stages.figures.cost import cost as draw
from stages.files import RESULTS, existing, read_prepared
from stages.report import measurements
from stages.report.markdown import mean_std
from stages.settings import params
from stages.statistics.metrics import metric_of
from stages.tracking import published
from stages.tracking.record import fit_seconds, remedy

CALLS, IMAGES = 200, 1000
ROUNDS = 3  # over all models
NOISE = 0.1  # times closer than this share count as equal
MEASURED = ("images_per_second", "parameters", "multiply_adds")  # as `latency.measure` names them
COLUMNS: tuple[str, ...] = ("variant", "cv_mean", "cv_std", "n", "metric", "outcome")
COLUMNS += ("one_image_ms", "megabytes", *MEASURED, "fit_seconds", "front")


def cost() -> None:
    """Measure the models one after the other on one thread; print, draw and log the result.

    Raises:
        UserError: if the variants are not compared yet, or a model is missing.
    """
    settings = params.load()
    compared = models.compared(settings)
    images = np.array(read_prepared("test_images")[0][:IMAGES])
    names = [row["variant"] for row in compared]
    paths = {name: existing(RESULTS / name / "model.keras", f"train@{name}") for name in names}
    for name, path in paths.items():
        if not models.is_scored(path):
            raise UserError(
                f"the scores of {name} are of another model than {path}; "
                f"{remedy('evaluate', name, settings)}."
            )
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in paths}
    for number in range(ROUNDS):
        for name, path in paths.items():
            found = latency.measure(path, images, CALLS, settings.train.kernels)
            measured[name].append(found)
        print(f"measured all models, round {number + 1} of {ROUNDS}", file=sys.stderr)
    for row in compared:
        # The fastest round: other work on the machine can only make a round slower.
        found = min(measured[row["variant"]], key=lambda one: one["one_image_ms"]["median"])
        row |= {key: found[key] for key in MEASURED}
        row["one_image_ms"] = found["one_image_ms"]["median"]
        row["megabytes"] = round(found["file_bytes"] / 1e6, 2)
        row["fit_seconds"] = fit_seconds(row["variant"])
    rows = sorted(compared, key=lambda row: -row["cv_mean"])
    for row in rows:
        row["front"] = not any(_beats(other, row) for other in rows)
    measurements.show("cost", rows, COLUMNS, draw(rows), _table(rows), _sentences(rows))
    _log(settings, rows)


def _beats(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether `one` dominates `other`: no worse in score and time, better in one."""
    ratio = one["one_image_ms"] / other["one_image_ms"]
    if one["cv_mean"] < other["cv_mean"] or ratio > 1 + NOISE:
        return False
    return one["cv_mean"] > other["cv_mean"] or ratio < 1 / (1 + NOISE)


def _baseline(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (baseline,) = (row for row in rows if row["outcome"] == "baseline")
    return baseline


def _table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the table as texts: title -> cell, for each variant."""
    baseline = _baseline(rows)
    return [
        {
            "variant": row["variant"] + " *" * row["front"],
            metric_of(row).column: mean_std(row),
            "ms per image": f"{row['one_image_ms']:.2f}",
            f"of {baseline['variant']}": f"{row['one_image_ms'] / baseline['one_image_ms']:.2f}",
            "images/s": f"{row['images_per_second']:,}",
            "MB": f"{row['megabytes']:.1f}",
            "all parameters": f"{row['parameters']:,}",
            "M multiply-adds": f"{row['multiply_adds'] / 1e6:,.1f}" if row["multiply_adds"] else "",
            "training, s": f"{row['fit_seconds']:,.0f}" if row["fit_seconds"] else "",
            "verdict": row["outcome"],
        }
        for row in rows
    ]


def _sentences(rows: list[dict[str, Any]]) -> list[str]:
    """Return notes on the table, and which variants match the baseline in at most half its time."""
    baseline = _baseline(rows)
    sentences = [
        "* Pareto front: no other is better in score and time; times within 10 % count as equal.",
        "Predictions: one thread, one model at a time. Training: the epochs of all folds together; "
        "left out for a backbone or final: refit, whose other steps are not timed.",
    ]
    for row in rows:
        share = row["one_image_ms"] / baseline["one_image_ms"]
        if row["outcome"] == "no difference" and share <= 0.5:
            sentences.append(
                f"{row['variant']}: no difference from {baseline['variant']}, at {share:.2f} of "
                "the time."
            )
    return sentences


def _log(settings: params.Params, rows: list[dict[str, Any]]) -> None:
    """Attach the table and the picture to each variant's run, and tag it with its latency."""
    time = {row["variant"]: f"{row['one_image_ms']:.2f} ms" for row in rows}

    def attach(client: Any, run_id: str, name: str) -> None:
        client.log_artifact(run_id, str(RESULTS / "cost.csv"))
        client.log_artifact(run_id, str(RESULTS / "plots" / "cost.png"), "plots")
        client.set_tag(run_id, "latency", time[name])

    published.annotate(settings, "costs", time, attach)
