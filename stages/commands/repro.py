"""`python -m stages repro`, which `make repro` runs: `dvc repro` with both cores kept busy."""

import subprocess
import sys

from stages.commands import stamp


def repro() -> None:
    """Prepare the data, train all variants together, run all other stages, print the table."""
    if summary := stamp.summary():
        print(f"Nothing has changed since the last run.\n{summary}")
        return
    from stages.commands import warm  # these import MLflow and scikit-learn
    from stages.commands.sweep import sweep
    from stages.report.terminal import summarized

    before = stamp.inputs()
    with warm.started():
        _dvc("prepare")
        sweep()
        _dvc()
    summary = summarized()
    stamp.write(before, summary)
    print(summary)


def _dvc(*stages: str) -> None:
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", *stages], check=False)
    if done.returncode:
        sys.exit(done.returncode)
