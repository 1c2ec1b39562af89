"""ONNX files: conversion by tf2onnx, and scoring by ONNX Runtime.

Both packages come with requirements-export.txt, so they are imported where they are used.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.engine.traced import INPUT, OUTPUT, Traced, refusal

if TYPE_CHECKING:
    import onnx

PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
CLASSES = "classes"  # key of the metadata: a JSON list


def convert(traced: Traced, classes: Sequence[str]) -> bytes:
    """Return the content of the file, with the class names in its metadata.

    Raises:
        UserError: for a layer that ONNX cannot express.
    """
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # it logs what is raised below
    function = traced.function
    model, _ = tf2onnx.convert.from_function(function, function.input_signature)
    # tf2onnx leaves an operation that it cannot convert in the graph, under TensorFlow's name.
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    if unknown := {node.op_type for node in model.graph.node} - known:
        raise refusal(traced, unknown, "ONNX")
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    _rename(model.graph)
    model.metadata_props.add(key=CLASSES, value=json.dumps([*classes], ensure_ascii=False))
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def _rename(graph: "onnx.GraphProto") -> None:
    """Number tensors and nodes in order, so that a model always has the same bytes.

    tf2onnx's names depend on addresses in memory. Inputs and outputs of the graph keep theirs.
    """
    names = {tensor.name: tensor.name for tensor in (*graph.input, *graph.output)} | {"": ""}
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.setdefault(name, str(len(names))) for name in tensors]
        node.name = node.output[0]
    for constant in graph.initializer:
        constant.name = names[constant.name]
    constants = sorted(graph.initializer, key=lambda constant: int(constant.name))
    graph.ClearField("initializer")
    graph.initializer.extend(constants)
    graph.doc_string = ""  # the name of a function with a running number


def scorer(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from uint8 images to probabilities, which computes with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run([OUTPUT], {INPUT: pixels})[0]
