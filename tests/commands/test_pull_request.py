"""The report of a pull request, made from two branches of a real repository of Git and DVC."""

import contextlib
import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from benchmarks.inputs import ROOT
from stages import files
from stages.commands import pull_request
from stages.commands.cli import cli
from stages.commands.provenance import ENVIRONMENT
from stages.compare import compare
from stages.errors import UserError
from stages.statistics.metrics import METRICS
from tests.prepared import edit
from tests.report.made import make

NAMES = ("basic", "other")
PIPELINE = {
    "stages": {
        "train": {
            "matrix": {"variant": [*NAMES]},
            "cmd": "python -m stages train ${item.variant}",
            "deps": ["data/environment.json"],
            "outs": ["results/${item.variant}/training.json"],
        },
        "compare": {
            "cmd": "python -m stages compare",
            "params": ["compare", "variants"],
            "deps": [f"results/{name}/folds.csv" for name in NAMES],
            "outs": [
                {f"results/{name}": {"cache": False}}
                for name in ("comparison.csv", "comparison.md", "plots/comparison.png")
            ],
        },
    },
    "metrics": [f"results/{name}/metrics.json" for name in NAMES],
}
HEADER = "variant,baseline,cv_mean,cv_std,verdict,outcome\n"
BASIC = "a,a,0.9,,baseline,baseline\n"


def run(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def compute_with(folder, kernels):
    """Change the environment of all results."""
    environment = {"python": "3.11", "kernels": kernels}
    files.write_json(folder / "data/environment.json", environment)
    for name in NAMES:
        path = folder / f"results/{name}/training.json"
        files.write_json(path, files.read_json(path) | {"environment": environment})


def commit(folder, message):
    with contextlib.chdir(folder):
        compare()
    run(folder, sys.executable, "-m", "dvc", "commit", "--quiet", "--force")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", message)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Make a branch `wider` that changes settings and scores of `other`, and the processor.

    `main` has a later commit.
    """
    folder = tmp_path_factory.mktemp("repository")
    make(folder, NAMES)
    (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE, sort_keys=False))
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    (folder / ".gitignore").write_text(
        "/.dvc/tmp\n/.dvc/cache\n/data\n*.npz\ntraining.json\ntiming.csv\n"
    )
    for setting in ("init -q -b main", "config user.name a", "config user.email a@b.c"):
        run(folder, "git", *setting.split())
    compute_with(folder, "avx512f")
    commit(folder, "main")
    run(folder, "git", "branch", "wider")
    edit(folder, {"variants": {"basic": {"description": "Only main has this."}}})
    commit(folder, "A description")
    run(folder, "git", "checkout", "-q", "wider")
    compute_with(folder, "portable")
    edit(folder, {"variants": {"other": {"architecture": {"basic": {"dense": 256}}}}})
    table = files.read_table(folder / "results/basic/folds.csv")
    for row in table:
        row["accuracy"] -= 0.3 + 0.001 * row["fold"]
    rows = [list(row.values()) for row in table]
    files.write_table(folder / "results/other/folds.csv", list(table[0]), rows)
    metrics = files.read_json(folder / "results/other/metrics.json")
    metrics["cv"]["accuracy"] = {"mean": 0.399, "std": 0.0473, "n": 5}
    metrics["test"]["accuracy"] += 0.02
    metrics["parameters"] += 1000
    files.write_json(folder / "results/other/metrics.json", metrics)
    commit(folder, "A wider dense layer")
    return folder


@pytest.mark.slow
def test_the_report_holds_what_differs_between_the_branches(repository, monkeypatch):
    monkeypatch.chdir(repository)
    report = pull_request.report("main")
    assert report.startswith(pull_request.MARK)
    sections = dict(part.split("\n", 1) for part in report.split("\n## ")[1:])
    assert list(sections) == ["Verdicts", "Settings", "Scores", "Comparison"]
    before = run(repository, "git", "show", "main:results/comparison.csv").splitlines()
    (old,) = (row["verdict"] for row in csv.DictReader(before) if row["variant"] == "other")
    assert f"| `other` | {old} | worse by 30.20 points" in sections["Verdicts"]
    assert "variants.other.architecture.basic.dense | - " in " ".join(sections["Settings"].split())
    (row,) = (line for line in sections["Scores"].splitlines() if line.endswith("| 5, 100 |"))
    for change in (
        "71.40 ± 3.76 → 39.90 ± 4.73: -31.50 points",
        "72.00 (62.5 to 79.9) → 74.00 (64.6 to 81.6): +2.00 points",
        "200,758 → 201,758: +1,000",
    ):
        assert f" | {change} | " in row
    table = [line for line in Path(pull_request.TEXT).read_text().splitlines() if "| `" in line]
    assert all(line in sections["Comparison"] for line in table)
    assert f"`{pull_request.FIGURE}`" in sections["Comparison"]
    assert "![" not in report
    assert report.count("(`rope-too-narrow`)") == 1
    assert report.index("rope-too-narrow") < report.index("| `other` | 39.90")


def test_a_compared_metric_comes_first_and_one_of_another_comparison_is_none():
    test = {
        "accuracy": 0.7,
        "n": 100,
        "expected_calibration_error": 0.1,
        "loss": 1,
        "macro_f1": 0.6,
    }
    metrics = {"cv": {"accuracy": {"mean": 0.8, "std": 0.1, "n": 5}}, "test": test, "parameters": 9}
    row = {"cv_mean": "0.75", "cv_std": "0.02", "metric": "balanced_accuracy"}
    of_accuracy = {"cv_mean": "0.8", "cv_std": "0.1", "metric": "accuracy"}
    balanced = METRICS["balanced_accuracy"]
    old, new = (
        pull_request._shown(metrics, one | {"cv_mean": mean}, balanced)
        for one, mean in ((row, "0.75"), (row, "0.8"))
    )
    title, change = next(iter(pull_request._changes(old, new).items()))
    assert (title, change) == (
        "CV balanced accuracy, %",
        "75.00 ± 2.00 → 80.00 ± 2.00: +5.00 points",
    )
    before = pull_request._shown(metrics, of_accuracy, balanced)
    assert pull_request._changes(before, new)[title] == "none → 80.00 ± 2.00"
    assert title not in pull_request._shown(metrics, of_accuracy, METRICS["accuracy"])


@pytest.mark.slow
def test_what_main_got_since_is_not_shown_and_another_environment_is(repository, monkeypatch):
    monkeypatch.chdir(repository)
    report = pull_request.report("main")
    commit = run(repository, "git", "merge-base", "main", "wider")[:10]
    assert f"commit {commit}, where this branch left `main`" in report
    assert "description" not in report
    assert "another environment (kernels avx512f instead of portable)" in report
    cache = repository / ".dvc/cache"
    cache.rename(repository / ".dvc/tmp/cache")
    try:
        assert f"another environment (digest of {ENVIRONMENT}; " in pull_request.report("main")
    finally:
        (repository / ".dvc/tmp/cache").rename(cache)


@pytest.mark.slow
def test_a_clone_without_a_cache_suffices_and_says_that_nothing_was_trained(
    repository, monkeypatch, tmp_path
):
    run(tmp_path, "git", "clone", "-q", "--branch", "wider", repository, "clone")
    monkeypatch.chdir(tmp_path / "clone")
    for folder in ("data/prepared", "results/published"):  # as `dvc checkout` leaves them
        Path(folder).mkdir(parents=True)
    report = pull_request.report("origin/main")
    assert "no file shows that they were trained here" in report
    assert "| worse by 30.20 points" in report


@pytest.mark.slow
def test_the_first_lines_say_whether_the_committed_results_are_those_of_this_run(
    repository, monkeypatch
):
    monkeypatch.chdir(repository)
    timing, new = Path("results/other/timing.csv"), Path("results/other/new.csv")
    fingerprint = files.read_json("results/other/training.json")["fingerprint"]
    files.write_table(timing, ["fold", "fingerprint"], [(0, fingerprint)])
    try:
        first = pull_request.report("main").split("\n\n")[2]
        assert "are, byte for byte, what this run made** (1 of 2 variants" in first
        new.touch()
        files.write_table(timing, ["fold", "fingerprint"], [(0, "of an earlier training")])
        first = pull_request.report("main").split("\n\n")[2]
        assert "are not what this run made:** 1 file differs (0 of 2 variants" in first
        assert f"`{new}`" in first
    finally:
        new.unlink()
        timing.unlink()


@pytest.mark.slow
def test_against_itself_nothing_differs_and_the_command_writes_a_file(repository, monkeypatch):
    monkeypatch.chdir(repository)
    output = repository / "data" / "report.md"
    command = ["pull-request", "wider", "--output", str(output), "--figures"]
    CliRunner().invoke(cli, [*command, "https://example.org/plots/"], catch_exceptions=False)
    report = output.read_text()
    for part in ("All 2 verdicts", "No setting differs from `wider`", "No score differs"):
        assert part in report
    assert "](https://example.org/plots/comparison.png)" in report


@pytest.mark.slow
def test_stale_results_are_refused(repository, monkeypatch):
    monkeypatch.chdir(repository)
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("baseline: basic", "baseline: other"))
    try:
        with pytest.raises(UserError, match=r"\(compare\)"):
            pull_request.report("main")
    finally:
        path.write_text(text)


@pytest.mark.slow
def test_an_unknown_base_and_a_shallow_clone_are_told_what_to_fetch(
    repository, monkeypatch, tmp_path
):
    monkeypatch.chdir(repository)
    for base in ("mian", "--help"):
        with pytest.raises(UserError, match=f"'{base}'.*`git fetch origin`"):
            pull_request.report(base)
    address = f"file://{repository}"
    run(tmp_path, "git", "clone", "-q", "--depth", "1", "--branch", "wider", address, "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(UserError, match="`git fetch --unshallow origin`"):
        pull_request.report("origin/main")


def test_a_folder_without_git_and_one_without_results_are_refused(monkeypatch, folder):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    with pytest.raises(UserError, match="Git"):
        pull_request.report("main")
    run(folder, "git", "init", "-q", "-b", "main")
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    run(folder, "git", *author, "commit", "-q", "--allow-empty", "-m", "a")
    with pytest.raises(UserError, match=r"comparison\.csv is missing"):
        pull_request.report("main")
    (folder / "results").mkdir()
    for path in (pull_request.TABLE, pull_request.TEXT):
        Path(path).touch()
    with pytest.raises(UserError, match="`dvc status --json` failed: "):
        pull_request.report("main")


@pytest.mark.parametrize(
    ("old", "now", "message"),
    [
        (None, HEADER + BASIC, "`main` has no results/comparison.csv"),
        (HEADER + BASIC, HEADER + "b,b,0.9,,baseline,baseline\n", "from `a` to `b`"),
        (HEADER, HEADER + BASIC, "| `a` | not compared | baseline: 90.00 ± 0.00 % |"),
        (HEADER, HEADER[:-1] + ",metric\na,a,-0.4,0.02,,,log_loss\n", "-0.4000 ± 0.0200 |"),
        (HEADER + BASIC + "b,a,,,1,worse\n", HEADER + BASIC + "b,a,,,2,worse\n", "0 of 2"),
        (HEADER + BASIC + "b,a,,,1,worse\n", HEADER + "b,a,,,2,better\n", "2 of 2"),
        (
            "variant,baseline,verdict,metric\nb,a,1,macro_f1\n",
            HEADER + "b,a,,,1,worse\n",
            "from macro F1",
        ),
        (HEADER + "b,a,,,1,undecided\n", HEADER + "b,a,,,2,worse\n", "outcomes: 1 of 1"),
        ("variant,baseline,verdict\nb,a,1\n", HEADER + "b,a,,,2,worse\n", "| `b` | 1 | 2 |"),
    ],
)
def test_verdicts_that_changed(old, now, message):
    assert message in pull_request.verdicts(old, now, "main")
