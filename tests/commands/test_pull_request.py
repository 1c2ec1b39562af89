"""The report of a pull request, made from two branches of a real repository of Git and DVC."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages import files
from stages.commands import pull_request
from stages.errors import UserError
from tests.report.made import make

HERE = Path(__file__).parents[2]
NAMES = ("basic", "other")
PIPELINE = {
    "stages": {
        "compare": {
            "cmd": f"PYTHONPATH={HERE} {sys.executable} -m stages compare",
            "params": ["compare", "variants"],
            "deps": [f"results/{name}/folds.csv" for name in NAMES],
            "outs": [
                {f"results/{name}": {"cache": False}}
                for name in ("comparison.csv", "comparison.md", "plots/comparison.png")
            ],
        }
    },
    "metrics": [f"results/{name}/metrics.json" for name in NAMES],
}


def well(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder, message):
    well(folder, sys.executable, "-m", "dvc", "repro", "-q")
    well(folder, "git", "add", "-A")
    well(folder, "git", "commit", "-qm", message)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Two branches: on `wider` a setting of `other` differs, all its folds, and its scores."""
    folder = tmp_path_factory.mktemp("repository")
    make(folder, NAMES)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    (folder / ".dvc").mkdir()
    shutil.copy(HERE / ".dvc" / "config", folder / ".dvc" / "config")
    (folder / ".gitignore").write_text("/.dvc/tmp\n/.dvc/cache\n/data\n*.npz\n")
    for setting in ("init -q -b main", "config user.name a", "config user.email a@b.c"):
        well(folder, "git", *setting.split())
    commit(folder, "main")
    well(folder, "git", "checkout", "-qb", "wider")
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    settings["variants"]["other"]["architecture"] = {"basic": {"dense": 256}}
    (folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    table = files.read_table(folder / "results/basic/folds.csv")
    for row in table:
        row["accuracy"] -= 0.3 + 0.001 * row["fold"]
    rows = [list(row.values()) for row in table]
    files.write_table(folder / "results/other/folds.csv", list(table[0]), rows)
    metrics = files.read_json(folder / "results/other/metrics.json")
    metrics["test"]["accuracy"] += 0.0125
    metrics["parameters"] += 1000
    files.write_json(folder / "results/other/metrics.json", metrics)
    commit(folder, "A wider dense layer")
    return folder


def test_the_report_holds_what_differs_between_the_branches(repository, monkeypatch):
    monkeypatch.chdir(repository)
    report = pull_request.pull_request("main")
    assert report.startswith(pull_request.MARK)
    sections = dict(part.split("\n", 1) for part in report.split("\n## ")[1:])
    assert list(sections) == ["Verdicts", "Settings", "Scores", "Comparison"]
    (other,) = [line for line in sections["Verdicts"].splitlines() if line.startswith("| `")]
    old = next(
        line.split(",")[-2]
        for line in well(repository, "git", "show", "main:results/comparison.csv").splitlines()
        if line.startswith("other")
    )
    assert other.startswith(f"| `other` | {old} | worse by 30.20 points")
    assert "variants.other.architecture.basic.dense | - " in " ".join(sections["Settings"].split())
    assert "256" in sections["Settings"]
    scores = [line.split(" | ") for line in sections["Scores"].splitlines() if "`other`" in line]
    assert [(row[1], row[4].rstrip(" |")) for row in scores] == [
        ("test.accuracy", "+0.0125"),
        ("parameters", "+1,000"),
    ]
    assert "`basic`" not in sections["Scores"]
    table = [line for line in Path(pull_request.TEXT).read_text().splitlines() if "| `" in line]
    assert all(line in sections["Comparison"] for line in table)
    assert f"`{pull_request.FIGURE}`" in sections["Comparison"]
    assert "![" not in report


def test_against_itself_nothing_differs_and_the_command_writes_a_file(repository):
    output = repository / "data" / "report.md"
    command = [sys.executable, "-m", "stages", "pull-request", "wider"]
    options = ["--output", str(output), "--figures", "https://example.org/plots/"]
    done = subprocess.run(
        [*command, *options], cwd=repository, env={**os.environ, "PYTHONPATH": str(HERE)}
    )
    assert done.returncode == 0
    report = output.read_text()
    assert "All 2 verdicts are the same as on `wider`." in report
    assert "No setting differs from `wider`." in report
    assert "No score differs from `wider`." in report
    assert "](https://example.org/plots/comparison.png)" in report


def test_stale_results_are_refused(repository, monkeypatch):
    monkeypatch.chdir(repository)
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("baseline: basic", "baseline: other"))
    with pytest.raises(ValueError, match=r"not up to date \(compare\); run `make repro` first"):
        pull_request.pull_request("main")
    path.write_text(text)


@pytest.mark.parametrize("base", ["mian", "--help", "HEAD~9"])
def test_an_unknown_base_is_refused(repository, monkeypatch, base):
    monkeypatch.chdir(repository)
    with pytest.raises(ValueError, match="not a commit here; run `git fetch origin` and give"):
        pull_request.pull_request(base)


def test_a_shallow_clone_is_told_to_fetch_the_history(repository, monkeypatch, tmp_path):
    address = f"file://{repository}"
    well(tmp_path, "git", "clone", "-q", "--depth", "1", "--branch", "wider", address, "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(ValueError, match="run `git fetch --unshallow origin`"):
        pull_request.pull_request("origin/main")


def test_a_folder_without_git_and_one_without_results_are_refused(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ValueError, match="not a Git repository"):
        pull_request.pull_request("main")
    commands = "init -q -b main", "-c user.name=a -c user.email=a@b.c commit -q --allow-empty -m a"
    for command in commands:
        well(tmp_path, "git", *command.split())
    with pytest.raises(UserError, match=r"comparison.csv is missing; run `make repro` first"):
        pull_request.pull_request("main")


BASELINE = ("a", "a", "baseline", "baseline")


@pytest.mark.parametrize(
    ("old", "now", "message"),
    [
        (None, [BASELINE], "`main` has no results/comparison.csv"),
        ([BASELINE], [("b", "b", "baseline", "baseline")], "from `a` to `b`"),
        ([BASELINE], [("b", "b", "baseline", "baseline")], "| `b` | not compared | baseline:"),
        (
            [BASELINE, ("b", "a", "1", "undecided")],
            [BASELINE, ("b", "a", "2", "undecided")],
            "0 of 2",
        ),
        ([("b", "a", "1", "undecided")], [("b", "a", "2", "worse")], "outcomes: 1 of 1"),
        ([("b", "a", "1", "worse")], [("b", "a", "2", "worse")], "outcomes: 0 of 1"),
    ],
)
def test_verdicts_that_changed(old, now, message):
    def rows(cells):
        names = ("variant", "baseline", "verdict", "outcome")
        return cells and [
            dict(zip(names, row, strict=True)) | {"cv_mean": "0.9", "cv_std": ""} for row in cells
        ]

    assert message in pull_request.verdicts(rows(old), rows(now), "main")


def test_a_base_without_outcomes_has_verdicts_only():
    old = {"variant": "b", "baseline": "a", "verdict": "worse by 1"}
    now = {"variant": "b", "baseline": "a", "verdict": "worse by 2", "outcome": "worse"}
    report = pull_request.verdicts([old], [now], "main")
    assert "| `b` | worse by 1 | worse by 2 |" in report
    assert "outcomes" not in report
