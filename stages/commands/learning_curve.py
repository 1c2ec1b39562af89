"""`python -m stages learning-curve`: would more images help?

The folds are trained again on 1/8, 1/4 and 1/2 of their training images; on all images they are
already trained. A power law fitted to the four scores predicts what twice the images would gain.
Folds are stored, so that an interrupted run resumes, and a second one within a week trains nothing.

Like those of `cost`, its files are not tracked by DVC: results/learning_curve.csv and
results/plots/learning_curve.png. They are attached to the variants' runs in MLflow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.commands import models
from stages.data import dataset as prepared
from stages.engine import environment, final_model, fold_store, fold_tasks, subsets, variants
from stages.engine.fold_tasks import Arrays
from stages.errors import UserError
from stages.figures.learning_curve import learning_curve as draw
from stages.files import RESULTS, read_json, read_table
from stages.report import measurements
from stages.settings import params
from stages.statistics import paired
from stages.statistics.learning_curve import Law, fit, verdict
from stages.statistics.metrics import METRICS, metric_of
from stages.statistics.scores import of_folds
from stages.tracking import published
from stages.tracking.record import remedy
from stages.training.recipe import Recipe

COLUMNS: tuple[str, ...] = ("variant", "share", "images", "n", "mean", "std", "metric")
COLUMNS += ("gain", "ci_low", "ci_high", "verdict")  # of twice the images, in the row of all


def learning_curve(names: Sequence[str] = ()) -> None:
    """Train the folds on fewer images; print, draw and log the curves.

    `names` are variants, by default the baseline and the best of the comparison.

    Raises:
        UserError: if a variant is an ensemble or its results are not up to date, or a class has too
            few images.
    """
    settings = params.load()
    environment.check(settings.train.kernels)
    dataset = prepared.read(settings)
    plans = [_plan(settings, name, dataset) for name in dict.fromkeys(names or _default(settings))]
    arrays = fold_tasks.read_training_data(dataset)
    metric = settings.compare.metric
    complete = {plan.variant: _complete(plan.variant, metric) for plan in plans}
    group_of = subsets.groups(settings.folds)
    chosen = subsets.subsets(arrays, dataset["classes"], settings.folds, group_of)
    of_plan = [
        subsets.tasks(plan.recipes[plan.fingerprint], dataset["sha256"], chosen) for plan in plans
    ]
    smaller = [task for tasks in of_plan for own in tasks.values() for task in own]
    fold_tasks.run_folds(smaller, arrays, settings.parallel)
    fold_store.mark_complete({task.fingerprint for task in smaller})
    rows, laws = [], {}
    for plan, tasks in zip(plans, of_plan, strict=True):
        recipe = plan.recipes[plan.fingerprint]
        measured = {share: _measured(own, recipe, arrays, metric) for share, own in tasks.items()}
        measured[1.0] = complete[plan.variant]
        images, scores = (np.array(column) for column in zip(*measured.values(), strict=True))
        law = fit(images, METRICS[metric].best - scores, dataset["folds"]["count"])
        rows += _rows(plan.variant, measured, metric, law)
        laws[plan.variant] = law
    verdicts = {row["variant"]: row["verdict"] for row in rows if row["verdict"]}
    sentences = [f"{name}: {text}." for name, text in verdicts.items()]
    measurements.show("learning_curve", rows, COLUMNS, draw(rows, laws), _table(rows), sentences)
    _log(settings, verdicts)
    fold_store.prune()


def _default(settings: params.Params) -> list[str]:
    """Return the baseline and the best compared variant, without ensembles."""
    compared = models.compared(settings)
    trained = [row for row in compared if not settings.variant(row["variant"]).ensemble]
    if not trained:
        raise UserError(
            "all compared variants are ensembles, which are not trained; name a member."
        )
    best = [row["variant"] for row in sorted(trained, key=lambda row: -row["cv_mean"])]
    baseline = [name for name in best if name == settings.compare.baseline]
    return [*dict.fromkeys([*baseline, *best[:1]])]


def _plan(settings: params.Params, name: str, dataset: dict[str, Any]) -> variants.Plan:
    """Return the plan of a variant whose folds are trained on all images already."""
    members = settings.variant(name).ensemble
    if members:
        raise UserError(
            f"variant {name!r} is an ensemble, which is not trained; give its members: "
            f"{' '.join(members)}."
        )
    plan = variants.plan(settings, name, dataset)
    again = remedy("publish", name, settings)
    for file in (RESULTS / name / "fold_scores.csv", RESULTS / name / "training.json"):
        if not file.is_file():
            raise UserError(f"{file} is missing; {again}.")
    if read_json(file, ("fingerprint",))["fingerprint"] != plan.fingerprint:
        raise UserError(
            f"the results of variant {name!r} were made with other settings, data or code; {again}."
        )
    return plan


def _measured(
    tasks: Sequence[fold_tasks.FoldTask], recipe: Recipe, arrays: Arrays, metric: str
) -> tuple[float, list[float]]:
    """Return the mean number of training images, and the score of each fold.

    Probabilities are calibrated like those of the folds that were trained on all images.
    """
    records = fold_tasks.records(tasks)
    probability = final_model.calibration(records, recipe, arrays)[1]
    scores = [row[metric] for row in of_folds(probability, arrays.labels, arrays.folds)]
    return float(np.mean([record.train_images for record in records])), scores


def _complete(variant: str, metric: str) -> tuple[float, list[float]]:
    """Return what `_measured` does, for the folds that were trained on all images."""
    folder = RESULTS / variant
    scores = [row[metric] for row in read_table(folder / "fold_scores.csv", (metric,))]
    if not np.isfinite(scores).all():
        raise UserError(
            f"{metric} is not defined for a fold of variant {variant!r}; use another "
            "compare.metric or folds.seed."
        )
    images = [row["train_images"] for row in read_table(folder / "folds.csv", ("train_images",))]
    return float(np.mean(images)), scores


def _rows(
    variant: str, measured: dict[float, tuple[float, list[float]]], metric: str, law: Law
) -> list[dict[str, Any]]:
    """Return the rows of a variant, from the fewest images to all."""
    every: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    every |= {"variant": variant, "metric": metric}
    rows = [
        every | {"share": share, "images": round(images)} | paired.mean_std(scores)
        for share, (images, scores) in measured.items()
    ]
    gain = {"gain": law.gain, "ci_low": law.low, "ci_high": law.high}
    rows[-1] |= gain | {"verdict": verdict(law, METRICS[metric])}
    return rows


def _table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the table of scores as texts."""
    metric = metric_of(rows[0])
    return [
        {
            "variant": row["variant"],
            "images": f"{row['images']:,}",
            f"{metric.column} (n = {row['n']})": metric.mean_std(row["mean"], row["std"]),
        }
        for row in rows
    ]


def _log(settings: params.Params, verdicts: dict[str, str]) -> None:
    """Attach the table and the picture to each variant's run, and tag it."""

    def attach(client: Any, run_id: str, name: str) -> None:
        client.log_artifact(run_id, str(RESULTS / "learning_curve.csv"))
        client.log_artifact(run_id, str(RESULTS / "plots" / "learning_curve.png"), "plots")
        client.set_tag(run_id, "learning curve", verdicts[name])

    published.annotate(settings, "learning curves", verdicts, attach)
