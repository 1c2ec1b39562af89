"""A repository that uses Foldlab: its rows, settings and results fail no test of the product."""

import shutil
import subprocess

import pytest

from benchmarks import inputs
from benchmarks.checkout import call, run
from tests.prepared import edit

READING = ("benchmarks", "pipeline", "project", "search", "settings")  # the repository's files


@pytest.mark.slow
def test_own_rows_and_results_fail_no_test(made, tmp_path):
    folder = tmp_path / "mine"
    tracked = subprocess.run(["git", "ls-files"], cwd=inputs.ROOT, capture_output=True, text=True)
    for name in tracked.stdout.splitlines():
        if not name.startswith("results/") and (inputs.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(inputs.ROOT / name, folder / name)
    shutil.copytree(made.folder / "results", folder / "results")
    shutil.copy(made.folder / "dvc.lock", folder)
    mine = {"architecture": {"basic": {"dense": 32}}, "train": {"epochs": 3}}
    edit(
        folder,
        {
            "variants": {"mine": mine, "basic": {"train": {"epochs": 5}}},
            "compare": {"variants": ["mine", "basic"]},
            "search": {"variant": "mine"},
        },
    )
    run("git init -q; git config user.name a; git config user.email a@b.c", folder)
    run("git add -A; git commit -qm mine", folder)
    paths = " ".join(f"tests/{name}" for name in READING)
    command = f"python -m pytest -n 0 -m 'not slow' {paths}"
    done = call(command, folder, FOLDLAB_PROJECT="", PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout[-3000:]
    assert "params.yaml is not benchmarks/params.yaml" in done.stdout  # those of documents
    assert run("git status --porcelain", folder) == ""
