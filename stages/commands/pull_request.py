"""`python -m stages pull-request BASE`: what a branch changes, in Markdown.

Settings and scores against the commit BASE by DVC's own diffs, verdicts against BASE's committed
comparison, the comparison as it is now. `make pr-report BASE=main` runs it, and so does the job
`.github/workflows/pull_request.yaml`. It reads only what Git holds and what `make repro` left.
"""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.files import replacing
from stages.report.markdown import table

TABLE, TEXT = "results/comparison.csv", "results/comparison.md"
FIGURE = "results/plots/comparison.png"
SHOWN = (
    "cv.accuracy.mean",
    "cv.accuracy.std",
    "test.accuracy",
    "test.loss",
    "test.macro_f1",
    "test.expected_calibration_error",
    "parameters",
)
MARK = "<!-- foldlab: pull request -->"  # by which the job finds its own comment


def pull_request(base: str, figures: str = "") -> str:
    """Return the report on the working tree against the commit `base`.

    Args:
        base: a branch, tag or commit.
        figures: address of the folder in which a browser finds comparison.png; "" when there is
            none, since a comment cannot hold a local file.

    Raises:
        UserError: outside a Git repository, for an unknown `base`, and for stale results.
        OSError: when there is no comparison yet.
    """
    _check_base(base)
    for path in (TABLE, TEXT):
        if not Path(path).is_file():
            raise UserError(f"{path} is missing; run `make repro` first.")
    _check_fresh()
    settings = _dvc("params", "diff", base, "--md", "--no-path").strip()
    scores = json.loads(_dvc("metrics", "diff", base, "--json") or "{}")
    before = _run("git", "show", f"{base}:./{TABLE}")
    old = None if before.returncode else list(csv.DictReader(before.stdout.splitlines()))
    with Path(TABLE).open(newline="", encoding="utf-8") as file:
        now = list(csv.DictReader(file))
    parts = [
        MARK,
        f"# Changes against `{base}`",
        "## Verdicts",
        verdicts(old, now, base),
        "## Settings",
        settings if settings.count("\n") > 1 else f"No setting differs from `{base}`.",
        "## Scores",
        changes(scores, base),
        comparison(Path(TEXT).read_text(encoding="utf-8"), figures),
    ]
    return "\n\n".join(parts) + "\n"


def verdicts(old: Sequence[Mapping] | None, now: Sequence[Mapping], base: str) -> str:
    """Return what changed from one comparison to the other: one row a variant, in Markdown.

    Args:
        old: rows of the base's comparison.csv, None when it has none.
        now: rows of the present one.
        base: what the base is called.
    """
    if old is None:
        return f"`{base}` holds no {TABLE}, so there is nothing to compare the verdicts with."
    said = []
    baselines = [rows[0]["baseline"] for rows in (old, now) if rows]
    if len(set(baselines)) > 1:
        said = [f"The baseline changed from `{baselines[0]}` to `{baselines[1]}`.", ""]
    before, after = ({row["variant"]: _verdict(row) for row in rows} for rows in (old, now))
    changed = [
        [f"`{name}`", before.get(name, "not compared"), after.get(name, "not compared")]
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    if not changed:
        return "\n".join([*said, f"All {len(after)} verdicts are those of `{base}`."])
    if all("outcome" in row for row in old):  # tables before it had a column lack it
        one, other = ({row["variant"]: row["outcome"] for row in rows} for rows in (old, now))
        count = sum(one.get(name) != other.get(name) for name in one | other)
        said += [f"Outcomes that changed: {count} of {len(one | other)} variants.", ""]
    return "\n".join(said + _left(table(["variant", f"on `{base}`", "here"], changed)))


def _verdict(row: Mapping[str, str]) -> str:
    """Return the verdict with numbers; a baseline has its accuracy in their place."""
    if row["variant"] != row["baseline"]:
        return row["verdict"]
    return f"baseline: {100 * float(row['cv_mean']):.2f} ± {100 * float(row['cv_std'] or 0):.2f} %"


def changes(scores: Mapping[str, Mapping[str, Any]], base: str) -> str:
    """Return the scores in `SHOWN` that changed, in Markdown.

    Args:
        scores: what `dvc metrics diff --json` prints: file -> key -> old, new, diff.
        base: what the base is called.
    """
    rows = []
    for path, found in scores.items():
        for key in SHOWN:
            if key in found:
                one = found[key]
                change = _number(one["diff"], "+") if "diff" in one else ""
                cells = [_number(one.get("old")), _number(one.get("new")), change]
                rows.append([f"`{Path(path).parent.name}`", key, *cells])
    if not rows:
        return f"No score differs from `{base}`."
    lines = table(["variant", "score", f"`{base}`", "here", "change"], rows)
    lines[1] = "| --- | --- | ---: | ---: | ---: |"
    return "\n".join([*lines, "", f"`dvc metrics diff {base}` shows the other scores."])


def _number(value: float | None, sign: str = "") -> str:
    if value is None:
        return ""
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign}z.4f}"


def _left(lines: Sequence[str]) -> list[str]:
    return [line.replace("---:", "---") for line in lines]


def comparison(text: str, figures: str) -> str:
    """Return comparison.md one heading lower; its figure from `figures`, else by its name."""
    text = text.replace("# Comparison", "## Comparison", 1).strip()
    place = rf"![\1]({figures.rstrip('/')}/comparison.png)" if figures else rf"\1: `{FIGURE}`"
    return re.sub(r"!\[(.*)\]\(plots/comparison\.png\)", place, text)


def _check_base(base: str) -> None:
    """Refuse what no diff can start from, with the next step."""
    if _run("git", "rev-parse", "--git-dir").returncode:
        raise UserError("this folder is no Git repository; diffs need one: run it in a clone.")
    commit = f"{base}^{{commit}}"
    found = _run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
    if found.returncode or base.startswith("-"):
        shallow = _run("git", "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        fetch = "git fetch --unshallow origin" if shallow else "git fetch origin"
        cut = ", and this clone's history is cut off" if shallow else ""
        raise UserError(
            f"BASE is {base!r}, which is no commit here{cut}; run `{fetch}` and give a branch, "
            "tag or commit, such as origin/main."
        )


def _check_fresh() -> None:
    """Refuse results that do not follow from the present settings, data and code.

    A file that DVC knows and that is not there, as in a clone without the cache, says nothing.
    """
    found = json.loads(_dvc("status", "--json") or "{}")
    stale = sorted(stage for stage, reasons in found.items() if _changed(reasons))
    if stale:
        named = ", ".join(stale[:5]) + (f" and {len(stale) - 5} more" if len(stale) > 5 else "")
        raise UserError(f"results are not up to date ({named}); run `make repro` first.")


def _changed(reasons: Any) -> bool:
    """Say whether what `dvc status` tells of a stage is more than files that are missing."""
    if isinstance(reasons, Mapping):
        return any(_changed(reason) for reason in reasons.values())
    if isinstance(reasons, list):
        return any(_changed(reason) for reason in reasons)
    return reasons != "deleted"


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _dvc(*arguments: str) -> str:
    """Return what a command of DVC prints; its refusal is a ValueError with its last line."""
    done = _run(sys.executable, "-m", "dvc", *arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {last}")
    return done.stdout


def report(base: str, output: Path | None, figures: str) -> None:
    """Print the report, or write it to the file `output`; see `pull_request`."""
    made = pull_request(base, figures)
    if output is None:
        print(made, end="")
        return
    with replacing(output) as beside:
        beside.write_text(made, encoding="utf-8")
