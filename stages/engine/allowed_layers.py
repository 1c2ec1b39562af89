"""What a model may consist of: the layers, operations and limits of every model that is loaded.

Keras' safe mode forbids some classes and constructs every other one that a file names. Here only
what is listed is allowed, so that nothing else is ever constructed. Neither TensorFlow nor Keras is
imported.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from stages.training.fold import UntrainableError

DEPTH = 100  # of objects inside each other
UNITS = 2**16  # of a layer

# Only classes that compute on tensors: none that calls a function, or reads a file or vocabulary.
_LAYERS = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D Add AdditiveAttention AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D BatchNormalization Bidirectional CenterCrop Concatenate Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Cropping1D Cropping2D Dense DepthwiseConv1D
    DepthwiseConv2D Dot Dropout EinsumDense ELU Embedding Flatten GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D
    GroupNormalization GroupQueryAttention GRU Identity InputLayer LayerNormalization LeakyReLU LSTM
    Masking MaxPooling1D MaxPooling2D Maximum Minimum MultiHeadAttention Multiply Normalization
    Permute PReLU ReLU RepeatVector Rescaling Reshape Resizing RMSNormalization SeparableConv1D
    SeparableConv2D SimpleRNN Softmax SpatialDropout1D SpatialDropout2D Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D ZeroPadding1D ZeroPadding2D RandomBrightness
    RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom
"""
_OPERATIONS = """
    Abs Absolute Add All Amax Amin Any Average Ceil Clip Concatenate Cos Cumprod Cumsum Divide Dot
    Einsum Equal Exp ExpandDims Expm1 Flip Floor FloorDivide GetItem Greater GreaterEqual Less
    LessEqual Log Log1p Log2 Logaddexp LogicalAnd LogicalNot LogicalOr Matmul Max Maximum Mean Min
    Minimum Mod Moveaxis Multiply Negative NotEqual OnesLike Pad Power Prod Ravel Reciprocal Repeat
    Reshape Roll Round Sign Sin Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take
    TakeAlongAxis Tanh Tensordot Tile Transpose TrueDivide Var Where ZerosLike
"""
_FUNCTIONS = """
    AdaptiveAveragePool AdaptiveMaxPool AveragePool Celu DepthToSpace DotProductAttention Elu Gelu
    Glu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax MaxPool Normalize
    OneHot Relu Relu6 Selu Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth SparsePlus
    SparseSigmoid Sparsemax Squareplus TanhShrink Threshold
"""
_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
    linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus
    softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
"""
ACTIVATIONS = frozenset(_ACTIVATIONS.split())
ALLOWED = {  # module -> its classes
    "keras": {"DTypePolicy", "Functional", "Sequential"},
    "keras.layers": {*_LAYERS.split()},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.src.applications.convnext": {"LayerScale", "StochasticDepth"},
    "keras.src.ops.numpy": {*_OPERATIONS.split()},
    "keras.src.ops.nn": {*_FUNCTIONS.split()},
    "keras.src.ops.core": {"Cast", "Slice", "StopGradient", "Unstack"},
    "keras.src.ops.math": {"Erf", "Logsumexp", "Rsqrt"},
    "keras.src.ops.image": {"AffineTransform", "Resize"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
    "keras.regularizers": {"L1", "L1L2", "L2", "OrthogonalRegularizer"},
    "keras.initializers": {
        *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity"),
        *("LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform"),
        *("TruncatedNormal", "VarianceScaling", "Zeros"),
    },
    None: {"__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__"},
}
NUMBERS = {"float32", "float64", "int32", "int64"}  # types of a constant array


def objects(part: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration; RecursionError beyond DEPTH."""
    if depth > DEPTH:
        raise RecursionError
    if isinstance(part, dict):
        yield part
    if isinstance(part, dict | list):
        for value in part.values() if isinstance(part, dict) else part:
            yield from objects(value, depth + 1)


def fault(parts: Iterable[dict[str, Any]]) -> str:
    """Return the first thing that is not allowed, as the end of "the model ..."; "" if none.

    `parts` are the objects in a configuration. Raises ValueError for one that Keras did not write.
    """
    for part in parts:
        if part.get("compile_config"):
            return "has a compiled model inside it"
        for key in ("units", "filters", "input_dim", "output_dim"):
            if key in part and not (type(part[key]) is int and 1 <= part[key] <= UNITS):
                return f"has a layer of {part[key]!r:.80} {key}, not of 1 to {UNITS:,}"
        for key, value in part.items():
            is_function = key.endswith("activation") and isinstance(value, str)
            if is_function and value not in ACTIVATIONS:
                return f"has the activation {value[:80]!r}, which is not on Foldlab's list"
        if "class_name" not in part:
            continue
        module, name, registered = map(part.get, ("module", "class_name", "registered_name"))
        if not isinstance(name, str) or not isinstance(module, str | None):
            raise ValueError
        if name == "__tensor__":
            return "has a constant tensor, which has to be a NumPy array instead"
        if name not in ALLOWED.get(module, ()) or registered not in (None, name):
            found = f"{module or 'an object'}.{name}"[:200]
            return f"has {found}, which is not on Foldlab's list of layers"
        if name == "__numpy__" and (kind := part["config"]["dtype"]) not in NUMBERS:
            return f"has an array of type {kind!r:.80}"
    return ""


def check_network(config: str, where: str) -> None:
    """Check that the model file of a network can be loaded, before the network is trained.

    `config` is its configuration as Keras writes it, JSON. Raises UntrainableError otherwise.
    """
    if found := fault(objects(json.loads(config))):
        raise UntrainableError(
            f"{where}: the network {found}, so its model file would be refused; use only what "
            "docs/variants.md lists under 'Write an architecture'."
        )
