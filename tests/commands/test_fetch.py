import hashlib

import pytest
import yaml

from stages import publish
from stages.commands.fetch import fetch
from stages.errors import UserError
from stages.tracking import store
from tests.tracking import made_results

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path, monkeypatch):
    root = made_results.enter(tmp_path, monkeypatch, "basic", "other")
    return root


def test_a_registered_model_s_file_is_kept_under_its_digest(repository, capsys):
    for variant in ("basic", "other"):
        publish.publish(variant)
    with store.opened("foldlab") as (client, _):
        client.set_registered_model_alias("foldlab", "champion", "2")
    capsys.readouterr()
    for model, variant, version in [
        ("models:/foldlab/1", "basic", 1),
        ("models:/foldlab@champion", "other", 2),
    ]:
        fetch(model)
        row = yaml.safe_load(capsys.readouterr().out)["architecture"]["from_model"]
        content = (repository / "results" / variant / "model.keras").read_bytes()
        assert row == {
            "model": f"models:/foldlab/{version}",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        folder = repository / ".foldlab/models" / row["sha256"]
        assert (folder / "model.keras").read_bytes() == content


@pytest.mark.parametrize("model", ["models:/foldlab/1", "models:/foldlab@champion"])
def test_a_model_that_is_not_registered_is_refused_in_one_sentence(repository, model):
    with pytest.raises(UserError, match=f"{model}.*`make ui`") as refused:
        fetch(model)
    assert "\n" not in str(refused.value)
    assert not (repository / ".foldlab/models").exists()


@pytest.mark.parametrize("model", ["foldlab", "runs:/1/model", "models:/foldlab", "models:/a/b"])
def test_what_is_no_registered_model_is_refused(repository, model):
    with pytest.raises(UserError, match=f"'{model}'.* models:/name/version"):
        fetch(model)
