"""`python -m benchmarks.table`: put the figures of the records into the pages of documentation.

Each table stands between two markers; what is around them is written by hand. A row without its
record says that it is not measured yet, and a record at odds with its goal says so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured
from benchmarks.accuracy import ROWS
from benchmarks.goals import GOALS, Goal
from benchmarks.photos import PACKAGES
from stages import files
from stages.report.markdown import difference, mean_std, probability
from stages.statistics.metrics import METRICS
from stages.statistics.paired import corrected_resampled_t

BEGIN = "<!-- from the records, by python -m benchmarks.table -->"
END = "<!-- end -->"
MISSING = "not measured yet"
SUITE = {  # the columns of the table of suites
    "mean": "mean",
    "mean_of_two_variants": "one of two variants",
    "between": "sources differ",
    "equal_weights_normal": "equal weights, normal",
    "fixed_effect_meta_analysis": "weights 1 / c^2, normal",
}
Records = Mapping[str, Mapping[str, Any]]


def records() -> Records:
    """Return all records by their names."""
    return {path.stem: files.read_json(path) for path in measured.RECORDS.glob("*.json")}


def goals(found: Records) -> str:
    """Return the table of goals in Markdown."""
    rows = ["| what | goal | measured | met | command | machine, commit |"]
    rows.append("|---|---:|---:|---|---|---|")
    for goal in GOALS:
        measure, met, where, command = MISSING, "", "", goal.command
        if record := found.get(goal.record):
            figure = goal.measured(record)
            measure, where = f"{_short(figure)}{goal.unit}", _machine(record)
            if command.startswith("kfold"):
                command += f" --epochs {record['epochs']}"
            if goal.most is not None or goal.least is not None:
                met = "yes" if goal.met(record) else "no"
        rows.append(
            f"| {goal.what} | {_allowed(goal)} | {measure} | {met} "
            f"| `python -m benchmarks.{command}` | {where} |"
        )
    return "\n".join(rows)


def _allowed(goal: Goal) -> str:
    if goal.most is not None:
        return f"<= {goal.most:g}{goal.unit}"
    return f">= {goal.least:g}{goal.unit}" if goal.least is not None else ""


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
    for row, about in ROWS.items():
        command = f"`python -m benchmarks.accuracy {row}`"
        record = found.get(f"accuracy-{row}")
        goals = "; ".join(_goal(goal) for goal in about["goals"])
        if not record:
            rows.append(f"| `{row}` | {MISSING} | | | | {goals} | | {command} | |")
            continue
        met = "; ".join(_met(record, goal, found) for goal in about["goals"])
        rows.append(f"{_scores(row, record)} {goals} | {met} | {command} | {_machine(record)} |")
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


def verdicts(found: Records) -> str:
    """Return the rules of verdicts in Markdown: a summary, and false positives by member."""
    record = found.get("verdict_rules")
    if not record:
        return MISSING
    rules, members = record["rules"], record["members"]
    won = "; ".join(
        f"{trainings} trainings, {f'`{name}`' if name else 'none'}"
        for trainings, name in record["most_powerful"].items()
    )
    rows = [
        f"Most powerful rule that holds: {won}. {len(members)} members; {_machine(record)}.",
        "",
        "| rule | trainings | highest false positives | of 6 variants | holds "
        "| power, 2 SE | 3 SE | 3 SE, 6 variants |",
        "|---|---:|---|---|---|---:|---:|---:|",
    ]
    for name, rule in rules.items():
        highest = [_highest(rule["highest"].get(kind)) for kind in ("pair", "family_6")]
        pair, family = rule["power_pair"], rule["power_family_6"]
        power = [pair.get("2"), pair.get("3"), family.get("3")]
        cells = [f"`{name}`: {rule['text']}", str(rule["trainings"]), *highest]
        cells.append("no" if rule["above"] else "yes")
        cells += ["" if share is None else f"{100 * share:.0f}" for share in power]
        rows.append(f"| {' | '.join(cells)} |")
    rows += ["", "False positives, in percent, with 95 % intervals (Wilson):", ""]
    rows.append(f"| member | replicates | {' | '.join(f'`{name}`' for name in rules)} |")
    rows.append(f"|---|---:{'|---' * len(rules)}|")
    for member in members.values():
        rates = [_rate(member["pair"].get(name)) for name in rules]
        count = member["pair"]["corrected"]["replicates"]
        rows.append(f"| {member['text']} | {count:,} | {' | '.join(rates)} |")
    return "\n".join(rows)


def suites(found: Records) -> str:
    """Return false positives of the mean over several data sets in Markdown."""
    record = found.get("suites")
    if not record:
        return MISSING
    rows = [f"| data sets | number | suites | {' | '.join(SUITE.values())} |"]
    rows.append(f"|---|---:|---:{'|---' * len(SUITE)}|")
    for member, by_size in record["members"].items():
        for size, cells in by_size.items():
            rates = " | ".join(_rate(cells.get(name)) for name in SUITE)
            count = cells["mean"]["replicates"]
            rows.append(f"| {record['texts'][member]} | {size} | {count:,} | {rates} |")
    return "\n".join([*rows, "", f"{_machine(record)}."])


def _highest(cell: Mapping[str, Any] | None) -> str:
    return f"{100 * cell['rate']:.1f}, `{cell['member']}`" if cell else ""


def _rate(cell: Mapping[str, Any] | None) -> str:
    if not cell:
        return ""
    return f"{100 * cell['rate']:.1f} ({100 * cell['low']:.1f}-{100 * cell['high']:.1f})"


def _spread(score: Mapping[str, Any] | None) -> str:
    if not score:
        return ""
    return f"{100 * score['mean']:.2f} ± {100 * score['std']:.2f} (n = {score['n']})"


def _machine(record: Mapping[str, Any]) -> str:
    about = record["environment"]
    return f"{about['cores']} cores of {about['processor']}, {about['commit']}"


def seeds(found: Records) -> str:
    """Return the default comparison by seed of the folds in Markdown."""
    record = found.get("seeds")
    if not record:
        return MISSING
    by_seed = record["seeds"]
    rows = [f"| difference from `{record['baseline']}`, points | {' | '.join(by_seed)} |"]
    rows.append(f"|---|{'---|' * len(by_seed)}")
    for variant in next(iter(by_seed.values()))["variants"]:
        if variant != record["baseline"]:
            cells = [_compared(seed["variants"][variant]) for seed in by_seed.values()]
            rows.append(f"| `{variant}` | {' | '.join(cells)} |")
    times = [f"{seed['seconds']:.0f}" for seed in by_seed.values()]
    rows.append(f"| `make repro`, s | {' | '.join(times)} |")
    rows += ["", f"Kernels: {record['kernels']}. {_machine(record)}."]
    return "\n".join(rows)


def learning_curves(found: Records) -> str:
    """Return how often the interval of a learning curve holds the true gain, in Markdown."""
    record = found.get("learning_curve")
    if not record:
        return MISSING
    rows = [
        "| law or noise | true gain | median gain | median width of the interval "
        "| holds the truth, % | includes no gain, % | not taken for a power law, % |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in record["curves"].values():
        points = [f"{100 * one[key]:z.2f}" for key in ("gain", "median_gain", "median_width")]
        covered = [100 * one[key] for key in ("covered", "covered_low", "covered_high")]
        cells = [one["text"], *points, "{:.1f} ({:.1f}-{:.1f})".format(*covered)]
        cells += [f"{100 * one[key]:.1f}" for key in ("includes_none", "no_power_law")]
        rows.append(f"| {' | '.join(cells)} |")
    count = min(one["replicates"] for one in record["curves"].values())
    rows += ["", f"{count:,} draws each; gains and widths in points. {_machine(record)}."]
    return "\n".join(rows)


def photos(found: Records) -> str:
    """Return the comparisons on pictures of everyday things in Markdown."""
    return "\n\n".join(_pictures(found.get(f"photos-{package}")) for package in PACKAGES)


def _pictures(record: Mapping[str, Any] | None) -> str:
    if not record:
        return MISSING
    label = METRICS[record["metric"]].label
    rows = [f"| variant | CV {label}, % | difference, points (95 %) | P(best) | Holm p | verdict |"]
    rows.append("|---|---:|---:|---:|---:|---|")
    for name, row in sorted(record["variants"].items(), key=lambda one: -one[1]["cv_mean"]):
        p = [probability(row[key]) for key in ("p_best", "p_holm")]
        cells = [f"`{name}`", mean_std(row), difference(row), *p, row["outcome"]]
        rows.append(f"| {' | '.join(cells)} |")
    time = {name: f"{cost['seconds']:.0f} s" for name, cost in record["commands"].items()}
    peak = max(cost["peak_mib"] for cost in record["commands"].values())
    about = f"{record['images']:,} pictures of `{record['package']}`"
    rows += ["", f"{about}; `make new` took {time['new']}, `make repro` {time['repro']},"]
    rows[-1] += f" at most {peak:,.0f} MiB. {_machine(record)}."
    return "\n".join(rows)


def _compared(row: Mapping[str, Any]) -> str:
    return f"{100 * row['difference']:+.2f}, Holm p {row['p_holm']:.3f}: {row['outcome']}"


TABLES = {
    measured.HERE / "README.md": [goals],
    inputs.ROOT / "docs" / "results.md": [seeds, photos, accuracies],
    inputs.ROOT / "docs" / "reliability.md": [kills],
    inputs.ROOT / "docs" / "statistics.md": [verdicts, suites, learning_curves],
}


def rendered(path: Path, found: Records) -> str:
    """Return what a file of TABLES must hold: its text with the tables between the markers."""
    first, *rest = path.read_text(encoding="utf-8").split(BEGIN)
    parts = [first]
    for table, part in zip(TABLES[path], rest, strict=True):
        _, after = part.split(END)
        parts.append(f"{BEGIN}\n{table(found)}\n{END}{after}")
    return "".join(parts)


def main() -> None:
    """Write the tables into their files."""
    found = records()
    for path in TABLES:
        text = rendered(path, found)
        with files.replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
        print(path.relative_to(inputs.ROOT))


if __name__ == "__main__":
    main()
