"""`python -m stages repro`, which `make repro` runs: `dvc repro` with all cores kept busy."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stages.commands import stamp
from stages.errors import UserError


def repro(stages: Sequence[str] = (), hints: bool = True) -> None:
    """Prepare the data, train all variants together, run all other stages, print the table.

    Then export the models of rows that ask for it.

    With `stages`, as DVC names them, it runs only these and what they depend on. Without `hints` it
    does not say what to do next.

    Raises:
        UserError: if DVC cannot work here, because the folder is not a Git checkout, or cannot
            watch the data, or if a row's `export` needs a package that is not installed, or
            FOLDLAB_PRIVATE_KEY names no key.
    """
    _check_git()
    if not stages and (summary := stamp.summary_if_unchanged()):
        print(f"Nothing has changed since the last run.\n{summary}")
        return
    from stages.commands.watched import watched  # this imports what reads images

    watched()
    if stages:
        return _dvc(*stages)
    from stages.commands import champion, export, warm  # these import MLflow and scikit-learn
    from stages.commands.sweep import sweep
    from stages.report import terminal
    from stages.settings import params
    from stages.tracking import signature

    signature.check_key()
    export.check_rows(params.load())
    before, shown = stamp.inputs(), champion.last_shown()
    with warm.started():
        _dvc("prepare")
        sweep()
        _dvc()
    if shown == champion.last_shown() != champion.identity():  # DVC only restored the comparison
        champion.champion()
    summary = terminal.of_comparison(hints)
    print(summary)
    export.update_rows(params.load())
    stamp.write(before, summary)
    if _differs_from_git():
        print(
            "\nFiles in results/ or dvc.lock differ from the last commit: commit them, or drop "
            "them as docs/after_a_run.md says."
        )


def _check_git() -> None:
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        from dvc.config import Config  # takes a third of a second

        if not Config.from_cwd()["core"]["no_scm"]:
            raise UserError(
                f"{here} is not a Git checkout; run `git init`, or `dvc config --local core.no_scm "
                "true` to do without experiments and comparisons with other commits."
            )


def _differs_from_git() -> bool:
    """Return whether Git sees changes in what a run writes; False without a repository."""
    status = ["git", "status", "--porcelain", "--", "results", "dvc.lock"]
    return bool(subprocess.run(status, capture_output=True, check=False).stdout)


def _dvc(*stages: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", *stages], check=False)
    if done.returncode:
        sys.exit(done.returncode)
