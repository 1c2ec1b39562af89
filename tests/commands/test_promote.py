import getpass
import re

import pytest

from stages import publish
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.command import status
from tests.refusals import command_refusal
from tests.tracking.made_results import dead_address, make_repository

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def published(repository):
    make_repository(repository, "basic", "other")
    publish.publish("basic")


def champion_tags():
    with store.opened(Tracking()) as client:
        return client.get_model_version_by_alias("foldlab", "champion").tags


def test_who_and_why_are_on_the_version(monkeypatch, capsys):
    status("promote", "basic", "--reason", "Small enough for the phone.")
    reason = capsys.readouterr().out.strip()
    assert f"by {getpass.getuser()}: Small enough for the phone." in reason
    own = {"variant": "basic", "foldlab.reason": reason, "foldlab.by_hand": "true"}
    assert champion_tags().items() >= own.items()
    status("promote", "--release")
    assert champion_tags()["foldlab.by_hand"] == "false"
    monkeypatch.setattr(getpass, "getuser", lambda: {}["name"])  # as in a container
    status("promote", "basic")
    assert "by somebody." in capsys.readouterr().out


def test_what_cannot_be_promoted_is_refused(monkeypatch):
    for arguments, message in [
        (["basik"], "'basik'.* 'basic'"),
        (["../basic"], "'../basic'"),
        (["third"], r"third/.* is missing; run `dvc repro train@third`"),
        (["other"], "results of other are not registered.*`make publish`"),
        (["--release"], "has no champion"),
    ]:
        assert re.search(message, command_refusal("promote", *arguments))
    address = dead_address()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://anna:hunter2@{address}")
    message = command_refusal("promote", "basic")
    assert message.startswith(f"MLflow at http://{address} failed")
    assert "hunter2" not in message
