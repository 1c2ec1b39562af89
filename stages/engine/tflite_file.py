"""TFLite files: conversion by TensorFlow, and scoring by LiteRT.

LiteRT comes with requirements-export.txt, so it is imported where it is used.
"""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stages.engine.traced import INPUT, OUTPUT, Traced, refusal
from stages.training.tf_runtime import load_tensorflow, quiet

PACKAGES = ("ai_edge_litert",)
CLASSES = "labels.txt"  # one per line, in a zip archive after the model, as in TFLite Metadata


def convert(traced: Traced, classes: Sequence[str], calibration: np.ndarray | None = None) -> bytes:
    """Return the content of the file, followed by an archive with the class names.

    Args:
        traced: the model.
        classes: in the order of the probabilities.
        calibration: uint8 (n, height, width, channels) images from which to take the ranges of
            activations; weights and activations are then int8. None: everything stays float32.

    Raises:
        UserError: for a layer that the format cannot express.
    """
    tf = load_tensorflow()
    from tensorflow.lite.python.convert_phase import ConverterError

    function = traced.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    try:
        with quiet():
            content = converter.convert()
    except ConverterError as error:
        if not (operations := {*re.findall(r"\btf\.(\w+)", str(error))}):
            raise
        raise refusal(traced, operations, "TFLite") from error
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(CLASSES), "\n".join(classes))  # the default date is 1980
    return file.getvalue()


def scorer(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from uint8 images to probabilities, which computes with one thread."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()  # prints which kernels it uses
        runner = interpreter.get_signature_runner("serving_default")
    return lambda pixels: runner(**{INPUT: pixels})[OUTPUT]
