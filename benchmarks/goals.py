"""What each benchmark must reach, and how its record is read; table.py shows it.

The goals of accuracy are in accuracy.yaml.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.heads import BACKBONES

WORSE = 0.05  # points of mean accuracy that a faster training may lose


class Goal(NamedTuple):
    """One row of the table: a figure of a record, and what it should be."""

    what: str
    command: str  # of `python -m benchmarks.`, with options
    figure: str | Callable[[Mapping[str, Any]], float]  # keys joined by dots, or a function
    unit: str = ""  # the figure of " %" is a share of 1
    most: float | None = None
    least: float | None = None
    record: str = ""  # its name, else the command's
    holds: Callable[[Mapping[str, Any]], bool] = lambda record: True  # what must be so besides

    def measured(self, record: Mapping[str, Any]) -> float:
        """Return the figure in its unit."""
        by_path = isinstance(self.figure, str)
        figure = reduce(getitem, self.figure.split("."), record) if by_path else self.figure(record)
        return 100 * figure if self.unit == " %" else figure

    def met(self, record: Mapping[str, Any]) -> bool:
        """Return whether a record reaches the goal, which has a limit."""
        figure = self.measured(record)
        within = figure <= self.most if self.most is not None else figure >= self.least
        return within and self.holds(record)


def _kfold(variant: str, precision: str, most: float) -> Goal:
    return Goal(
        f"`{variant}`, pipeline in {precision} / plain script in float32",
        f"kfold --variant {variant}"
        + (f" --precision {precision}" if precision != "float32" else ""),
        "ratio.seconds.of_medians",
        most=most,
        record=f"kfold-{variant}-{precision}",
        holds=lambda record: record["accuracy_difference_points"] >= -WORSE,
    )


def _without_avx512(goal: Goal) -> Goal:
    """Return the same goal for a record of such a processor, which was renamed by hand."""
    what = f"{goal.what}, without AVX-512"
    return goal._replace(what=what, record=f"{goal.record}-avx2")


def _sprint(what: str, form: str) -> Goal:
    return Goal(
        f"`sprint`, mean of ten seeds at least 99 % on test: {what}",
        "time_to_99",
        f"{form}.seconds_a_seed",
        " s",
        most=6,
        holds=lambda record: record[form]["mean_reaches_goal"],
    )


def _tracking(record: Mapping[str, Any]) -> float:
    """Return the share of a `dvc repro` that MLflow's stages take."""
    rows = record["repro"]["stages"]
    tracked = [row for row in rows if row["command"] in ("publish", "champion")]
    return sum(row["seconds"] for row in tracked) / record["repro"]["seconds"]


def _copies(record: Mapping[str, Any], side: str) -> list[Mapping[str, Any]]:
    return [*record["sides"][side]["changes"].values()]


def _found(record: Mapping[str, Any]) -> float:
    """Return the least share of copies that are found, of all changes at 64 and 128 pixels."""
    return min(one["found_share"] for side in ("64", "128") for one in _copies(record, side))


def _false(record: Mapping[str, Any]) -> float:
    """Return the largest share of false pairs, likewise."""
    return max(one["false_share"] for side in ("64", "128") for one in _copies(record, side))


def _growth(record: Mapping[str, Any]) -> float:
    tiny = record["tiny"]
    return tiny["driver_mib_at_the_end"] / tiny["driver_mib_after_a_tenth"]


def _load(part: str, *goals: Goal) -> list[Goal]:
    """Return goals of one part of the command `load`, which has a record of its own."""
    return [goal._replace(command=f"load --parts {part}", record=f"load-{part}") for goal in goals]


def _five_minutes(record: Mapping[str, Any]) -> bool:
    return record["clients"] >= 50 and record["seconds"] >= 300


DEFAULT = Goal(
    "default `make repro`, after installation",
    "overhead --default",
    "repro.seconds",
    " s",
    most=240,
    record="overhead-default",
)
REPRO = "in a `dvc repro` of the five references on full MNIST"
MEMORY = "memory with two workers, last / first point of more"
CLIENTS = "50 clients of a served champion for five minutes"
VOTE = "the soft vote of five `basic` on one thread"
GOALS = [
    _kfold("basic", "float32", 0.5),
    _without_avx512(_kfold("basic", "float32", 0.4)),
    _kfold("basic", "mixed_bfloat16", 0.36),
    _kfold("double_conv", "float32", 0.55),
    _kfold("double_conv", "mixed_bfloat16", 0.36),
    _kfold("batchnorm", "float32", 0.45),
    *(_kfold(variant, "float32", 0.5) for variant in ("tiny", "resnet", "allconv")),
    Goal(
        "a search of 16 trials / Optuna over plain Keras",
        "search",
        "ratio.of_medians",
        most=0.5,
        holds=lambda record: mean(record["best_difference_points"]) >= -WORSE,
    ),
    Goal(
        "share of matrix peak while fitting `double_conv`, both cores busy, float32",
        "fit",
        "variants.double_conv.two_workers.share_of_peak",
        " %",
        least=60,
        record="fit-float32",
    ),
    *(
        Goal(
            f"`train@{variant}` of the default run, portable / native kernels",
            "kernels",
            f"variants.{variant}.ratio.of_medians",
        )
        for variant in ("basic", "double_conv")
    ),
    Goal(f"everything but fitting, {REPRO}", "overhead", "repro.not_fitting_share", " %", most=5),
    Goal(
        "`dvc repro` that does nothing / that of a bare DVC pipeline with as many stages",
        "overhead",
        "no_op.ratio.of_medians",
        most=1.2,
    ),
    _sprint("one fit on two threads", "one_fit_two_threads"),
    _sprint("a seed of two fits side by side", "two_fits_one_thread"),
    Goal(f"{MEMORY} folds", "scale", "axes.folds.last_over_first.peak_mib", most=1.1),
    Goal(f"{MEMORY} variants", "scale", "axes.variants.last_over_first.peak_mib", most=1.1),
    DEFAULT,
    _without_avx512(DEFAULT),
    Goal(
        "publishing a variant of 5 folds over an existing store",
        "publish",
        "seconds",
        " s",
        most=3,
    ),
    Goal("the same over 1,000 runs / over few", "publish", "times_as_long", most=1.33),
    Goal(f"MLflow's share {REPRO}", "overhead", _tracking, " %", most=3),
    Goal(
        "8 folds of `basic`, two Ray nodes of one core / two local workers",
        "cluster",
        "basic.ray_to_local",
        most=1.15,
    ),
    Goal(
        "200 queued units of a tiny model on Ray, what it adds to each",
        "cluster",
        "tiny.ms_a_unit_overhead",
        " ms",
        most=50,
    ),
    Goal("the driver's memory after those / after a tenth of them", "cluster", _growth, most=1.1),
    Goal("`prepare` of MNIST from its IDX files", "sources", "idx.seconds.median", " s", most=3),
    Goal("`prepare` of 60,000 PNG files", "sources", "png.seconds.median", " s", most=60),
    Goal("memory for it", "sources", "png.peak_mib.median", " MiB", most=1536),
    Goal(
        "memory to prepare and train 200,000 images of 64x64x3 / their size",
        "sources",
        "large.copies",
        most=2,
    ),
    Goal(
        "`compare` with 10 variants of full MNIST",
        "comparison",
        "variants.10.seconds.median",
        " s",
        most=10,
    ),
    Goal("memory for it", "comparison", "variants.10.peak_mib.median", " MiB", most=1024),
    Goal(
        "`compare` with 200 variants of full MNIST",
        "comparison",
        "variants.200.seconds.median",
        " s",
        most=60,
    ),
    Goal(
        "`plot` with 100 classes, imports included, for each of its pictures",
        "comparison",
        "plot.100.seconds_each",
        " s",
        most=1,
    ),
    *(
        Goal(
            f"labels changed {how}, found among the first 1.2 times their number",
            "label_issues",
            f"kinds.{kind}.mean.found",
            " %",
            least=85,
        )
        for kind, how in (("random", "at random"), ("most_confused", "to the most confused class"))
    ),
    *[
        goal
        for name in BACKBONES
        for goal in (
            Goal(
                f"features of `{name}`, 1,000 images of 224 pixels / a pass of plain Keras",
                "heads",
                f"backbones.{name}.ratio.of_medians",
                most=1.15,
            ),
            Goal(
                "15 heads on them, shipped models included",
                "heads",
                f"backbones.{name}.heads_seconds",
                " s",
                most=20,
            ),
            Goal("memory for both", "heads", f"backbones.{name}.peak_mib", " MiB", most=2048),
            Goal(
                "a shipped model with five heads / the backbone's weights",
                "heads",
                f"backbones.{name}.model_over_backbone",
                most=1.3,
            ),
        )
    ],
    Goal("planted near duplicates that are found", "near_duplicates", _found, " %", least=95),
    Goal("pairs of different pictures among those found", "near_duplicates", _false, " %", most=1),
    Goal(
        "search among 20,000 images, processor time",
        "near_duplicates",
        "timed.processor_seconds",
        " s",
        most=20,
    ),
    *_load(
        "serve",
        Goal(f"{CLIENTS}: errors and other answers", "", "errors", most=0, holds=_five_minutes),
        Goal(f"{CLIENTS}: 99 of 100 answers within", "", "latency_ms.p99", " ms"),
        Goal(f"{CLIENTS}: answers", "", "requests_per_second", " a second"),
    ),
    *_load(
        "publish",
        Goal(
            "20 people publish 2,000 runs to PostgreSQL: variants with anything missing",
            "",
            "variants_incomplete",
            most=0,
            holds=lambda record: record["runs"] >= 2000,
        ),
        Goal("publishing a variant over these runs / over few", "", "times_as_long", most=1.3),
    ),
    *_load(
        "rows",
        *(
            Goal(
                f"1,000 rows, {compared} compared: processor time of `dvc status`",
                "",
                f"compared.{compared}.dvc status.processor_seconds",
                " s",
            )
            for compared in (2, 1000)
        ),
    ),
    Goal(f"{VOTE}: one image", "predict", "variants.basic.one_image_ms.median", " ms"),
    Goal(f"{VOTE}: 10,000 images", "predict", "variants.basic.images_per_second", " images/s"),
]
GOALS = [goal if goal.record else goal._replace(record=goal.command) for goal in GOALS]
