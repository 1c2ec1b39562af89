"""Check a `.keras` file before Keras reads it: known layers only, within limits.

Keras' safe mode forbids some classes and constructs every other one that a file names. Here only
what is listed is allowed, so that nothing else is ever constructed. Neither TensorFlow nor Keras is
imported.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import h5py

from stages.errors import UserError
from stages.training.trained_images import NAME as TRAINED_IMAGES

FILES = {"config.json", "metadata.json", "model.weights.h5", TRAINED_IMAGES}
CONFIG_BYTES, WEIGHT_BYTES = 2**25, 2**33  # unpacked
DEPTH = 100  # of objects inside each other
UNITS = 2**16  # of a layer
UNREADABLE = (  # for damaged, encrypted or unusually compressed archives, and for wrong types
    zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError,
    KeyError, TypeError, AttributeError, ValueError,
)  # fmt: skip

_LAYERS = """
    Activation ActivityRegularization Add AlphaDropout Average AveragePooling2D
    BatchNormalization CenterCrop Concatenate Conv1D Conv2D Conv2DTranspose Cropping2D Dense
    DepthwiseConv2D Dot Dropout EinsumDense ELU Flatten GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization Identity
    InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum MultiHeadAttention
    Multiply Normalization Permute PReLU ReLU RepeatVector Rescaling Reshape Resizing
    SeparableConv2D Softmax SpatialDropout2D Subtract UnitNormalization UpSampling2D
    ZeroPadding2D RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation
    RandomTranslation RandomZoom
"""
_OPERATIONS = """
    Abs Absolute Add Clip Concatenate Divide Exp ExpandDims Log Max Maximum Mean Min Minimum
    Multiply Negative Pad Power Reshape Sqrt Square Squeeze Stack Subtract Sum Transpose
    TrueDivide
"""
_ACTIVATIONS = """
    elu exponential gelu hard_sigmoid hard_silu hard_swish leaky_relu linear log_softmax mish
    relu relu6 selu sigmoid silu softmax softplus softsign swish tanh
"""
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
ALLOWED = {  # module -> its classes
    "keras": {"DTypePolicy", "Functional", "Sequential"},
    "keras.layers": {*_LAYERS.split()},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.src.applications.convnext": {"LayerScale", "StochasticDepth"},
    "keras.src.ops.numpy": {*_OPERATIONS.split()},
    "keras.src.ops.nn": {"Relu", "Relu6", "Sigmoid", "Silu", "Softmax", "Tanh", "HardSigmoid"},
    "keras.src.ops.image": {"AffineTransform", "Resize"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
    "keras.regularizers": {"L1", "L1L2", "L2", "OrthogonalRegularizer"},
    "keras.initializers": {
        *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity"),
        *("LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform"),
        *("TruncatedNormal", "VarianceScaling", "Zeros"),
    },
    None: {"__keras_tensor__", "__numpy__"},
}
NUMBERS = {"float32", "float64", "int32", "int64"}  # types of a constant array


def layers(content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the configuration of a model's layers from the content of a `.keras` file.

    Raises:
        UserError: if it is not such a file, is too large, or has anything that is not listed in
            this module. The message starts with `where`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if strange := sorted({info.filename for info in infos} - FILES):
                raise refused(where, f"has the file {strange[0][:80]!r} inside")
            sizes = {info.filename: info.file_size for info in infos}
            if sizes["config.json"] > CONFIG_BYTES or sum(sizes.values()) > WEIGHT_BYTES:
                raise refused(where, f"unpacks to {sum(sizes.values()):,} bytes")
            config = json.loads(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
        parts = [*_parts({**config, "compile_config": None})]  # Keras does not compile it
        for part in parts:
            _check(part, where)
        for part in parts:
            _check_layers(part)
        kind, found = config["class_name"], config["config"].get("layers")
    except UserError:
        raise
    except RecursionError:
        raise refused(where, f"has objects nested more than {DEPTH} deep") from None
    except UNREADABLE:
        raise UserError(
            f"{where}: this is not a .keras file, or it is damaged; save the model with "
            "model.save('name.keras') of Keras 3."
        ) from None
    check_weights(weights, where)
    if kind not in ("Functional", "Sequential") or not isinstance(found, list):
        raise unfit(where, f"is of class {kind}", "a Functional or Sequential one")
    return found


def check_weights(content: bytes, where: str) -> None:
    """Refuse the content of an HDF5 file that reads other files, or is much larger unpacked."""
    size, seen = 0, set()
    try:
        pending: list[h5py.Group] = [h5py.File(io.BytesIO(content), "r")]
        while pending:
            group = pending.pop()
            address = h5py.h5o.get_info(group.id).addr
            if address in seen:
                raise refused(where, f"has weights that contain themselves, in {group.name!r}")
            seen.add(address)
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise refused(where, f"links to {getattr(link, 'filename', 'other weights')!r}")
                item = group[name]
                if isinstance(item, h5py.Group):
                    pending.append(item)
                elif not isinstance(item, h5py.Dataset):
                    raise refused(where, f"has {type(item).__name__} among its weights")
                elif item.external or item.is_virtual:
                    raise refused(where, "keeps weights in other files")
                else:
                    size += item.nbytes
    except (OSError, KeyError, RuntimeError):  # h5py raises them for damaged files
        raise UserError(f"{where} has damaged weights; save the model again with Keras.") from None
    if size > WEIGHT_BYTES:
        raise refused(where, f"has {size:,} bytes of weights")


def refused(where: str, found: str) -> UserError:
    """Return the error about a file that may not be loaded."""
    return unfit(where, found, "a model of Keras' own layers only, since no other code is loaded")


def unfit(where: str, found: str, allowed: str) -> UserError:
    """Return the error about a file that has `found`."""
    return UserError(f"{where}: the saved model {found}; choose {allowed}.")


def _parts(part: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration; RecursionError beyond DEPTH."""
    if depth > DEPTH:
        raise RecursionError
    if isinstance(part, dict):
        yield part
    if isinstance(part, dict | list):
        for value in part.values() if isinstance(part, dict) else part:
            yield from _parts(value, depth + 1)


def _check_layers(part: dict[str, Any]) -> None:
    """Raise an exception that `layers` catches unless a model's layers are as Keras writes them.

    Callers read the names of layers and the shapes of inputs.
    """
    if part.get("class_name") not in ("Functional", "Sequential"):
        return
    for layer in part["config"]["layers"]:
        if not isinstance(layer["class_name"], str) or not isinstance(layer["config"]["name"], str):
            raise ValueError
        is_input = layer["class_name"] == "InputLayer"
        if is_input and not isinstance(layer["config"]["batch_shape"], list):
            raise ValueError


def _check(part: dict[str, Any], where: str) -> None:
    """Refuse an object of a configuration that is not listed."""
    if part.get("compile_config"):
        raise refused(where, "has a compiled model inside it")
    for key in ("units", "filters"):
        if key in part and not (type(part[key]) is int and 1 <= part[key] <= UNITS):
            raise refused(where, f"has a layer of {part[key]!r:.80} {key}")
    for key, value in part.items():
        is_function = key.endswith("activation") and isinstance(value, str)
        if is_function and value not in ACTIVATIONS:
            raise refused(where, f"has the activation {value[:80]!r}")
    if "class_name" not in part:
        return
    module, name, registered = map(part.get, ("module", "class_name", "registered_name"))
    if not isinstance(name, str) or not isinstance(module, str | None):
        raise ValueError
    if name not in ALLOWED.get(module, ()) or registered not in (None, name):
        raise refused(where, f"has {module or 'an object'}.{name}"[:200])
    if name == "__numpy__" and (kind := part["config"]["dtype"]) not in NUMBERS:
        raise refused(where, f"has an array of type {kind!r:.80}")
