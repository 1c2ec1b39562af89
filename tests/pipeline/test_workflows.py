"""The workflows cannot run where tests run: they are read, and held against the repository."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from stages.commands.pull_request import MARK

HERE = Path(__file__).parents[2]
FILES = sorted((HERE / ".github" / "workflows").glob("*.yaml"))
FLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
STEPS = [
    (name, job, step)
    for name, flow in FLOWS.items()
    for job, entry in flow["jobs"].items()
    for step in entry["steps"]
]
SCRIPTS = [step["run"] for _, _, step in STEPS if "run" in step]
REPORT = FLOWS["pull_request"]["jobs"]["report"]["steps"]


def named(name):
    (step,) = [step for step in REPORT if step.get("name") == name]
    return step


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_starts_where_no_fork_gets_a_token_and_may_little(name):
    flow = FLOWS[name]
    triggers = flow[True]  # YAML reads the key `on` as true
    assert set(triggers) <= {"push", "pull_request"}
    allowed = {"contents": "read"}
    if name == "pull_request":
        allowed["pull-requests"] = "write"
    assert flow["permissions"] == allowed
    assert all("permissions" not in job for job in flow["jobs"].values())
    assert all(job["timeout-minutes"] <= 60 for job in flow["jobs"].values())


def test_actions_are_github_s_own_with_a_major_version():
    used = [step["uses"] for _, _, step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


def test_no_checkout_leaves_a_token_and_diffs_have_the_whole_history():
    checkouts = [(job, s["with"]) for _, job, s in STEPS if "checkout" in s.get("uses", "")]
    assert all(given["persist-credentials"] is False for _, given in checkouts)
    assert {job for job, given in checkouts if given.get("fetch-depth") == 0} == {"report", "tests"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_bash_without_foreign_text_and_make_s_targets_exist(script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "${{" not in script  # a branch's name could be code; it comes through the environment
    targets = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", script)) <= targets
    for path in re.findall(r"(?<!\S)\.ci/\w+", script):
        assert os.access(HERE / path, os.X_OK)


def test_the_report_s_job_runs_the_pipeline_first_and_comments_last():
    scripts = [step.get("run", "") for step in REPORT]
    order = [
        next(i for i, script in enumerate(scripts) if words in script)
        for words in ("make repro", "make --silent pr-report BASE=", "gh api")
    ]
    assert order == sorted(order)
    assert order[-1] == len(REPORT) - 1
    assert "$GITHUB_STEP_SUMMARY" in scripts[order[1]]
    condition = "github.event.pull_request.head.repo.full_name == github.repository"
    assert named("Comment")["if"] == condition


@pytest.mark.parametrize("path", [".venv", ".dvc/cache"])
def test_caches_are_keyed_by_files_that_exist(path):
    (given,) = [s["with"] for s in REPORT if s.get("with", {}).get("path") == path]
    files = re.findall(r"'([^']+)'", given["key"])
    assert files
    assert all(list(HERE.glob(pattern)) for pattern in files if pattern != "dvc.lock")


GH = """#!/usr/bin/env bash
echo "$@" >> calls
for argument in "$@"; do
    if [[ $argument == body=@* ]]; then cp "${argument#body=@}" sent; fi
done
if [[ $* == *--jq* ]]; then printf "%s" "$COMMENT_IDS"; fi
"""


@pytest.mark.parametrize(
    ("ids", "lines", "method"),
    [("", 3, "--method POST all"), ("41\n42\n", 3, "--method PATCH one/41"), ("", 9000, "POST")],
)
def test_the_comment_is_made_once_then_edited_and_never_too_long(tmp_path, ids, lines, method):
    """The script is the real one; `gh` stands for GitHub, which no test can reach."""
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    report = "\n".join([MARK, *["± a line of a table"] * lines]) + "\n"
    (tmp_path / "report.md").write_text(report)
    given = {"COMMENTS": "all", "ONE": "one", "RUN": "https://run", "COMMENT_IDS": ids}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", named("Comment")["run"]],
        cwd=tmp_path,
        env={**os.environ, **given, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert method in (tmp_path / "calls").read_text().splitlines()[-1]
    sent = (tmp_path / "sent").read_text()
    assert sent.startswith(MARK)
    assert sent.rstrip().endswith("(https://run)")
    assert len(sent) < 65_536
    assert ("goes on in the run" in sent) == (lines > 1000)
