"""The summary of a variant's run: short texts for the columns of the saved view, the mean of its
folds' curves, and whether its results belong to the latest comparison of this checkout."""

import hashlib
import platform
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any

from mlflow.entities import Metric, Run, RunTag

from stages.errors import UserError
from stages.files import RESULTS, read_json, read_table, root
from stages.statistics.metrics import metric_of
from stages.tracking import usage
from stages.tracking.children import search
from stages.tracking.record import Record
from stages.tracking.store import Client

CURVES = ("accuracy", "loss", "val_accuracy", "val_loss")
MEAN = "mean_of_folds/"  # MLflow draws metrics of one prefix together, before those without one
STATE, CHECKOUT = "results", "foldlab.checkout"
COMPARED = "compared score"
CHECKS = "foldlab.checks"  # codes of the comparison's warnings


def score_tags(record: Record) -> dict[str, str]:
    """Return the texts that do not depend on other variants: tag -> text."""
    folder, metrics = RESULTS / record.variant, record.metrics
    cv = read_json(folder / "metrics.json")["cv"]["accuracy"]  # not rounded, as in the report
    texts = {
        "size": f"{(folder / 'model.keras').stat().st_size / 1e6:.1f} MB",
        "CV accuracy": f"{100 * cv['mean']:.2f} ± {100 * cv['std']:.2f} %",
        "test": f"{100 * metrics['test_accuracy']:.2f} %",
        "parameters": f"{metrics['parameters']:,.0f}",
        "processor": read_json(folder / "training.json")["environment"]["kernels"],
    }
    if "fit_seconds" in metrics:  # timing.csv is not in Git
        texts["fit time"] = f"{metrics['fit_seconds']:,.0f} s"
    return texts


def verdict_tags(row: Mapping[str, Any], shown: Container[str] = ()) -> dict[str, str]:
    """Return the texts of a variant's row of comparison.csv; the baseline has no difference.

    If variants are compared by accuracy, COMPARED would only repeat it. It is then left out, or set
    to "-" if the tags in `shown` include it.
    """
    texts = {"verdict": row["outcome"], CHECKS: row.get("checks") or "passed", "difference": "-"}
    metric = metric_of(row)
    if metric.label != "accuracy":
        score = metric.mean_std(row["cv_mean"], float(row["cv_std"] or 0))
        texts[COMPARED] = f"{score}{metric.sign} {metric.label}"
    elif COMPARED in shown:
        texts[COMPARED] = "-"
    if row["difference"] != "":
        interval = (float(row[key]) for key in ("difference", "ci_low", "ci_high"))
        texts["difference"] = metric.difference(*interval)
    return texts


def curves(record: Record, start: int) -> list[Metric]:
    """Return the mean of each curve over the folds that reached an epoch, for every epoch.

    Without known times, the points follow `start`, in ms since 1970. An ensemble has no epochs.
    """
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    times: dict[int, int] = {}
    for fold in record.folds:
        for name, value, epoch, time in fold.points:
            if name in CURVES and epoch > 0:
                values[name, epoch].append(value)
                times[epoch] = max(times.get(epoch, start + epoch), time or 0)
    return [
        Metric(MEAN + name, round(fmean(found), 6), times[epoch], epoch)
        for (name, epoch), found in values.items()
    ]


def usage_of(record: Record) -> list[Metric]:
    """Return the samples of CPU and memory as MLflow's system metrics; none without their file."""
    with suppress(FileNotFoundError, UserError, ValueError):  # missing or incomplete
        rows = read_table(usage.path(record.identity.fingerprint), usage.COLUMNS)
        return [
            Metric(f"system/{name}", float(row[name]), row["time"], step)
            for step, row in enumerate(rows)
            for name in usage.COLUMNS[1:]
        ]
    return []


def mark_current(client: Client, parents: Sequence[Run]) -> None:
    """Tag the runs of the latest comparison of this checkout as current, its earlier ones as stale.

    A run belongs to the checkout that made it current. If two checkouts compare it and the first
    moves on, the next comparison of the other makes it current again.
    """
    here = f"{platform.node()} {root().resolve()}"
    current = {STATE: "current", CHECKOUT: hashlib.sha256(here.encode()).hexdigest()[:16]}
    query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in current.items())
    compared = {run.info.run_id for run in parents}
    for run in search(client, query):
        if run.info.run_id not in compared:
            client.set_tag(run.info.run_id, STATE, "stale")
    for run in parents:
        if run.data.tags.get(STATE) != "current":
            tags = [RunTag(key, value) for key, value in current.items()]
            client.log_batch(run.info.run_id, tags=tags)
