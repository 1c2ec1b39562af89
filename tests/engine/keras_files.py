"""The content of `.keras` files, written without Keras."""

import io
import json
import zipfile

import h5py
import numpy as np


def part(module, name, config=None, **more):
    kind = {"module": module, "class_name": name, "config": config or {}, "registered_name": None}
    return kind | more


def layer(name, **config):
    return part("keras.layers", name, {"name": name.lower()} | config)


INPUT = layer("InputLayer", batch_shape=[None, 8, 8, 1])


def weights(change=None):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), "f4")
        if change:
            change(file)
    return content.getvalue()


def archive(*found, config=None, files=None, **more):
    """Return the content of a `.keras` file of some layers."""
    whole = part("keras", "Functional", {"layers": [INPUT, *found]}, **more)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        names = {"config.json": json.dumps(config or whole), "model.weights.h5": weights()}
        for name, text in (names | (files or {})).items():
            written.writestr(name, text)
    return content.getvalue()
