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
MARK = "<!-- foldlab: pull request -->"  # the job finds its own comment by this line


def pull_request(base: str, figures: str = "") -> str:
    """Return a report that compares the working tree with the commit `base`.

    Args:
        base: a branch, tag or commit.
        figures: URL of the folder of comparison.png; "" if there is none, because a comment cannot
            show a local file.

    Raises:
        UserError: outside a Git repository, for an unknown `base`, and for missing or outdated
            results.
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
    """Return the changed verdicts as a Markdown table with one row per variant.

    Args:
        old: rows of the base's comparison.csv, None if it has none.
        now: rows of the current one.
        base: the base's name.
    """
    if old is None:
        return f"`{base}` has no {TABLE}, so there are no verdicts to compare with."
    lines = []
    baselines = [rows[0]["baseline"] for rows in (old, now) if rows]
    if len(set(baselines)) > 1:
        lines = [f"The baseline changed from `{baselines[0]}` to `{baselines[1]}`.", ""]
    before, after = ({row["variant"]: _verdict(row) for row in rows} for rows in (old, now))
    changed = [
        [f"`{name}`", before.get(name, "not compared"), after.get(name, "not compared")]
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    if not changed:
        return "\n".join([*lines, f"All {len(after)} verdicts are the same as on `{base}`."])
    if all("outcome" in row for row in old):  # tables before it had a column lack it
        one, other = ({row["variant"]: row["outcome"] for row in rows} for rows in (old, now))
        count = sum(one.get(name) != other.get(name) for name in one | other)
        lines += [f"Changed outcomes: {count} of {len(one | other)} variants.", ""]
    return "\n".join(lines + _left(table(["variant", f"on `{base}`", "here"], changed)))


def _verdict(row: Mapping[str, str]) -> str:
    """Return the verdict; for the baseline, its accuracy."""
    if row["variant"] != row["baseline"]:
        return row["verdict"]
    return f"baseline: {100 * float(row['cv_mean']):.2f} ± {100 * float(row['cv_std'] or 0):.2f} %"


def changes(scores: Mapping[str, Mapping[str, Any]], base: str) -> str:
    """Return the changed scores among `SHOWN` as a Markdown table.

    Args:
        scores: the output of `dvc metrics diff --json`: file -> key -> old, new, diff.
        base: the base's name.
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
    """Return comparison.md one heading level down, with a URL or the path of its figure."""
    text = text.replace("# Comparison", "## Comparison", 1).strip()
    place = rf"![\1]({figures.rstrip('/')}/comparison.png)" if figures else rf"\1: `{FIGURE}`"
    return re.sub(r"!\[(.*)\]\(plots/comparison\.png\)", place, text)


def _check_base(base: str) -> None:
    """Check that `base` is a commit of this repository."""
    if _run("git", "rev-parse", "--git-dir").returncode:
        raise UserError("this folder is not a Git repository; run the command in a clone.")
    commit = f"{base}^{{commit}}"
    found = _run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
    if found.returncode or base.startswith("-"):
        shallow = _run("git", "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        fetch = "git fetch --unshallow origin" if shallow else "git fetch origin"
        cut = ", and this clone is shallow" if shallow else ""
        raise UserError(
            f"BASE is {base!r}, which is not a commit here{cut}; run `{fetch}` and give a branch, "
            "tag or commit, such as origin/main."
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
    if isinstance(reasons, Mapping):
        return any(_changed(reason) for reason in reasons.values())
    if isinstance(reasons, list):
        return any(_changed(reason) for reason in reasons)
    return reasons != "deleted"


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _dvc(*arguments: str) -> str:
    """Return the output of a DVC command.

    Raises:
        UserError: with the last line of its stderr, if the command fails.
    """
    done = _run(sys.executable, "-m", "dvc", *arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {last}")
    return done.stdout


def report(base: str, output: Path | None, figures: str) -> None:
    """Print the report, or write it to the file `output`; see `pull_request`."""
    text = pull_request(base, figures)
    if output is None:
        print(text, end="")
        return
    with replacing(output) as partial:
        partial.write_text(text, encoding="utf-8")
