import subprocess
from pathlib import Path

import pytest

from stages.tracking import origin

MLFLOW = "mlflow.source.git."


def run(command):
    settings = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *command.split()], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        (
            "https://me:hunter2@git.example/team/digits.git?token=hunter2",
            "https://git.example/team/digits.git",
        ),
        ("git@git.example:team/digits.git", "git@git.example:team/digits.git"),
        (None, None),
    ],
)
def test_a_run_has_repository_branch_commit_and_state_but_no_password(folder, remote, shown):
    assert origin.of_code() == {}  # no repository
    Path("params.yaml").touch()
    for command in ("init -q -b topic", "add params.yaml", "commit -qm x"):
        run(command)
    if remote:
        run(f"remote add origin {remote}")
    Path("results").mkdir()
    Path("results/folds.csv").touch()  # what a training writes
    clean = origin.of_code()
    assert clean.get(f"{MLFLOW}repoURL") == shown
    assert clean[f"{MLFLOW}branch"] == "topic"
    assert clean[f"{MLFLOW}dirty"] == clean["git_dirty"] == "false"
    assert clean[f"{MLFLOW}commit"] == clean["git_commit"]
    Path("params.yaml").write_text("data: {limit: 10}")
    run("checkout -q --detach")
    changed = origin.of_code()
    assert changed["git_dirty"] == "true"
    assert f"{MLFLOW}branch" not in changed
