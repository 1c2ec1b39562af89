"""`python -m stages pull-request BASE`: report a branch's changes in Markdown.

Settings, scores and verdicts are compared with those in Git at the merge base with BASE; the
current comparison follows. `make pr-report BASE=main` and the job
`.github/workflows/pull_request.yaml` run it. It only reads what Git and `make repro` have written.
"""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from stages.commands.provenance import TABLE, causes, committed, content_at, dvc, run
from stages.errors import UserError
from stages.files import existing
from stages.report.markdown import mean_std, table
from stages.statistics.interval import wilson
from stages.statistics.metrics import Metric, metric_of

TEXT = "results/comparison.md"
FIGURE = "results/plots/comparison.png"
MARK = "<!-- foldlab: pull request -->"  # the job finds its own comment by this line


def pull_request(base: str, output: TextIO, figures: str = "") -> None:
    """Write the report to `output`; the rest is as for `report`."""
    output.write(report(base, figures))


def report(base: str, figures: str = "") -> str:
    """Return a report that compares the working tree with its merge base with `base`.

    `base` is a branch, tag or commit. `figures` is the URL of the folder of comparison.png, which a
    comment shows; without one it names the local file. UserError is raised outside a Git
    repository, for an unknown `base`, and for missing or outdated results.
    """
    start = _merge_base(base)
    now, text = (existing(Path(path), "compare").read_text("utf-8") for path in (TABLE, TEXT))
    _check_fresh()
    before = content_at(start, TABLE)
    names, old_names = _rows(now), _rows(before)
    settings = dvc("params", "diff", start, "--md", "--no-path").strip()
    settings = re.sub(r"^\|.*", f"| setting | `{base}` | here |", settings)
    shown = rf"![\1]({figures.rstrip('/')}/comparison.png)" if figures else rf"\1: `{FIGURE}`"
    text = re.sub(r"!\[(.*)\]\(plots/comparison\.png\)", shown, text).strip()
    comparison, _, notes = text.rpartition("\n\n- ")
    parts = [
        MARK,
        f"# Changes against `{base}`",
        committed([*names]),
        " ".join(filter(None, [_compared_with(start, base), causes(start, [*names])])),
        "## Verdicts",
        verdicts(before or None, now, base),
        "## Settings",
        settings if settings.count("\n") > 1 else f"No setting differs from `{base}`.",
        "## Scores",
        _scores(start, old_names, names, base),
        f"#{comparison}",
        f"<details><summary>How to read the comparison</summary>\n\n- {notes}\n\n</details>",
    ]
    return "\n\n".join(parts) + "\n"


def _merge_base(base: str) -> str:
    """Return the commit at which this branch left `base`."""
    if run("git", "rev-parse", "--git-dir").returncode:
        raise UserError("this folder is not a Git repository; run the command in a clone.")
    commit = f"{base}^{{commit}}"
    found = run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
    unknown = found.returncode or base.startswith("-")
    merge_base = "" if unknown else run("git", "merge-base", base, "HEAD").stdout.strip()
    if not merge_base:
        shallow = run("git", "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        fetch = "git fetch --unshallow origin" if shallow else "git fetch origin"
        problem = "is not a commit here" if unknown else "has no commit in common with this branch"
        raise UserError(
            f"BASE is {base!r}, which {problem}{', and this clone is shallow' * shallow}"
            f"; run `{fetch}` and give a branch, tag or commit, such as origin/main."
        )
    return merge_base


def _compared_with(start: str, base: str) -> str:
    ahead = int(run("git", "rev-list", "--count", f"{start}..{base}").stdout)
    if not ahead:
        return f"Compared with `{base}`, commit {start[:10]}."
    commits = f"{ahead} commit{'s' * (ahead > 1)}"
    return (
        f"Compared with commit {start[:10]}, where this branch left `{base}`; {commits} made on "
        f"`{base}` since then {'are' if ahead > 1 else 'is'} not shown."
    )


def verdicts(old: str | None, now: str, base: str) -> str:
    """Return the changed verdicts as a Markdown table with one row per variant.

    `old` is comparison.csv at the merge base, None if there was none; `now` is the current file.
    """
    if old is None:
        return f"`{base}` has no {TABLE}, so there are no verdicts to compare with."
    before, after = _rows(old), _rows(now)
    first = [next(iter(rows.values())) for rows in (before, after) if rows]
    lines = []
    for what, name in {
        "baseline": [f"`{row['baseline']}`" for row in first],
        "compared metric": [metric_of(row).label for row in first],
    }.items():
        if len(set(name)) > 1:
            lines += [f"The {what} changed from {name[0]} to {name[1]}.", ""]
    both = {name: (before.get(name), after.get(name)) for name in before | after}
    verdict = {name: tuple(map(_verdict, pair)) for name, pair in both.items()}
    rows = [[f"`{name}`", *pair] for name, pair in verdict.items() if pair[0] != pair[1]]
    if not rows:
        return "\n".join([*lines, f"All {len(after)} verdicts are the same as on `{base}`."])
    if "outcome" in old.partition("\n")[0]:  # older tables do not have this column
        outcomes = [[row and row["outcome"] for row in pair] for pair in both.values()]
        changed = sum(one != other for one, other in outcomes)
        lines += [f"Changed outcomes: {changed} of {len(both)} variants.", ""]
    return "\n".join(lines + table(["variant", f"on `{base}`", "here"], rows, left=3))


def _rows(table: str) -> dict[str, dict[str, Any]]:
    """Return variant -> its row of a comparison.csv; {} for an empty text."""
    return {row["variant"]: row for row in csv.DictReader(table.splitlines())}


def _verdict(row: Mapping[str, str] | None) -> str:
    """Return the verdict; for the baseline, its score."""
    if row is None:
        return "not compared"
    if row["variant"] != row["baseline"]:
        return row["verdict"]
    return f"baseline: {_score(row)}{metric_of(row).sign}"


def _score(row: Mapping[str, Any]) -> str:
    return mean_std({**row, **{key: float(row[key] or 0) for key in ("cv_mean", "cv_std")}})


def _scores(start: str, old: Mapping[str, Any], now: Mapping[str, Any], base: str) -> str:
    """Return the scores that differ from those at the commit `start`; most are collapsed.

    `old` and `now` are the rows of comparison.csv there and here.
    """
    pairs, metric = {}, metric_of(next(iter(now.values())))
    for name in {**old, **now}:
        path = Path(f"results/{name}/metrics.json")
        texts = content_at(start, str(path)), path.read_text("utf-8") if path.exists() else ""
        if texts[0] != texts[1]:
            rows = old.get(name), now.get(name)
            pairs[name] = [
                _shown(json.loads(text), row, metric) if text else {}
                for text, row in zip(texts, rows, strict=True)
            ]
    if not pairs:
        return f"No score differs from `{base}`."
    changes = {f"`{name}`": _changes(*pair) for name, pair in pairs.items()}
    titles = list(next(iter(changes.values())))
    first, others = (
        "\n".join(
            table(
                ["variant", *some],
                [[name, *(row[title] for title in some)] for name, row in changes.items()],
            )
        )
        for some in (titles[:-3], titles[-3:])
    )
    return (
        f"From `{base}` to here: mean ± sd of the folds; the test accuracy with its 95 % interval."
        f"\n\n{first}\n\n<details><summary>Other scores</summary>\n\n{others}\n\n"
        f"`dvc metrics diff {start[:10]}` shows all.\n\n</details>"
    )


def _shown(
    metrics: Mapping[str, Any], row: Mapping[str, Any] | None, metric: Metric
) -> dict[str, tuple[str, float, str]]:
    """Return title -> (text, number, format of a change); the last three are collapsed.

    A compared `metric` other than accuracy comes first, from the row of comparison.csv.
    """
    cv, test = metrics["cv"]["accuracy"], metrics["test"]
    low, high = wilson(round(test["accuracy"] * test["n"]), test["n"])
    spread = mean_std({"cv_mean": cv["mean"], "cv_std": cv["std"]})
    of_test = f"{100 * test['accuracy']:.2f} ({100 * low:.1f} to {100 * high:.1f})"
    error, points = 100 * test["expected_calibration_error"], "{:+z.2f} points"
    compared = {}
    if metric.label != "accuracy":
        compared[metric.column] = "none", 0.0, ""
        if row and metric_of(row) == metric:
            change = f"{{:+z.{metric.digits}f}} {metric.unit}"
            compared[metric.column] = _score(row), metric.scale * float(row["cv_mean"]), change
    return compared | {
        "CV accuracy, %": (spread, 100 * cv["mean"], points),
        "test accuracy, %": (of_test, 100 * test["accuracy"], points),
        "parameters": (f"{metrics['parameters']:,}", metrics["parameters"], "{:+,}"),
        "folds, test images": (f"{cv['n']}, {test['n']:,}", 0, ""),
        "test loss, nats": (f"{test['loss']:.4f}", test["loss"], "{:+z.4f}"),
        "test F1, %": (f"{100 * test['macro_f1']:.2f}", 100 * test["macro_f1"], points),
        "calibration error, points": (f"{error:.2f}", error, points),
    }


def _changes(old: Mapping[str, tuple], new: Mapping[str, tuple]) -> dict[str, str]:
    """Return title -> `old → new: change`, one text where both are the same."""
    cells = {}
    for title in old or new:
        before, after = (scores.get(title, ("none", 0, "")) for scores in (old, new))
        change = (after[2] if before[2] else "").format(after[1] - before[1])
        both = f"{before[0]} → {after[0]}{': ' * bool(change)}{change}"
        cells[title] = after[0] if before == after else both
    return cells


def _check_fresh() -> None:
    """Refuse results that are outdated by changes of settings, data or code.

    Missing files do not count: Git holds what is read here, and a clone may have no DVC cache. Nor
    do empty folders, which `dvc checkout` leaves there.
    """
    found = json.loads(dvc("status", "--json") or "{}")
    stale = sorted(stage for stage, reasons in found.items() if _changed(reasons))
    if stale:
        named = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        raise UserError(f"results are not up to date ({named}); run `make repro` first.")


def _changed(reasons: Any, path: str = "") -> bool:
    """Return whether `dvc status` reports anything but missing files for a stage or a path."""
    if isinstance(reasons, str):
        is_empty = bool(path) and Path(path).is_dir() and not any(Path(path).iterdir())
        return reasons not in ("deleted", "not in cache") and not is_empty
    if isinstance(reasons, Mapping):
        return any(_changed(reason, key) for key, reason in reasons.items())
    return any(map(_changed, reasons))
