"""A queued experiment is of the data that it was queued with, whatever lies there when it runs."""

import shutil

import pytest
import yaml

from stages.files import read_json
from tests import drawn
from tests.pipeline.test_repro import call, clone, ran, well

SETTINGS = {
    "data": {"source": "photos", "watch": "photos"},
    "folds": {"count": 2},
    "compare": {"variants": ["basic"], "baseline": "basic"},
}


def put(folder, count):
    """Draw photos in place of those that are there, and have DVC and Git track them."""
    shutil.rmtree(folder / "photos", ignore_errors=True)
    drawn.tree(folder / "photos", drawn.classes("circle", "square", each=count // 2))
    well(folder, f"dvc add photos && git add -A && git commit -qm '{count} photos'")


def prepared(folder):
    return {path.name: path.read_bytes() for path in (folder / "data/prepared").iterdir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return a clone with the stage `prepare` alone: to apply an experiment wants all that ran."""
    folder = clone(tmp_path_factory.mktemp("repository"), SETTINGS)
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())["stages"]
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"prepare": stages["prepare"]}}))
    return folder


def test_an_experiment_runs_on_the_photos_that_it_was_queued_with(repository):
    put(repository, 40)
    well(repository, "dvc exp run --queue --name trial prepare")
    well(repository, "git checkout -qb more")
    put(repository, 120)
    well(repository, "dvc exp run --run-all")
    well(repository, "git checkout -q main && dvc checkout photos.dvc && dvc exp apply trial")
    of_experiment = prepared(repository)
    dataset = read_json(repository / "data/prepared/dataset.json")
    assert dataset["train"]["images"] + dataset["test"]["images"] == 40
    assert ran(well(repository, "dvc repro -f prepare")) == ["prepare"]
    assert prepared(repository) == of_experiment


def test_photos_that_dvc_does_not_hash_for_an_experiment_are_refused(repository):
    """Of the folder own/ the experiment has what Git tracks; the photos in it are not."""
    drawn.tree(repository / "own", {".gitignore": b"photos", "about.txt": b"mine"})
    well(repository, "git add -A && git commit -qm own")
    drawn.tree(repository / "own/photos", drawn.classes("circle", "square", each=9))
    settings = "-S data.source=own/photos -S data.watch"
    done = call(repository, f"dvc exp run --temp {settings}=own prepare")
    assert done.returncode != 0
    assert "foldlab: data.source is 'own/photos', which is found at" in done.stderr
    watched = repository / "own/photos"
    assert ran(well(repository, f"dvc exp run --temp {settings}={watched} prepare")) == ["prepare"]
