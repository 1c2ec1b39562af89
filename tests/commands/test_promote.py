import getpass
import re
import shutil
import socket

import mlflow
import pytest

from stages import publish
from tests.command import status
from tests.tracking.made_results import empty_store, make_repository


@pytest.fixture
def repository(tmp_path, monkeypatch, tmp_path_factory):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_RUN_ID", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    root = make_repository(tmp_path / "repository", "basic", "other")
    shutil.copyfile(empty_store(tmp_path_factory.getbasetemp()), root / "mlflow.db")
    monkeypatch.chdir(root)
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["basik"], "'basik'.* 'basic'"),
        (["../basic"], "'../basic'"),
        (["third"], r"third/.* is missing; run `dvc repro train@third`"),
        (["other"], "results of other are not registered.*`make publish`"),
        (["--release"], "has no champion"),
    ],
)
def test_what_cannot_be_promoted_is_refused(repository, monkeypatch, arguments, message):
    assert re.search(f"^foldlab: .*{message}", status("promote", *arguments))


def test_a_dead_server_is_one_sentence_without_the_password(repository, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://anna:hunter2@127.0.0.1:{port}")
    message = status("promote", "basic")
    assert message.startswith(f"foldlab: MLflow at http://127.0.0.1:{port} failed")
    assert "hunter2" not in message
