from importlib.metadata import version

import numpy as np
import pytest
import yaml

from stages.tracking import store
from tests.tracking.made_results import make_repository

pytestmark = pytest.mark.slow


@pytest.fixture
def made(tmp_path):
    """Return a tiny model and its file: raw pixels in, the mean of two members out."""
    import keras

    pixels = keras.Input((28, 28, 1), name="pixels")
    votes = []
    for number in range(2):
        member = keras.Sequential(
            [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)],
            name=f"member_{number}",
        )
        votes.append(keras.layers.Softmax()(member(pixels)))
    model = keras.Model(pixels, keras.layers.Average()(votes))
    model.save(tmp_path / "made.keras")
    return model, tmp_path / "made.keras"


def test_the_form_is_that_of_mlflow_keras(made, tmp_path):
    import mlflow.keras
    from mlflow.models import Model

    from stages.tracking import model as ours

    model, path = made
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
    assert mine["flavors"]["python_function"].items() >= other["flavors"]["python_function"].items()
    assert mine["signature"] == other["signature"]
    for name in ("requirements.txt", "python_env.yaml", "conda.yaml"):
        assert (folders[0] / name).read_text() == (folders[1] / name).read_text()
    assert (tmp_path / "ours/data/model.keras").read_bytes() == path.read_bytes()


def test_a_published_model_is_loaded_from_the_registry(repository, made, monkeypatch):
    import mlflow
    import mlflow.keras

    from stages.settings import params
    from stages.tracking import record, runs

    model, path = made
    make_repository(repository)
    (repository / "results" / "basic" / "model.keras").write_bytes(path.read_bytes())
    with store.opened("foldlab") as (client, experiment_id):
        runs.publish(client, experiment_id, record.read("basic", params.load()), "foldlab")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.location())
    pixels = np.random.default_rng(1).integers(0, 256, (3, 28, 28, 1)).astype(np.uint8)
    expected = model.predict(pixels.astype(np.float32), verbose=0)
    loaded = mlflow.keras.load_model("models:/foldlab/1")
    served = mlflow.pyfunc.load_model("models:/foldlab/1")
    np.testing.assert_allclose(loaded.predict(pixels, verbose=0), expected, rtol=1e-5)
    answer = served.predict(pixels.astype(np.float32))
    np.testing.assert_allclose(answer, expected, rtol=1e-5)
    assert answer.dtype == np.float32
    assert served.metadata.get_output_schema().inputs[0].shape == (-1, 2)
    with pytest.raises(mlflow.MlflowException, match="float32"):
        served.predict(pixels)  # MLflow takes exactly the stated type, or JSON

    # the body of a request to `mlflow models serve`, as its server reads it
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    body = infer_and_parse_data({"inputs": pixels.tolist()}, served.metadata.get_input_schema())
    np.testing.assert_allclose(served.predict(body), expected, rtol=1e-5)
