from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from stages.errors import UserError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("empty", [False, True])
def test_a_store_that_does_not_exist_is_not_made_by_fetching(folder, empty):
    from stages.tracking.model import fetch

    path = Path("mlflow.db")
    if empty:
        path.touch()
    with pytest.raises(UserError, match=r"models:/foldlab@champion .*`make publish`"):
        fetch("models:/foldlab@champion", folder)
    assert [(each.name, each.stat().st_size) for each in folder.iterdir()] == (
        [("mlflow.db", 0)] if empty else []
    )


def test_the_form_is_that_of_mlflow_keras(tmp_path):
    import keras
    import mlflow.keras
    from mlflow.models import Model

    from stages.tracking import model as ours

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    model, path = keras.Sequential(layers), tmp_path / "made.keras"
    model.save(path)
    description = Model()
    dataset = {"image_shape": [28, 28, 1], "classes": ["zero", "one"]}
    ours.save(tmp_path / "ours", path, dataset, description)
    mlflow.keras.save_model(
        model,
        str(tmp_path / "theirs"),
        signature=description.signature,
        pip_requirements=[f"{name}=={version(name)}" for name in ours.REQUIREMENTS],
    )
    folders = tmp_path / "ours", tmp_path / "theirs"
    mine, other = (yaml.safe_load((folder / "MLmodel").read_text()) for folder in folders)
    assert mine["flavors"]["keras"] == other["flavors"]["keras"]
    served, unnamed = (made["flavors"]["python_function"] for made in (mine, other))
    assert (served.pop("loader_module"), served.pop("code")) == ("foldlab_serving", "code")
    assert unnamed.pop("loader_module") == "mlflow.keras"
    assert served.items() >= unnamed.items()
    assert mine["metadata"]["classes"] == ["zero", "one"]
    assert mine["signature"] == other["signature"]
    for name in ("requirements.txt", "python_env.yaml", "conda.yaml"):
        assert (folders[0] / name).read_text() == (folders[1] / name).read_text()
    assert (tmp_path / "ours/data/model.keras").read_bytes() == path.read_bytes()
    assert mlflow.keras.load_model(str(tmp_path / "ours")).count_params() == model.count_params()
