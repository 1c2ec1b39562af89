"""`python -m benchmarks.table`: put the figures of the records into the pages of documentation.

Each table stands between two markers; what is around them is written by hand. A row without its
record says that it is not measured yet, and a record at odds with its goal says so.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import accuracy, measured
from stages import files
from stages.scoring.statistics import corrected_resampled_t

BEGIN = "<!-- from the records, by python -m benchmarks.table -->"
END = "<!-- end -->"
MISSING = "not measured yet"
WORSE = 0.05  # points of mean accuracy that a faster training may lose
Records = Mapping[str, Mapping[str, Any]]


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
    tracked = [
        row for row in rows if row["module"] in ("stages.publish", "stages.commands.champion")
    ]
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
    Goal(
        "default `make repro`, after installation",
        "overhead --default",
        "overhead-default",
        lambda record: record["repro"]["seconds"],
        " s",
        most=180,
    ),
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


def records(folder: Path = measured.HERE / "records") -> Records:
    """Return all records by their names."""
    return {path.stem: files.read_json(path) for path in sorted(folder.glob("*.json"))}


def goals(found: Records) -> str:
    """Return the table of goals in Markdown."""
    rows = ["| what | goal | measured | met | command | machine, commit |"]
    rows.append("|---|---:|---:|---|---|---|")
    for goal in GOALS:
        measure, met, where, command = MISSING, "", "", goal.command
        if record := found.get(goal.record):
            figure = goal.figure(record)
            measure, where = f"{_short(figure)}{goal.unit}", _machine(record)
            if command.startswith("kfold"):
                command += f" --epochs {record['epochs']}"
            if goal.most is not None or goal.least is not None:
                met = "yes" if _within(goal, figure) and goal.holds(record) else "no"
        rows.append(
            f"| {goal.what} | {_allowed(goal)} | {measure} | {met} "
            f"| `python -m benchmarks.{command}` | {where} |"
        )
    return "\n".join(rows)


def _allowed(goal: Goal) -> str:
    if goal.most is not None:
        return f"<= {goal.most:g}{goal.unit}"
    return f">= {goal.least:g}{goal.unit}" if goal.least is not None else ""


def _within(goal: Goal, figure: float) -> bool:
    return figure <= goal.most if goal.most is not None else figure >= goal.least


def _short(figure: float) -> str:
    """Return a figure with three digits, or with those before the point where these are more."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"


def accuracies(found: Records) -> str:
    """Return the table of accuracies on full MNIST in Markdown, in percent."""
    rows = [
        "| variant | cross-validated | each model on test | soft vote on test | parameters | goal "
        "| met | command | machine, commit |",
        "|---|---:|---:|---:|---:|---|---|---|---|",
    ]
    for row, about in accuracy.ROWS["rows"].items():
        command = f"`python -m benchmarks.accuracy {row}`"
        record = found.get(f"accuracy-{row}")
        goals = "; ".join(_goal(goal) for goal in about["goals"])
        if not record:
            rows.append(f"| `{row}` | {MISSING} | | | | {goals} | | {command} | |")
            continue
        met = "; ".join(_met(record, goal, found) for goal in about["goals"])
        rows.append(f"{_scores(row, record)} {goals} | {met} | {command} | {_machine(record)} |")
    return "\n".join(rows)


def summary(found: Records) -> str:
    """Return those accuracies on full MNIST that are measured, in percent."""
    rows = [
        "| variant | cross-validated, % | each model, test, % | soft vote, test, % | parameters |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in accuracy.ROWS["rows"]:
        if record := found.get(f"accuracy-{row}"):
            rows.append(_scores(row, record))
    return "\n".join(rows)


def _scores(row: str, record: Mapping[str, Any]) -> str:
    each = record.get("members_test") or record.get("seeds_test")
    vote = f"{100 * record['vote_test']:.2f}" if "vote_test" in record else ""
    biased = ", its members chosen on it" if "chosen" in record else ""
    return (
        f"| `{row}` | {_spread(record.get('cv'))}{biased} | {_spread(each)} | {vote} "
        f"| {record['parameters']:,} |"
    )


SCORES = {
    "cv": "cross-validated",
    "members_test": "mean of the models",
    "seeds_test": "mean of the models",
    "vote_test": "soft vote",
}


def _goal(goal: Mapping[str, Any]) -> str:
    score = SCORES[goal["score"]]
    if "least" in goal:
        return f"{score} >= {goal['least']}"
    return f"{score} better than `{goal['better_than']}` by the corrected test"


def _met(record: Mapping[str, Any], goal: Mapping[str, Any], found: Records) -> str:
    if "least" in goal:
        score = record[goal["score"]]
        reached = score["mean"] if isinstance(score, Mapping) else score
        return "yes" if 100 * reached >= goal["least"] else "no"
    other = found.get(f"accuracy-{goal['better_than']}")
    if not other:
        return f"`{goal['better_than']}` {MISSING}"
    difference = np.subtract(record["cv_folds"], other["cv_folds"])
    test = corrected_resampled_t(difference, len(difference))
    better = test["difference"] > 0 and test["p"] < 0.05
    return (
        f"{'yes' if better else 'no'}: {100 * test['difference']:+.2f} points, p = {test['p']:.3f}"
    )


def kills(found: Records) -> str:
    """Return what `dvc repro` was killed by and where, and what was wrong in the end."""
    record = found.get("chaos")
    if not record:
        return MISSING
    rows = [
        f"{record['kills']} kills in {record['passes']} passes, {record['files_compared']} files "
        f"compared after each, faults: {len(record['faults']) or 'none'} ({_machine(record)}).",
        "",
        "| killed | times |",
        "|---|---:|",
    ]
    counts = record["by_signal"] | {f"in `{name}`": n for name, n in record["by_stage"].items()}
    return "\n".join([*rows, *(f"| {what} | {times} |" for what, times in counts.items())])


def _spread(score: Mapping[str, Any] | None) -> str:
    if not score:
        return ""
    return f"{100 * score['mean']:.2f} ± {100 * score['std']:.2f} (n = {score['n']})"


def _machine(record: Mapping[str, Any]) -> str:
    about = record["environment"]
    return f"{about['cores']} cores of {about['processor']}, {about['commit']}"


TABLES = {
    measured.HERE / "README.md": goals,
    accuracy.ROOT / "docs" / "results.md": accuracies,
    accuracy.ROOT / "docs" / "reliability.md": kills,
    accuracy.ROOT / "README.md": summary,
}


def rendered(path: Path, found: Records) -> str:
    """Return what a file of TABLES must hold: its text with the table between the markers."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{TABLES[path](found)}\n{END}{after}"


def main() -> None:
    """Write the tables into their files."""
    found = records()
    for path in TABLES:
        text = rendered(path, found)
        with files.replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
        print(path.relative_to(accuracy.ROOT))


if __name__ == "__main__":
    main()
