"""`python -m stages pull-request BASE`: report a branch's changes in Markdown.

Settings and scores are compared with the commit BASE by DVC's diffs, verdicts with BASE's committed
comparison; the current comparison follows. `make pr-report BASE=main` and the job
`.github/workflows/pull_request.yaml` run it. It only reads Git's files and results of `make repro`.
"""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.files import existing
from stages.report.markdown import mean_std, table

TABLE, TEXT = "results/comparison.csv", "results/comparison.md"
FIGURE = "results/plots/comparison.png"
SHOWN: tuple[str, ...] = ("cv.accuracy.mean", "cv.accuracy.std", "test.accuracy", "test.loss")
SHOWN += ("test.macro_f1", "test.expected_calibration_error", "parameters")
MARK = "<!-- foldlab: pull request -->"  # the job finds its own comment by this line


def pull_request(base: str, figures: str = "") -> str:
    """Return a report that compares the working tree with `base`: a branch, tag or commit.

    `figures` is the URL of the folder of comparison.png, which a comment shows; without one it
    names the local file. UserError is raised outside a Git repository, for an unknown `base`, and
    for missing or outdated results.
    """
    _check_base(base)
    now, text = (existing(Path(path), "compare").read_text("utf-8") for path in (TABLE, TEXT))
    _check_fresh()
    settings = _dvc("params", "diff", base, "--md", "--no-path").strip()
    scores = json.loads(_dvc("metrics", "diff", base, "--json") or "{}")
    before = _run("git", "show", f"{base}:./{TABLE}")
    shown = rf"![\1]({figures.rstrip('/')}/comparison.png)" if figures else rf"\1: `{FIGURE}`"
    parts = [
        MARK,
        f"# Changes against `{base}`",
        "## Verdicts",
        verdicts(None if before.returncode else before.stdout, now, base),
        "## Settings",
        settings if settings.count("\n") > 1 else f"No setting differs from `{base}`.",
        "## Scores",
        _scores(scores, base),
        "#" + re.sub(r"!\[(.*)\]\(plots/comparison\.png\)", shown, text).strip(),
    ]
    return "\n\n".join(parts) + "\n"


def verdicts(old: str | None, now: str, base: str) -> str:
    """Return the changed verdicts as a Markdown table with one row per variant.

    `old` is the comparison.csv of the commit `base`, None if there is none; `now` is the current.
    """
    if old is None:
        return f"`{base}` has no {TABLE}, so there are no verdicts to compare with."
    before, after = (
        {row["variant"]: row for row in csv.DictReader(text.splitlines())} for text in (old, now)
    )
    lines = []
    baselines = [next(iter(rows.values()))["baseline"] for rows in (before, after) if rows]
    if len(set(baselines)) > 1:
        lines = [f"The baseline changed from `{baselines[0]}` to `{baselines[1]}`.", ""]
    both = {name: (before.get(name), after.get(name)) for name in before | after}
    verdict = {name: tuple(map(_verdict, pair)) for name, pair in both.items()}
    rows = [[f"`{name}`", *pair] for name, pair in verdict.items() if pair[0] != pair[1]]
    if not rows:
        return "\n".join([*lines, f"All {len(after)} verdicts are the same as on `{base}`."])
    if "outcome" in old.partition("\n")[0]:  # older tables lack this column
        outcomes = [[row and row["outcome"] for row in pair] for pair in both.values()]
        changed = sum(one != other for one, other in outcomes)
        lines += [f"Changed outcomes: {changed} of {len(both)} variants.", ""]
    return "\n".join(lines + table(["variant", f"on `{base}`", "here"], rows, left=3))


def _verdict(row: Mapping[str, str] | None) -> str:
    """Return the verdict; for the baseline, its accuracy."""
    if row is None:
        return "not compared"
    if row["variant"] != row["baseline"]:
        return row["verdict"]
    score = {key: float(row[key] or 0) for key in ("cv_mean", "cv_std")}
    return f"baseline: {mean_std(score)} %"


def _scores(scores: Mapping[str, Mapping[str, Any]], base: str) -> str:
    """Return the changed scores among `SHOWN` as a Markdown table.

    `scores` is the output of `dvc metrics diff --json`: file -> key -> old, new, diff.
    """
    rows = []
    for path, found in scores.items():
        for key in (key for key in SHOWN if key in found):
            cells = (_number(found[key].get(which), which) for which in ("old", "new", "diff"))
            rows.append([f"`{Path(path).parent.name}`", key, *cells])
    if not rows:
        return f"No score differs from `{base}`."
    lines = table(["variant", "score", f"`{base}`", "here", "change"], rows, left=2)
    return "\n".join([*lines, "", f"`dvc metrics diff {base}` shows the other scores."])


def _number(value: float | None, which: str) -> str:
    if value is None:
        return ""
    sign = "+" if which == "diff" else ""
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}z.4f}"


def _check_base(base: str) -> None:
    """Check that `base` is a commit of this repository."""
    if _run("git", "rev-parse", "--git-dir").returncode:
        raise UserError("this folder is not a Git repository; run the command in a clone.")
    commit = f"{base}^{{commit}}"
    found = _run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
    if found.returncode or base.startswith("-"):
        shallow = _run("git", "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        fetch = "git fetch --unshallow origin" if shallow else "git fetch origin"
        raise UserError(
            f"BASE is {base!r}, which is not a commit here{', and this clone is shallow' * shallow}"
            f"; run `{fetch}` and give a branch, tag or commit, such as origin/main."
        )


def _check_fresh() -> None:
    """Refuse results that are outdated by changes of settings, data or code.

    Files missing from the working tree do not count: a clone without the cache has none of them.
    """
    found = json.loads(_dvc("status", "--json") or "{}")
    stale = sorted(stage for stage, reasons in found.items() if _changed(reasons))
    if stale:
        named = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        raise UserError(f"results are not up to date ({named}); run `make repro` first.")


def _changed(reasons: Any) -> bool:
    """Return whether `dvc status` reports more of a stage than missing files."""
    if isinstance(reasons, str):
        return reasons != "deleted"
    return any(map(_changed, reasons.values() if isinstance(reasons, Mapping) else reasons))


def _dvc(*arguments: str) -> str:
    """Return the output of a DVC command, or raise UserError with the last line of its stderr."""
    done = _run(sys.executable, "-m", "dvc", *arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {last}")
    return done.stdout


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False)
