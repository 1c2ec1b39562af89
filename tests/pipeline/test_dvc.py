"""DVC and Git after a run: documented commands in a real repository."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from benchmarks.checkout import call, ran, results, run
from benchmarks.inputs import ROOT
from tests.prepared import edit

pytestmark = [pytest.mark.slow, pytest.mark.warm]
LEFT = ["basic", "dropout"]  # rows that stay
PAGES = {path.stem: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}


def command(page, start):
    """Return the command of a page that starts so, with the lines that follow in its block."""
    (found,) = re.findall(rf"^{start}.*?(?=```)", PAGES[page], re.M | re.S)
    return found


@pytest.fixture
def committed(copy):
    """Return a copy in which the results are committed, as docs/after_a_run.md says."""
    run(command("after_a_run", "git add params.yaml"), copy)
    assert run("git status --porcelain", copy) == ""
    return copy


def test_the_team_s_remote_breaks_no_older_commit(committed):
    run("git commit -q --allow-empty -m newer", committed)
    run(command("team_server", "dvc remote add"), committed, STORE_PASSWORD="secret")
    assert "team" in run("dvc remote list", committed)
    assert run("git status --porcelain", committed) == ""
    assert run("dvc params diff; dvc metrics diff HEAD~1; dvc params diff HEAD~1", committed) == ""


def test_documented_commands_leave_nothing_for_git(committed):
    """All documented commands that write a file, on a picture in a folder that Git ignores."""
    digit = np.load(committed / "data/prepared/test_images.npy")[0, ..., 0]
    Image.fromarray(digit).save(committed / "data/photo.jpg")
    text = "\n".join(PAGES.values())
    written = re.findall(r"^(python -m stages [^\n`]*--output \S+)", text, re.M)
    assert len(written) == 2
    for line in [*written, *re.findall(r"^(dvc plots diff main)\b", text, re.M)]:
        for shown, here in {
            "origin/main": "main",
            "photo.jpg": "data/photo.jpg",
            "models:/foldlab@champion": "basic",
        }.items():
            line = line.replace(shown, here)
        run(line, committed)
    assert "dvc_plots" in {path.name for path in committed.iterdir()}
    assert run("git status --porcelain", committed) == ""
    assert not re.findall(r"^[^#\n]* > (?!\.env$|backup/)\S+$", text, re.M)


def test_a_setting_missing_from_a_row_is_set_for_an_experiment(committed):
    assert "++variants.stacked.train.learning_rate=" in command("running", "dvc repro  ")
    edit(committed, {"compare": {"variants": ["basic", "stacked"]}})
    option = "-S '++variants.stacked.train.learning_rate=0.002'"
    run(f"dvc exp run {option} members", committed)
    assert "learning_rate: 0.002" in run("git diff params.yaml", committed)
    assert "train@stacked" in ran(run("dvc repro --dry train@stacked", committed))
    done = call(f"dvc exp run {option.replace('rate', 'rte')} members", committed)
    assert "foldlab: variants.stacked.train.learning_rte" in done.stderr


def test_a_clone_without_models_shows_what_would_run(committed):
    clone = committed.parent / "clone"
    run(f"git clone -q . {clone}", committed)
    dry = command("after_a_run", "dvc repro --dry")
    assert run(dry, clone).endswith("up to date.\n")
    edit(clone, {"variants": {"batchnorm": {"architecture": {"batchnorm": {"dense": 16}}}}})
    assert ran(call(dry, clone).stdout) == ["members"]


def test_a_second_working_tree_trains_nothing(made, committed):
    run("git branch other-branch", committed)
    run(command("after_a_run", "git worktree add"), committed)
    other = committed.parent / "other"
    assert ran(run("dvc repro", other)) == ["environment"]
    assert results(other) == results(committed) == made.results
    assert run("git status --porcelain", other) == ""


def test_without_git_a_sentence_names_two_ways_out_and_both_work(copy):
    shutil.rmtree(copy / ".git")
    done = call("python -m stages repro", copy)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    ways = re.findall(r"`(.*?)`", done.stderr)
    for way in ways:
        run(f"rm -rf .git; {way}; python -m stages repro prepare", copy)
    assert len(ways) == 2


def test_results_may_be_links_into_the_cache(made, committed):
    run(command("running", "dvc config --local cache.type"), committed)
    assert (committed / "results/basic/model.keras").stat().st_nlink == 2
    stages = ["evaluate@basic", "publish@basic"]
    assert ran(run(f"dvc repro --force --single-item {' '.join(stages)}", committed)) == stages
    assert results(committed) == made.results
    assert run("dvc status; git status --porcelain", committed).endswith("up to date.\n")


def test_what_a_removed_row_leaves_is_listed_then_removed(made, committed):
    before = results(committed)
    edit(committed, {"compare": {"variants": ["basic"]}, "variants": {"vote": {"ensemble": LEFT}}})
    nothing = "Nothing is left of variants without a row in params.yaml.\n"
    assert run("python -m stages prune --yes", committed) == nothing  # the row is there
    text = (committed / "params.yaml").read_text()
    (committed / "params.yaml").write_text(text.replace("\n  batchnorm:", "\n  renamed:"))
    left = run("python -m stages prune", committed)
    assert {"results/batchnorm/", "results/published/batchnorm.json"} <= {*left.splitlines()}
    assert "dvc.lock: train@batchnorm, evaluate@batchnorm" in left
    assert results(committed) == before
    assert "results/batchnorm/" in run("python -m stages prune --yes", committed)
    kept = {name: data for name, data in before.items() if "batchnorm" not in name}
    assert results(committed) == kept
    assert "@batchnorm" not in (committed / "dvc.lock").read_text()
    assert run("python -m stages prune", committed) == nothing
    assert ran(run("dvc repro", committed)) == ["members", "compare"]
    run(command("after_a_run", "git checkout params.yaml"), committed)
    assert results(committed) == made.results
    assert run("dvc status", committed).endswith("up to date.\n")
