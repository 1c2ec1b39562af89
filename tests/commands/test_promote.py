import getpass
import re

import mlflow
import pytest

from stages import publish
from tests.command import status
from tests.tracking import made_results

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = made_results.enter(tmp_path, monkeypatch, "basic", "other")
    publish.publish("basic")
    return root


def champion(root):
    client = mlflow.MlflowClient(f"sqlite:///{root}/mlflow.db")
    return client.get_model_version_by_alias("foldlab", "champion")


def test_who_and_why_are_on_the_version(repository, monkeypatch, capsys):
    status("promote", "basic", "--reason", "Small enough for the phone.")
    who = getpass.getuser()
    reason = f"basic (version 1) was made champion by hand by {who}: Small enough for the phone."
    assert capsys.readouterr().out == reason + "\n"
    version = champion(repository)
    assert version.tags["variant"] == "basic"
    assert version.tags["foldlab.reason"] == reason
    assert version.tags["foldlab.by_hand"] == "true"

    status("promote", "--release")
    assert "chosen by the test again" in capsys.readouterr().out
    assert champion(repository).tags["foldlab.by_hand"] == "false"


def test_what_cannot_be_promoted_is_refused(repository, monkeypatch):
    for arguments, message in [
        (["basik"], "'basik'.* 'basic'"),
        (["../basic"], "'../basic'"),
        (["third"], r"third/.* is missing; run `dvc repro train@third`"),
        (["other"], "results of other are not registered.*`make publish`"),
        (["--release"], "has no champion"),
    ]:
        assert re.search(f"^foldlab: .*{message}", status("promote", *arguments))
    address = made_results.nobody()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://anna:hunter2@{address}")
    message = status("promote", "basic")
    assert message.startswith(f"foldlab: MLflow at http://{address} failed")
    assert "hunter2" not in message
