import hashlib

import pytest
import yaml

from stages import publish
from stages.commands.fetch import fetch
from stages.errors import UserError
from stages.settings.sections import Tracking
from stages.tracking import store
from tests.engine.keras_files import archive, layer, part
from tests.tracking.made_results import make_repository, score

pytestmark = pytest.mark.slow


def made(repository, **contents):
    """Write results of variants with these model files."""
    make_repository(repository, *contents)
    for variant, content in contents.items():
        (repository / "results" / variant / "model.keras").write_bytes(content)
        score(repository / "results" / variant)


def test_a_registered_model_s_file_is_kept_under_its_digest(repository, capsys):
    basic, other = (archive(layer("Dense", units=units)) for units in (2, 3))
    made(repository, basic=basic, other=other)
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


def test_a_model_that_no_variant_can_start_from_is_refused(repository, capsys):
    parts = [layer("InputLayer", batch_shape=[None, 1280]), layer("Dense", units=2)]
    head = part("keras", "Functional", {"name": "member_0", "layers": parts})
    made(repository, basic=archive(head))
    publish.publish("basic")
    capsys.readouterr()
    with pytest.raises(UserError, match=r"^models:/foldlab/1: .*architecture\.backbone"):
        fetch("models:/foldlab/1")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("model", ["foldlab", "runs:/1/model", "models:/foldlab", "models:/a/b"])
def test_what_is_no_registered_model_is_refused(model):
    with pytest.raises(UserError, match=f"'{model}'"):
        fetch(model)
