"""compose.yaml, docs/cluster.md and the workflows, which tests can only read and not run."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from benchmarks.inputs import ROOT
from stages.commands.pull_request import MARK
from stages.settings.sections import Parallel
from tests.project import shipped

shipped.skip_unless_shipped()
COMPOSE = (ROOT / "compose.yaml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
CLUSTER = (ROOT / "docs/cluster.md").read_text()
FLOWS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / ".github/workflows").glob("*.yaml"))
}
STEPS = [step for flow in FLOWS.values() for job in flow["jobs"].values() for step in job["steps"]]


def test_services_have_versions_and_ports_on_loopback():
    images = re.findall(r"^ *(?:image:|FROM) (\S+)$", COMPOSE, re.M)
    assert len(images) == len(SERVICES)
    assert all(re.fullmatch(r"[\w./-]+:\d+\.[\d.]+(-slim)?", image) for image in images)
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8333:8333"]


def test_no_password_is_written_out_and_the_docs_make_each_one():
    docs = (ROOT / "docs/team_server.md").read_text()
    (made,) = re.findall(r"^for name in (.*); do$", docs, re.M)
    assert set(re.findall(r"\$\{(\w+)(?::\?[^}]*)?\}", COMPOSE)) == set(made.split())
    secret = r"(?i)(?:password|secret\w*key|session_key): +(?!\$\{)\S+$"
    assert not re.findall(secret, COMPOSE, re.M)
    assert not re.findall(r"://\w+:\S+@", COMPOSE + docs)


def test_the_cluster_s_settings_are_allowed_and_its_ray_is_the_pinned_one():
    shown, manifest = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", CLUSTER, re.S))
    Parallel.model_validate(shown["parallel"])
    assert shown["parallel"].keys() == Parallel.model_fields.keys()
    (pinned,) = re.findall(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert f"FROM rayproject/ray:{pinned}-py311\n" in CLUSTER
    assert manifest["spec"]["rayVersion"] == pinned


@pytest.mark.slow
def test_the_cluster_s_costs_are_what_the_command_prints(monkeypatch, capsys):
    from benchmarks import flops  # imports Keras

    monkeypatch.setattr(sys, "argv", ["flops"])
    flops.main()
    assert capsys.readouterr().out in CLUSTER


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_a_lock_has_the_digest_of_each_package_of_its_list_in_the_pinned_version(path):
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    text = path.with_suffix(".lock").read_text()
    entries = [entry.split() for entry in text.replace("\\\n", " ").splitlines()]
    locked = {}
    for name, *rest in entries:
        package, version = name.split("==")
        locked[package.split("[")[0]] = version
        digests = [word for word in rest if word.startswith("--hash")]
        assert digests, package
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest) for digest in digests)
    wanted = re.findall(r"^([\w.-]+)", path.read_text(), re.M)
    assert {name.lower() for name in wanted} <= locked.keys()
    assert locked.items() <= pins.items()


@pytest.mark.parametrize("name", FLOWS)
def test_a_workflow_gives_forks_no_token_and_has_few_permissions(name):
    flow = FLOWS[name]
    starts = {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert set(flow[True]) <= starts  # YAML reads the key `on` as true
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():  # none that runs a branch's code has more
        runs_code = any("actions/checkout" in step.get("uses", "") for step in job["steps"])
        assert "permissions" not in job or not runs_code


def test_no_checkout_leaves_a_token_and_actions_are_github_s_pinned_by_digest():
    used = [step for step in STEPS if "uses" in step]
    digest = r"actions/[\w-]+@[0-9a-f]{40}"
    assert all(re.fullmatch(digest, step["uses"]) for step in used)
    checkouts = [step["with"] for step in used if "checkout" in step["uses"]]
    assert all(given["persist-credentials"] is False for given in checkouts)


@pytest.mark.parametrize("script", [step["run"] for step in STEPS if "run" in step])
def test_scripts_are_bash_without_foreign_text_and_make_s_targets_exist(script):
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "${{" not in script  # a branch's name could be code; it comes through the environment
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake (?:--silent )?([a-z-]+)", script)) <= targets


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
    (comment,) = [step for step in STEPS if step.get("name") == "Comment"]
    job = FLOWS["pull_request"]["jobs"]["comment"]
    assert comment in job["steps"]
    assert "head.repo.full_name == github.repository" in job["if"]
    given = {"COMMENTS": "all", "ONE": "one", "RUN": "https://run", "COMMENT_IDS": ids}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", comment["run"]],
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


def test_the_comment_shows_the_branch_s_figure_only_if_the_run_made_the_same(tmp_path):
    """What is checked out is the branch's merge with its base, which may have another figure."""
    (script,) = [step["run"] for step in STEPS if step.get("name") == "Write the report"]
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$@"\n')
    make.chmod(0o755)
    figure = tmp_path / "results/plots/comparison.png"
    figure.parent.mkdir(parents=True)
    prepare = """
    git init -q . && git config user.name a && git config user.email a@b.c
    for name in branch merge; do echo $name > $FIGURE; git add $FIGURE; git commit -qm $name; done
    export HEAD=$(git rev-parse HEAD~1)
    """
    given = {"FIGURE": str(figure), "COMMITTED": "https://figures", "BASE": "main"}
    given |= {
        "GITHUB_STEP_SUMMARY": "summary",
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }
    for made, shown in (("merge", ""), ("branch", "https://figures")):
        command = f"{prepare}\necho {made} > $FIGURE\n{script}"
        subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**os.environ, **given},
            check=True,
        )
        assert (tmp_path / "report.md").read_text().endswith(f"FIGURES={shown}\n")
