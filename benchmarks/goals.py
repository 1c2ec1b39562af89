"""What each benchmark must reach, and how its record is read; table.py shows it.

The goals of accuracy are in accuracy.yaml.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

WORSE = 0.05  # points of mean accuracy that a faster training may lose


class Goal(NamedTuple):
    """One row: what is to be reached, by which command, and how its record is read."""

    what: str
    command: str
    record: str
    figure: Callable[[Mapping[str, Any]], float]
    unit: str = ""
    most: float | None = None
    least: float | None = None
    holds: Callable[[Mapping[str, Any]], bool] = lambda record: True  # what must be so besides


def _ratio(record: Mapping[str, Any]) -> float:
    return record["ratio"]["seconds"]["of_medians"]


def _as_accurate(record: Mapping[str, Any]) -> bool:
    return record["accuracy_difference_points"] >= -WORSE


def _kfold(variant: str, precision: str, most: float) -> Goal:
    command = f"kfold --variant {variant}"
    if precision != "float32":
        command += f" --precision {precision}"
    what = f"`{variant}`, pipeline in {precision} / plain script in float32"
    return Goal(
        what, command, f"kfold-{variant}-{precision}", _ratio, most=most, holds=_as_accurate
    )


def _without_avx512(goal: Goal) -> Goal:
    """Return the same goal for a record of such a processor, which was renamed by hand."""
    what = f"{goal.what}, without AVX-512"
    return goal._replace(what=what, record=f"{goal.record}-avx2")


DEFAULT = Goal(
    "default `make repro`, after installation",
    "overhead --default",
    "overhead-default",
    lambda record: record["repro"]["seconds"],
    " s",
    most=180,
)


def _memory(axis: str) -> Goal:
    return Goal(
        f"memory with two workers, last / first point of more {axis}",
        "scale",
        "scale",
        lambda record: record["axes"][axis]["last_over_first"]["peak_mib"],
        most=1.1,
    )


def _sprint(what: str, form: str) -> Goal:
    return Goal(
        f"`sprint`, mean of ten seeds at least 99 % on test: {what}",
        "time_to_99",
        "time_to_99",
        lambda record: record[form]["seconds_a_seed"],
        " s",
        most=6,
        holds=lambda record: record[form]["mean_reaches_goal"],
    )


def _tracking(record: Mapping[str, Any]) -> float:
    """Return the share of a `dvc repro` that MLflow's stages take, in percent."""
    rows = record["repro"]["stages"]
    tracked = [row for row in rows if row["command"] in ("publish", "champion")]
    return 100 * sum(row["seconds"] for row in tracked) / record["repro"]["seconds"]


def _answer(what: str, unit: str, figure: Callable[[Mapping[str, Any]], float]) -> Goal:
    return Goal(
        f"the soft vote of five `basic` on one thread: {what}",
        "predict",
        "predict",
        lambda record: figure(record["variants"]["basic"]),
        unit,
    )


def _comparison(what: str, count: str, measure: str, unit: str, most: float) -> Goal:
    return Goal(
        what,
        "comparison",
        "comparison",
        lambda record: record["variants"][count][measure]["median"],
        unit,
        most=most,
    )


GOALS = [
    _kfold("basic", "float32", 0.6),
    _without_avx512(_kfold("basic", "float32", 0.6)),
    _kfold("basic", "mixed_bfloat16", 0.38),
    _kfold("double_conv", "float32", 0.6),
    _kfold("double_conv", "mixed_bfloat16", 0.35),
    _kfold("batchnorm", "float32", 0.55),
    Goal(
        "share of matrix peak while fitting `double_conv`, both cores busy, float32",
        "fit",
        "fit-float32",
        lambda record: 100 * record["variants"]["double_conv"]["two_workers"]["share_of_peak"],
        " %",
        least=60,
    ),
    Goal(
        "everything but fitting, in a `dvc repro` of the five references on full MNIST",
        "overhead",
        "overhead",
        lambda record: 100 * record["repro"]["not_fitting_share"],
        " %",
        most=5,
    ),
    Goal(
        "`dvc repro` that does nothing / that of a bare DVC pipeline with as many stages",
        "overhead",
        "overhead",
        lambda record: record["no_op"]["ratio"]["of_medians"],
        most=1.2,
    ),
    _sprint("one fit on two threads", "one_fit_two_threads"),
    _sprint("a seed of two fits side by side", "two_fits_one_thread"),
    _memory("folds"),
    _memory("variants"),
    DEFAULT,
    _without_avx512(DEFAULT),
    Goal(
        "publishing a variant of 5 folds over an existing store",
        "publish",
        "publish",
        lambda record: record["seconds"],
        " s",
        most=3,
    ),
    Goal(
        "the same over 1,000 runs / over few",
        "publish",
        "publish",
        lambda record: record["times_as_long"],
        most=1.33,
    ),
    Goal(
        "MLflow's share in a `dvc repro` of the five references on full MNIST",
        "overhead",
        "overhead",
        _tracking,
        " %",
        most=3,
    ),
    Goal(
        "8 folds of `basic`, two Ray nodes of one core / two local workers",
        "cluster",
        "cluster",
        lambda record: record["basic"]["ray_to_local"],
        most=1.15,
    ),
    Goal(
        "200 queued units of a tiny model on Ray, what it adds to each",
        "cluster",
        "cluster",
        lambda record: record["tiny"]["ms_a_unit_overhead"],
        " ms",
        most=50,
    ),
    Goal(
        "the driver's memory after those / after a tenth of them",
        "cluster",
        "cluster",
        lambda r: r["tiny"]["driver_mib_at_the_end"] / r["tiny"]["driver_mib_after_a_tenth"],
        most=1.1,
    ),
    Goal(
        "`prepare` of MNIST from its IDX files",
        "sources",
        "sources",
        lambda record: record["idx"]["seconds"]["median"],
        " s",
        most=3,
    ),
    Goal(
        "`prepare` of 60,000 PNG files",
        "sources",
        "sources",
        lambda record: record["png"]["seconds"]["median"],
        " s",
        most=60,
    ),
    Goal(
        "memory for it",
        "sources",
        "sources",
        lambda record: record["png"]["peak_mib"]["median"],
        " MiB",
        most=1536,
    ),
    Goal(
        "memory to prepare and train 200,000 images of 64x64x3 / their size",
        "sources",
        "sources",
        lambda record: record["large"]["copies"],
        most=2,
    ),
    _comparison("`compare` with 10 variants of full MNIST", "10", "seconds", " s", 10),
    _comparison("memory for it", "10", "peak_mib", " MiB", 1024),
    _comparison("`compare` with 200 variants of full MNIST", "200", "seconds", " s", 60),
    Goal(
        "`plot` with 100 classes, imports included, for each of its pictures",
        "comparison",
        "comparison",
        lambda record: record["plot"]["100"]["seconds_each"],
        " s",
        most=1,
    ),
    _answer("one image", " ms", lambda found: found["one_image_ms"]["median"]),
    _answer("10,000 images", " images/s", lambda found: found["images_per_second"]),
]
