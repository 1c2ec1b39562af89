"""A queued experiment uses the data that it was queued with, whatever is there when it runs."""

import shutil

import pytest
import yaml

from benchmarks.checkout import call, make, ran, run
from benchmarks.inputs import defaults, merged
from stages.files import read_json
from tests import drawn

pytestmark = [pytest.mark.slow, pytest.mark.warm]

SETTINGS = {
    "data": {"source": "photos", "watch": "photos"},
    "folds": {"count": 2},
    "compare": {"variants": ["basic"], "baseline": "basic"},
}


def put(folder, count):
    """Replace all photos, and track them with DVC and Git."""
    shutil.rmtree(folder / "photos", ignore_errors=True)
    drawn.tree(folder / "photos", drawn.classes("circle", "square", each=count // 2))
    run(f"dvc add photos && git add -A && git commit -qm '{count} photos'", folder)


def prepared(folder):
    return {path.name: path.read_bytes() for path in (folder / "data/prepared").iterdir()}


@pytest.fixture
def repository(tmp_path):
    """Return a checkout with only the stage `prepare`: `dvc exp apply` needs all stages to run."""
    folder = make(tmp_path / "repository", merged(defaults(), SETTINGS))
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"prepare": stages["prepare"]}}))
    return folder


def test_an_experiment_runs_on_the_photos_that_it_was_queued_with(repository):
    put(repository, 40)
    run("dvc exp run --queue --name trial prepare", repository)
    run("git checkout -qb more", repository)
    put(repository, 120)
    run("dvc exp run --run-all", repository)
    run("git checkout -q main && dvc checkout photos.dvc && dvc exp apply trial", repository)
    of_experiment = prepared(repository)
    dataset = read_json(repository / "data/prepared/dataset.json")
    assert dataset["train"]["images"] + dataset["test"]["images"] == 40
    assert ran(run("dvc repro -f prepare", repository)) == ["prepare"]
    assert prepared(repository) == of_experiment


def test_photos_that_dvc_does_not_hash_for_an_experiment_are_refused(repository):
    """Of the folder own/, the experiment has only what Git tracks, and so not the photos."""
    drawn.tree(repository / "own", {".gitignore": b"photos", "about.txt": b"mine"})
    run("git add -A && git commit -qm own", repository)
    drawn.tree(repository / "own/photos", drawn.classes("circle", "square", each=9))
    settings = "-S data.source=own/photos -S data.watch"
    done = call(f"dvc exp run --temp {settings}=own prepare", repository)
    assert done.returncode != 0
    assert "--copy-paths own/photos" in done.stderr
    watched = repository / "own/photos"
    assert ran(run(f"dvc exp run --temp {settings}={watched} prepare", repository)) == ["prepare"]
