"""What a `.keras` file may contain; refusals come before Keras is imported."""

import json

import h5py
import numpy as np
import pytest

from stages.engine import model_file
from stages.engine.model_file import layers
from stages.errors import UserError
from tests.engine.keras_files import archive, layer, part, weights


def nested(depth):
    found = layer("Dense", units=2)
    for _ in range(depth):
        found = {"config": found}
    return found


def test_known_layers_pass_with_their_settings():
    dense = layer("Dense", units=2, activation="relu", kernel_initializer=part(
        "keras.initializers", "GlorotUniform"
    ))  # fmt: skip
    mean = part("keras.src.ops.numpy", "Mean", {"name": "mean"})
    compiled = {"optimizer": part("keras.optimizers", "Adam")}  # never read
    found = layers(archive(dense, mean, compile_config=compiled), "row")
    assert [one["class_name"] for one in found] == ["InputLayer", "Dense", "Mean"]


@pytest.mark.parametrize(
    ("hostile", "named"),
    [
        (layer("Lambda", function=part("builtins", "__lambda__")), "Lambda"),
        (layer("TFSMLayer", filepath="/tmp/model"), "TFSMLayer"),
        (layer("StringLookup", vocabulary="/etc/passwd"), "StringLookup"),
        (layer("TorchModuleWrapper"), "TorchModuleWrapper"),
        (part("keras.models", "load_model", {"filepath": "x"}), "load_model"),
        (part("keras.utils", "get_file", {"origin": "http://127.0.0.1"}), "get_file"),
        (part("builtins", "function", "eval"), "function"),
        (part("os", "system", "true"), "system"),
        (part(None, "Dense", {"units": 2}), "Dense"),
        (part("keras.layers", "Dense", {}, registered_name="mine>Dense"), "Dense"),
        (part("keras.src.ops.core", "Map"), "Map"),
        (part(None, "__numpy__", {"value": [1], "dtype": "S999999999"}), "S999999999"),
        (layer("Dense", activation=part("keras.layers", "Lambda")), "Lambda"),
        (layer("Dense", activation="keras.models.load_model"), "load_model"),
        (layer("Dense", units=10**9), "units"),
        (layer("Conv2D", filters=1e9), "filters"),
        (layer("Conv2D", filters=-1), "filters"),
        (layer("Dense", units="99999999999"), "units"),
        (layer("Embedding", input_dim=10**9, output_dim=8), "input_dim"),
        (layer("TimeDistributed", layer=layer("Lambda")), "Lambda"),
        (layer("Bidirectional", layer=layer("LSTM", units=2), backward_layer=layer("RNN")), "RNN"),
        (layer("LSTM", units=2, recurrent_activation="eval"), "eval"),
        (part("keras.src.ops.numpy", "Vectorize"), "Vectorize"),
        (part(None, "__slice__", {"start": part(None, "__lambda__"), "stop": None}), "__lambda__"),
        (part("keras", "Functional", {"layers": []}, compile_config={"loss": "x"}), "compiled"),
        (nested(150), "deep"),
        (nested(5000), "deep"),
    ],
)
def test_anything_else_is_refused_by_name(hostile, named):
    try:
        content = archive(hostile)
    except RecursionError:  # Python cannot write it; another program could
        text = json.dumps(part("keras", "Functional", {"layers": []}))
        deep = '{"config": ' * 5000 + "1" + "}" * 5000
        content = archive(files={"config.json": text.replace("[]", f"[{deep}]")})
    with pytest.raises(UserError, match=named) as refused:
        layers(content, "variants.row")
    assert str(refused.value).startswith("variants.row: ")


@pytest.mark.parametrize("name", ["../escape", "/etc/cron.d/x", "assets/vocabulary.txt", "x.pkl"])
def test_a_file_that_keras_does_not_write_is_refused(name):
    with pytest.raises(UserError, match="inside"):
        layers(archive(files={name: "text"}), "row")


def test_bombs_are_refused_before_they_are_unpacked(monkeypatch):
    with pytest.raises(UserError, match="unpacks"):
        layers(archive(files={"config.json": " " * (model_file.CONFIG_BYTES + 1)}), "row")
    monkeypatch.setattr(model_file, "WEIGHT_BYTES", 10**6)
    with pytest.raises(UserError, match="unpacks"):
        layers(archive(files={"model.weights.h5": b"0" * 10**6}), "row")

    def bomb(file):
        file.create_dataset("large", (10**6,), "f4", compression="gzip", fillvalue=0)

    with pytest.raises(UserError, match="bytes of weights"):
        layers(archive(files={"model.weights.h5": weights(bomb)}), "row")


def external(file):
    file.create_dataset("taken", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def linked(file):
    file["other"] = h5py.ExternalLink("/tmp/other.h5", "/x")


def circular(file):
    file["again"] = h5py.SoftLink("/layers")


def endless(file):
    file["layers/again"] = file["layers"]


def named_type(file):
    file["layers/kind"] = np.dtype("f4")


def virtual(file):
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("virtual", layout)


@pytest.mark.parametrize("change", [external, linked, circular, endless, named_type, virtual])
def test_weights_that_are_no_plain_arrays_are_refused(change):
    with pytest.raises(UserError, match=r"links to|other files|contain themselves|has Datatype"):
        layers(archive(files={"model.weights.h5": weights(change)}), "row")


def damaged():
    """Return an archive whose compressed configuration is partly overwritten."""
    content = bytearray(archive())
    content[70:90] = b"\xff" * 20
    return bytes(content)


def encrypted():
    """Return an archive whose first file is marked as encrypted."""
    content = bytearray(archive())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        damaged(),
        encrypted(),
        b"PK",
        archive(files={"config.json": "[]"}),
        archive(files={"config.json": "{"}),
        archive(config={"class_name": {}, "config": {"layers": []}}),
        archive(files={"model.weights.h5": b"no HDF5"}),
        archive(7),
        archive("Dense"),
        archive({"config": {"name": "x"}}),
        archive({"module": "keras.layers", "class_name": "Dense"}),
        archive(part("keras.layers", "Dense", [1])),
        archive(part("keras.layers", "Dense", {"name": 3})),
        archive(layer("InputLayer")),
        archive(layer("InputLayer", batch_shape=3)),
        archive(part("keras", "Sequential", {"name": "member_0", "layers": [7]})),
        archive()[:-30],
    ],
)
def test_what_keras_has_not_saved_is_refused(content):
    with pytest.raises(UserError, match=r"row: this is not a \.keras file|row has damaged weights"):
        layers(content, "row")


def test_models_that_average_over_views_pass(tmp_path):
    from tests.engine import exported  # imports Keras

    content = exported.write(tmp_path / "model.keras", views=3).read_bytes()
    kinds = [one["class_name"] for one in layers(content, "row")]
    assert kinds.count("AffineTransform") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_networks_of_keras_pass(name, tmp_path):
    import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=2)
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "saved.keras")
    found = layers((tmp_path / "saved.keras").read_bytes(), "row")  # operations count too
    assert len(found) >= len(model.layers)
