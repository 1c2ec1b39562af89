"""The goal of each benchmark: one row of the table in README.md each.

The goals of accuracy are in accuracy.yaml.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.heads import BACKBONES

WORSE = 0.05  # points of mean accuracy that a faster training may lose
Record = Mapping[str, Any]


class Goal(NamedTuple):
    """One row of the table: a figure of a record, and what it should be."""

    what: str
    command: str  # of `python -m benchmarks.`, with options
    figure: str | Callable[[Record], float]  # keys joined by dots, or a function
    limit: str = ""  # such as "<= 240", or "" without a goal
    unit: str = ""  # with " %", the figure is a fraction
    record: str = ""  # by default the command's name
    holds: Callable[[Record], bool] = lambda record: True  # another condition of the goal

    def measured(self, record: Record) -> float:
        """Return the figure in its unit."""
        by_path = isinstance(self.figure, str)
        figure = reduce(getitem, self.figure.split("."), record) if by_path else self.figure(record)
        return 100 * figure if self.unit == " %" else figure

    def met(self, record: Record) -> bool:
        """Return whether a record reaches the goal, which has a limit."""
        sign, number = self.limit.split()
        figure, limit = self.measured(record), float(number)
        return (figure <= limit if sign == "<=" else figure >= limit) and self.holds(record)


def _kfold(variant: str, precision: str, limit: str) -> Goal:
    option = "" if precision == "float32" else f" --precision {precision}"
    return Goal(
        f"`{variant}`, pipeline in {precision} / plain script in float32",
        f"kfold --variant {variant}{option}",
        "ratio.seconds.of_medians",
        limit,
        record=f"kfold-{variant}-{precision}",
        holds=lambda record: record["accuracy_difference_points"] >= -WORSE,
    )


def _without_avx512(goal: Goal) -> Goal:
    """Return the same goal for the record of such a processor, which was renamed by hand."""
    what = f"{goal.what}, without AVX-512"
    return goal._replace(what=what, record=f"{goal.record}-avx2")


def _sprint(what: str, form: str) -> Goal:
    return Goal(
        f"`sprint`, mean of ten seeds at least 99 % on test: {what}",
        "time_to_99",
        f"{form}.seconds_a_seed",
        "<= 6",
        " s",
        holds=lambda record: record[form]["mean_reaches_goal"],
    )


def _compare(variants: int, measure: str, limit: str, unit: str) -> Goal:
    what = f"`compare` with {variants} variants of full MNIST"
    return Goal(what, "comparison", f"variants.{variants}.{measure}.median", limit, unit)


def _heads(name: str) -> list[Goal]:
    """Return the goals of the heads on one backbone."""
    path = f"backbones.{name}"
    features = f"features of `{name}`, 1,000 images of 224 pixels / a pass of plain Keras"
    shipped = "a shipped model with five heads / the backbone's weights"
    return [
        Goal(features, "heads", f"{path}.ratio.of_medians", "<= 1.15"),
        Goal(
            "15 heads on them, shipped models included",
            "heads",
            f"{path}.heads_seconds",
            "<= 20",
            " s",
        ),
        Goal("memory for both", "heads", f"{path}.peak_mib", "<= 2048", " MiB"),
        Goal(shipped, "heads", f"{path}.model_over_backbone", "<= 1.3"),
    ]


def _load(part: str, *goals: Goal) -> list[Goal]:
    """Return goals of one part of the command `load`, which has its own record."""
    return [goal._replace(command=f"load --parts {part}", record=f"load-{part}") for goal in goals]


def _status(compared: int) -> Goal:
    what = f"1,000 rows, {compared} compared: processor time of `dvc status`"
    return Goal(what, "", f"compared.{compared}.dvc status.processor_seconds", unit=" s")


def _tracking(record: Record) -> float:
    """Return the share of a `dvc repro` that MLflow's stages take."""
    rows = record["repro"]["stages"]
    tracked = [row for row in rows if row["command"] in ("publish", "champion")]
    return sum(row["seconds"] for row in tracked) / record["repro"]["seconds"]


def _copies(record: Record, share: str) -> list[float]:
    """Return one share for each change at 64 and 128 pixels."""
    sides = (record["sides"][side]["changes"].values() for side in ("64", "128"))
    return [change[share] for changes in sides for change in changes]


def _growth(record: Record) -> float:
    tiny = record["tiny"]
    return tiny["driver_mib_at_the_end"] / tiny["driver_mib_after_a_tenth"]


def _five_minutes(record: Record) -> bool:
    return record["clients"] >= 50 and record["seconds"] >= 300


DEFAULT = Goal(
    "default `make repro`, after installation",
    "overhead --default",
    "repro.seconds",
    "<= 240",
    " s",
    record="overhead-default",
)
REPRO = "in a `dvc repro` of the five references on full MNIST"
NO_OP = "`dvc repro` that does nothing / that of a bare DVC pipeline with as many stages"
PEAK = "share of matrix peak while fitting `double_conv`, both cores busy, float32"
MEMORY = "memory with two workers, last / first point of more"
NODES = "8 folds of `basic`, two Ray nodes of one core / two local workers"
QUEUE = "200 queued units of a tiny model on Ray, what it adds to each"
LARGE = "memory to prepare and train 200,000 images of 64x64x3 / their size"
PLOT = "`plot` with 100 classes, imports included, for each of its pictures"
FOUND = "found among the first 1.2 times their number"
CLIENTS = "50 clients of a served champion for five minutes"
PEOPLE = "20 people publish 2,000 runs to PostgreSQL: variants with anything missing"
VOTE = "the soft vote of five `basic` on one thread"
GOALS = [
    _kfold("basic", "float32", "<= 0.5"),
    _without_avx512(_kfold("basic", "float32", "<= 0.4")),
    _kfold("basic", "mixed_bfloat16", "<= 0.36"),
    _kfold("double_conv", "float32", "<= 0.55"),
    _kfold("double_conv", "mixed_bfloat16", "<= 0.36"),
    _kfold("batchnorm", "float32", "<= 0.45"),
    *(_kfold(variant, "float32", "<= 0.5") for variant in ("tiny", "resnet", "allconv")),
    Goal(
        "a search of 16 trials / Optuna over plain Keras",
        "search",
        "ratio.of_medians",
        "<= 0.5",
        holds=lambda record: mean(record["best_difference_points"]) >= -WORSE,
    ),
    Goal(
        PEAK, "fit", "variants.double_conv.two_workers.share_of_peak", ">= 60", " %", "fit-float32"
    ),
    *(
        Goal(
            f"`train@{variant}` of the default run, portable / native kernels",
            "kernels",
            f"variants.{variant}.ratio.of_medians",
        )
        for variant in ("basic", "double_conv")
    ),
    Goal(f"everything but fitting, {REPRO}", "overhead", "repro.not_fitting_share", "<= 5", " %"),
    Goal(
        NO_OP,
        "overhead --default",
        "no_op.ratio.of_medians",
        "<= 1.4",
        record="overhead-default",
    ),
    Goal(
        "`make repro` that does nothing",
        "overhead --default",
        "no_op.stages_repro.median",
        "<= 1",
        " s",
        record="overhead-default",
    ),
    _sprint("one fit on two threads", "one_fit_two_threads"),
    _sprint("a seed of two fits side by side", "two_fits_one_thread"),
    Goal(f"{MEMORY} folds", "scale", "axes.folds.last_over_first.peak_mib", "<= 1.1"),
    Goal(f"{MEMORY} variants", "scale", "axes.variants.last_over_first.peak_mib", "<= 1.1"),
    DEFAULT,
    _without_avx512(DEFAULT),
    Goal(
        "publishing a variant of 5 folds over an existing store", "publish", "seconds", "<= 3", " s"
    ),
    Goal("the same over 1,000 runs / over few", "publish", "times_as_long", "<= 1.33"),
    Goal(f"MLflow's share {REPRO}", "overhead", _tracking, "<= 3", " %"),
    Goal(NODES, "cluster", "basic.ray_to_local", "<= 1.15"),
    Goal(QUEUE, "cluster", "tiny.ms_a_unit_overhead", "<= 50", " ms"),
    Goal("the driver's memory after those / after a tenth of them", "cluster", _growth, "<= 1.1"),
    Goal("`prepare` of MNIST from its IDX files", "sources", "idx.seconds.median", "<= 3", " s"),
    Goal("`prepare` of 60,000 PNG files", "sources", "png.seconds.median", "<= 60", " s"),
    Goal("memory for it", "sources", "png.peak_mib.median", "<= 1536", " MiB"),
    Goal(LARGE, "sources", "large.copies", "<= 2"),
    _compare(10, "seconds", "<= 10", " s"),
    _compare(10, "peak_mib", "<= 1024", " MiB")._replace(what="memory for it"),
    _compare(200, "seconds", "<= 60", " s"),
    Goal(PLOT, "comparison", "plot.100.seconds_each", "<= 1", " s"),
    *(
        Goal(
            f"labels changed {how}, {FOUND}",
            "label_issues",
            f"kinds.{kind}.mean.found",
            ">= 85",
            " %",
        )
        for kind, how in (("random", "at random"), ("most_confused", "to the most confused class"))
    ),
    *(goal for name in BACKBONES for goal in _heads(name)),
    Goal(
        "planted near duplicates that are found",
        "near_duplicates",
        lambda record: min(_copies(record, "found_share")),
        ">= 95",
        " %",
    ),
    Goal(
        "pairs of different pictures among those found",
        "near_duplicates",
        lambda record: max(_copies(record, "false_share")),
        "<= 1",
        " %",
    ),
    Goal(
        "search among 20,000 images, processor time",
        "near_duplicates",
        "timed.processor_seconds",
        "<= 20",
        " s",
    ),
    *_load(
        "serve",
        Goal(f"{CLIENTS}: errors and other answers", "", "errors", "<= 0", holds=_five_minutes),
        Goal(f"{CLIENTS}: 99 of 100 answers within", "", "latency_ms.p99", unit=" ms"),
        Goal(f"{CLIENTS}: answers", "", "requests_per_second", unit=" a second"),
    ),
    *_load(
        "publish",
        Goal(PEOPLE, "", "variants_incomplete", "<= 0", holds=lambda one: one["runs"] >= 2000),
        Goal("publishing a variant over these runs / over few", "", "times_as_long", "<= 1.3"),
    ),
    *_load("rows", *(_status(compared) for compared in (2, 1000))),
    Goal(f"{VOTE}: one image", "predict", "variants.basic.one_image_ms.median", unit=" ms"),
    Goal(f"{VOTE}: 10,000 images", "predict", "variants.basic.images_per_second", unit=" images/s"),
]
GOALS = [goal if goal.record else goal._replace(record=goal.command) for goal in GOALS]
