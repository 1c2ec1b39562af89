import functools
import http.server
import threading

import keras
import numpy as np
import pytest
from keras.src.applications import mobilenet_v3
from keras.src.utils import file_utils

from stages.files import sha256
from stages.settings.sections import Named
from stages.training import pretrained
from stages.training.pretrained import initial_weights
from tests.refusals import refusal

pytestmark = pytest.mark.slow
SMALL, LARGE = "mobilenet_v3_small", "mobilenet_v3_large"
FILE = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder with files of small networks' random weights, and these weights."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "server").mkdir()
    plain = keras.applications.MobileNetV3Small(weights=None, include_top=False)
    whole = keras.applications.MobileNetV3Small(weights=None, classes=7)
    plain.save(folder / "server" / FILE)  # in the format of Keras' own files
    for model, name in ((plain, "plain"), (whole, "whole")):
        model.save_weights(folder / f"{name}.weights.h5")
        model.save(folder / f"{name}.keras")
    content = (folder / "plain.weights.h5").read_bytes()
    (folder / "truncated.weights.h5").write_bytes(content[:5000])
    (folder / "garbage.keras").write_bytes(b"pickled")
    return folder, {"plain": plain.get_weights(), "whole": whole.get_weights()}


def load(name, file=None, weights=None):
    arguments = {"name": name, "weights": file.name if file else weights}
    architecture = Named(name="backbone", arguments=arguments)
    return initial_weights(architecture, file, "row", "portable")


@pytest.mark.parametrize("kind", ["plain", "whole"])
@pytest.mark.parametrize("suffix", ["weights.h5", "keras"])
def test_files_of_a_network_with_or_without_its_classifier_are_loaded(saved, kind, suffix):
    found = load(SMALL, saved[0] / f"{kind}.{suffix}")
    expected = saved[1][kind][: len(found)]
    assert all(map(np.array_equal, found, expected))
    assert "row.weights" in refusal(load, LARGE, saved[0] / f"{kind}.{suffix}")


@pytest.mark.parametrize("name", ["truncated.weights.h5", "garbage.keras"])
def test_damaged_files_are_refused(saved, name):
    assert name in refusal(load, SMALL, saved[0] / name)


@pytest.fixture
def server(saved, tmp_path, monkeypatch):
    """Serve the file of weights in place of Keras' host, and cache it in an empty folder."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=saved[0] / "server")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{started.server_port}/"
        monkeypatch.setattr(mobilenet_v3, "BASE_WEIGHT_PATH", url)
        monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        yield saved[0] / "server" / FILE
        started.shutdown()


def test_a_bug_while_keras_loads_is_not_reported_as_a_failed_download(saved, monkeypatch):
    def buggy(name, shape, **weights):
        return body(name, shape) if not weights else weights["weigths"]

    body = pretrained.body
    monkeypatch.setattr(pretrained, "body", buggy)
    with pytest.raises(KeyError):
        load(SMALL, weights="imagenet")


def test_weights_of_imagenet_are_downloaded_once_and_checked(saved, server, tmp_path, monkeypatch):
    refused = refusal(load, SMALL, weights="imagenet")  # these are not Keras' own
    assert "hash" in refused
    digest = sha256(server)
    hashes = {"small_224_1.0_float": ("", digest)}
    monkeypatch.setattr(mobilenet_v3, "WEIGHTS_HASHES", hashes)
    for base in (mobilenet_v3.BASE_WEIGHT_PATH, "http://127.0.0.1:9/"):  # then from the cache
        monkeypatch.setattr(mobilenet_v3, "BASE_WEIGHT_PATH", base)
        found = load(SMALL, weights="imagenet")
        assert all(map(np.array_equal, found, saved[1]["plain"]))
    (tmp_path / "models" / FILE).unlink()
    refused = refusal(load, SMALL, weights="imagenet")
    assert FILE in refused
    assert str(tmp_path / "models") in refused
