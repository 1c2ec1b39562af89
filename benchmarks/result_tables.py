"""The tables of docs/results.md: folds of other seeds, photos, accuracy on full MNIST."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.accuracy import ROWS
from benchmarks.markdown import MISSING, Records, machine, spread, table
from stages.report import markdown
from stages.statistics.metrics import METRICS
from stages.statistics.paired import corrected_resampled_t

SCORES = {
    "cv": "cross-validated",
    "members_test": "mean of the models",
    "seeds_test": "mean of the models",
    "vote_test": "soft vote",
}
Record = Mapping[str, Any]


def seeds(record: Record) -> str:
    """Return the default comparison by seed of the folds in Markdown."""
    by_seed = record["seeds"]
    variants = next(iter(by_seed.values()))["variants"]
    rows = [
        [f"`{variant}`", *(_compared(seed["variants"][variant]) for seed in by_seed.values())]
        for variant in variants
        if variant != record["baseline"]
    ]
    rows.append(["`make repro`, s", *(f"{seed['seconds']:.0f}" for seed in by_seed.values())])
    columns = f"difference from `{record['baseline']}`, points | {' | '.join(by_seed)}"
    lines = table(columns, f"---{'|---' * len(by_seed)}", rows)
    return "\n".join([*lines, "", f"Kernels: {record['kernels']}. {machine(record)}."])


def _compared(row: Record) -> str:
    return f"{100 * row['difference']:+.2f}, Holm p {row['p_holm']:.3f}: {row['outcome']}"


def photos(record: Record) -> str:
    """Return the comparison on the pictures of one package in Markdown."""
    rows = []
    for name, row in sorted(record["variants"].items(), key=lambda one: -one[1]["cv_mean"]):
        p = [markdown.probability(row[key]) for key in ("p_best", "p_holm")]
        score, difference = markdown.mean_std(row), markdown.difference(row)
        rows.append([f"`{name}`", score, difference, *p, row["outcome"]])
    label = METRICS[record["metric"]].label
    columns = f"variant | CV {label}, % | difference, points (95 %) | P(best) | Holm p | verdict"
    time = {name: f"{cost['seconds']:.0f} s" for name, cost in record["commands"].items()}
    peak = max(cost["peak_mib"] for cost in record["commands"].values())
    about = (
        f"{record['images']:,} pictures of `{record['package']}`; `make new` took {time['new']}, "
        f"`make repro` {time['repro']}, at most {peak:,.0f} MiB. {machine(record)}."
    )
    return "\n".join([*table(columns, "---|---:|---:|---:|---:|---", rows), "", about])


def accuracies(found: Records) -> str:
    """Return the table of accuracies on full MNIST in Markdown, in percent."""
    rows = []
    for row, about in ROWS.items():
        record = found.get(f"accuracy-{row}")
        goals = "; ".join(_goal(goal) for goal in about["goals"])
        scores, met, where = [MISSING, "", "", ""], "", ""
        if record:
            scores, where = _scores(record), machine(record)
            met = "; ".join(_met(record, goal, found) for goal in about["goals"])
        command = f"`python -m benchmarks.accuracy {row}`"
        rows.append([f"`{row}`", *scores, goals, met, command, where])
    return "\n".join(
        table(
            "variant | cross-validated | each model on test | soft vote on test | parameters "
            "| goal | met | command | machine, commit",
            "---|---:|---:|---:|---:|---|---|---|---",
            rows,
        )
    )


def _scores(record: Record) -> list[str]:
    each = record.get("members_test") or record.get("seeds_test")
    vote = f"{100 * record['vote_test']:.2f}" if "vote_test" in record else ""
    biased = ", its members chosen on it" if "chosen" in record else ""
    cv = f"{spread(record.get('cv'))}{biased}"
    return [cv, spread(each), vote, f"{record['parameters']:,}"]


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
