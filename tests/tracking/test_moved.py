import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages import params
from stages.tracking import record, runs, store
from tests.tracking.made_results import everything


def test_a_moved_checkout_is_as_if_it_had_always_been_there(repository, tmp_path, monkeypatch):
    settings = params.load()
    with store.opened("foldlab") as (client, experiment_id):
        runs.publish(client, experiment_id, record.read("basic", settings), "foldlab")
    before = everything(repository)
    new = tmp_path / "elsewhere" / "ä %41"
    new.parent.mkdir()
    repository.rename(new)
    monkeypatch.chdir(new)
    # in a process of its own, since MLflow's client remembers where a run's artifacts are
    command = [sys.executable, "-m", "stages", "publish", "basic"]
    environment = os.environ | {"PYTHONPATH": str(Path(store.__file__).parents[2])}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stderr == ""
    assert not repository.exists()
    after = everything(new)
    places = "experiments", "runs", "logged_models", "model_versions"
    for table in before.keys() - {"artifacts"}:
        was = json.dumps(before[table], default=str)
        if table in places:
            assert repository.as_uri() in was
            was = was.replace(repository.as_uri(), new.as_uri())
        assert json.dumps(after[table], default=str) == was, table
    assert after["artifacts"] == before["artifacts"]


@pytest.mark.parametrize("elsewhere", ["old folder", "another name"])
def test_artifacts_that_lie_elsewhere_on_purpose_stay_there(repository, tmp_path, elsewhere):
    """Another folder's artifacts are followed only when that folder is gone and had our name."""
    folder = tmp_path / ("old/mlartifacts" if elsewhere == "old folder" else "shared")
    if elsewhere == "old folder":
        folder.mkdir(parents=True)
    with store.opened("foldlab") as (client, _):
        other = client.create_experiment("other", folder.as_uri())
    os.makedirs(repository / "mlartifacts", exist_ok=True)
    with store.opened("foldlab") as (client, _):
        assert client.get_experiment(other).artifact_location == folder.as_uri()
