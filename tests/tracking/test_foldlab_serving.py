"""The champion behind `mlflow models serve`, asked over HTTP as docs/tracking.md shows."""

import json
import shutil
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import requests

from benchmarks import load_serve
from stages import publish
from stages.commands.promote import promote
from stages.settings.sections import Named
from stages.training.export import scorer
from tests.engine import exported
from tests.tracking.made_results import make_repository, score
from tests.tracking.served import answers, free_port, inherited, running

pytestmark = pytest.mark.slow
SHAPE = (28, 28, 1)
BASIC = Named(name="basic", arguments={"dense": 8})


@pytest.fixture(scope="module")
def served(tmp_path_factory, empty_store):
    """Publish a real artifact, promote it, serve it; yield (address, model file, process)."""
    root = make_repository(tmp_path_factory.mktemp("served"))
    shutil.copyfile(empty_store, root / "mlflow.db")
    model = root / "results/basic/model.keras"
    exported.write(model, BASIC, shape=SHAPE, classes=["zero", "one"])
    score(model.parent)
    with chdir(root):
        assert publish.publish("basic")
        promote("basic")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/foldlab@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    environment = inherited(
        MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db",
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
    )
    address = f"http://127.0.0.1:{port}"
    ready = answers(f"{address}/ping")
    with running(command, root / "log", ready, cwd=root, env=environment) as process:
        yield address, model, process


def ask(address, body):
    return requests.post(f"{address}/invocations", json=body, timeout=60)


def test_raw_pixels_get_the_probabilities_of_the_artifact_by_class_name(served):
    address, model, _ = served
    pixels = np.random.default_rng(1).integers(0, 256, (5, *SHAPE), dtype="uint8")
    expected, _ = scorer(model, "portable")(pixels)
    for dtype in ("uint8", "float32"):
        answer = ask(address, {"inputs": pixels.astype(dtype).tolist()}).json()["predictions"]
        assert all(list(row) == ["zero", "one"] for row in answer)
        got = np.array([list(row.values()) for row in answer])
        np.testing.assert_allclose(got, expected, atol=1e-6)
        assert np.ptp(got[:, 0]) > 1e-3  # the answers are of these images


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not finite"),
        (255.5, "from 0 to 255.5"),
        (-1, "from -1 to 0"),
        (0.25, "from 0 to 0.25, scaled to 0-1"),
    ],
)
def test_pixels_that_are_not_raw_ones_are_refused_by_their_reason(served, value, reason):
    pixels = np.zeros((2, *SHAPE))
    pixels[1, 2, 3] = value
    body = json.dumps({"inputs": pixels.tolist()})
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{served[0]}/invocations", data=body, headers=headers, timeout=60)
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert message.startswith("image 1 has pixels ")
    assert reason in message
    assert len(message) < 200  # MLflow puts the data before other messages


@pytest.mark.parametrize("values", [[0], [0, 1], [0, 0.5, 2]])
def test_dark_pixels_are_taken(served, values):
    pixels = np.resize(np.array(values, float), (1, *SHAPE))
    assert ask(served[0], {"inputs": pixels.tolist()}).status_code == 200


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.zeros((2, 28, 28), int).tolist(), "has the shape (2, 28, 28)"),
        (np.zeros((2, 27, 28, 1), int).tolist(), "has the shape (2, 27, 28, 1)"),
        ([], "has the shape (0,)"),
        ([[0, 0], [0]], "is not an array of numbers"),
        ("zero", "is not an array of numbers"),
    ],
)
def test_other_input_is_refused_by_its_reason_without_its_pixels(served, images, reason):
    answer = ask(served[0], {"inputs": images})
    assert answer.status_code == 400
    message = answer.json()["message"]
    assert message.startswith(f"input {reason}; ")
    assert "(n, 28, 28, 1)" in message
    assert len(message) < 200


def test_pixels_under_another_key_are_refused_by_its_name(served):
    answer = ask(served[0], {"instances": np.zeros((1, *SHAPE), int).tolist()})
    assert answer.status_code == 400
    assert "inputs" in answer.text


def test_clients_at_once_get_the_answers_that_one_gets(served):
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), "u1")
    found = load_serve.asked(f"{served[0]}/invocations", images, 8, 1.0, served[2].pid)
    assert found["errors"] == 0, found
    assert found["requests"] >= 8
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]


def test_it_listens_on_loopback_only(served):
    port = served[0].rpartition(":")[2]
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    hosts = {
        at.split(":")[0]
        for _, at, _, state, *_ in listening
        if state == "0A" and at.endswith(f":{int(port):04X}")
    }
    assert hosts == {"0100007F"}  # 127.0.0.1, byte by byte from the right
