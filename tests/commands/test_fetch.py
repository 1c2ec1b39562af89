import hashlib

import pytest
import yaml

from stages import publish
from stages.commands.fetch import fetch
from stages.errors import UserError
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.tracking.made_results import make_repository

pytestmark = pytest.mark.slow


def test_a_registered_model_s_file_is_kept_under_its_digest(repository, capsys):
    make_repository(repository, "basic", "other")
    for model in ("models:/foldlab/1", "models:/foldlab@champion"):
        with pytest.raises(UserError, match=f"{model}.*`make ui`"):
            fetch(model)
    assert not (repository / ".foldlab/models").exists()
    for variant in ("basic", "other"):
        publish.publish(variant)
    with store.opened(Tracking()) as client:
        client.set_registered_model_alias("foldlab", "champion", "2")
    capsys.readouterr()
    for model, variant, version in [
        ("models:/foldlab/1", "basic", 1),
        ("models:/foldlab@champion", "other", 2),
    ]:
        fetch(model)
        row = yaml.safe_load(capsys.readouterr().out)["architecture"]["from_model"]
        content = (repository / "results" / variant / "model.keras").read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert row == {"model": f"models:/foldlab/{version}", "sha256": digest}
        assert (repository / ".foldlab/models" / digest / "model.keras").read_bytes() == content
    for path in repository.glob("mlartifacts/models/**/model.keras"):
        path.unlink()
    with pytest.raises(UserError, match="not a Keras model"):
        fetch("models:/foldlab/1")


@pytest.mark.parametrize("model", ["foldlab", "runs:/1/model", "models:/foldlab", "models:/a/b"])
def test_what_is_no_registered_model_is_refused(model):
    with pytest.raises(UserError, match=f"'{model}'"):
        fetch(model)
