"""Find and check the saved model that a `from_model` variant starts from, without loading it."""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from stages import files
from stages.engine import model_file
from stages.engine.model_file import unfit
from stages.errors import UserError
from stages.models.transfer import AFTER_DENSE, FEATURES
from stages.settings.sections import Named
from stages.training import trained_images
from stages.training.recipe import Recipe
from stages.training.trained_images import Listed


def attached(recipe: Recipe) -> Recipe:
    """Return the recipe with the content of its saved model, if any: workers read no files.

    Raises:
        UserError: when the file is missing or does not match the row's digest.
        OSError: when it cannot be read.
    """
    if recipe.architecture.name != "from_model":
        return recipe
    arguments = recipe.architecture.arguments | {"content": _content(recipe)}
    named = Named(name="from_model", arguments=arguments)
    return recipe.model_copy(update={"architecture": named})


def listed(attached: Named, images: np.ndarray) -> Listed:
    """List the images that a variant's model was trained on, with those of its saved model.

    `images` are uint8, all training images; `attached` is the architecture of a recipe returned by
    the function of that name.
    """
    own = Listed(np.unique(trained_images.digests(images)), True)
    if attached.name == "from_model":
        return trained_images.merged([own, trained_images.read(attached.arguments["content"])])
    if has_own_weights(attached):
        return trained_images.merged([own, _list_of_weights(attached)])
    return own


def has_own_weights(architecture: Named) -> bool:
    """Return whether an architecture is a backbone with weights from a user's file."""
    arguments = architecture.arguments
    return architecture.name == "backbone" and arguments["weights"] not in (None, "imagenet")


def note(recipe: Recipe) -> str:
    """Return a warning if a saved model's training images are not fully known, else ""."""
    if recipe.architecture.name == "from_model":
        known = trained_images.read(_content(recipe))
    elif has_own_weights(recipe.architecture):
        known = _list_of_weights(recipe.architecture)
    else:
        return ""
    if known and known.complete:
        return ""
    which = "the saved model" if known is None else "a model that the saved model started from"
    return (
        f"{_where(recipe)}: {which} does not list the images that it was trained on, as Foldlab's "
        "models do; make sure that none of them validates or tests this variant."
    )


def check(recipe: Recipe, dataset: Mapping, prepared: Path) -> None:
    """Check that a variant can start from its saved model; variants without one pass.

    The weights of a backbone are checked by `backbones.check`, here only their training images.
    `dataset` is the content of dataset.json in the folder `prepared`.

    Raises:
        UserError: when the file is missing, does not match the digest, is refused by
            `model_file.layers`, has another input shape, does not end in a layer that can take
            a head, or was trained on images that would validate or test this variant.
    """
    if has_own_weights(recipe.architecture):
        known, allowed = _list_of_weights(recipe.architecture), "weights of a model of other images"
        _check_images(known, recipe, dataset, prepared, allowed)
    if recipe.architecture.name != "from_model":
        return
    arguments, where = recipe.architecture.arguments, _where(recipe)
    content = _content(recipe)
    layers = starting_layers(content, where, arguments["member"])
    expected, own = _input_shape(layers), [*recipe.image_shape(dataset["image_shape"])]
    if expected != own:
        theirs, ours = ("x".join(map(str, shape)) for shape in (expected, own))
        found = f"takes images of {theirs}, but those of this variant are {ours}"
        raise unfit(where, found, "a model for that shape")
    if not arguments["force"]:
        allowed = "a model of other images, or set force: true"
        _check_images(trained_images.read(content), recipe, dataset, prepared, allowed)


def starting_layers(content: bytes, where: str, member: int = 0) -> list[dict]:
    """Return the configuration of the layers that a variant starts from, without loading a file.

    They are those of a member, if the model has members.

    Raises:
        UserError: when the content is refused by `model_file.layers`, has no such member, not one
            input, or no layers from pixels to one that can take a head. It starts with `where`.
    """
    layers = model_file.layers(content, where)
    members = [
        layer
        for layer in layers
        if re.fullmatch(r"member_\d+", layer["config"]["name"]) and "layers" in layer["config"]
    ]
    if member >= max(len(members), 1):
        raise UserError(
            f"{where}.member is {member}, but members are counted from 0, and the "
            f"saved model has {len(members) or 1}; use a smaller number."
        )
    if members:
        layers = members[member]["config"]["layers"]
    kinds = [layer["class_name"] for layer in layers]
    if (inputs := kinds.count("InputLayer")) != 1:
        raise unfit(where, f"has {inputs} inputs of known shape", "a model with one input")
    if members and len(_input_shape(layers)) != 3:
        found = "consists of heads on a frozen backbone, from which no variant can start"
        raise unfit(where, found, "architecture.backbone instead of from_model")
    last = next(kind for kind in reversed(kinds) if kind not in AFTER_DENSE)
    if last not in ("Dense", *FEATURES):
        found = f"ends with {last}, on which no new head can be put"
        raise unfit(where, found, "a classifier, or a network that ends with feature maps")
    return layers


def _input_shape(layers: list[dict]) -> list[int]:
    """Return the shape of a model's input, without the batch."""
    (layer,) = (layer for layer in layers if layer["class_name"] == "InputLayer")
    return layer["config"]["batch_shape"][1:]


def _check_images(
    known: Listed | None, recipe: Recipe, dataset: Mapping, prepared: Path, allowed: str
) -> None:
    """Raise UserError when a saved model lists images that would validate or test the variant."""
    if known is None:
        return
    found = []
    for split, use in (("train", "that validate the folds"), ("test", "of the test set")):
        present = _digests(prepared / f"{split}_images.npy", dataset["sha256"])
        if seen := int(np.isin(present, known.digests).sum()):
            found.append(f"{seen} of the {len(present)} images {use}")
    if found:
        raise unfit(_where(recipe), f"was trained on {' and '.join(found)}", allowed)


def _list_of_weights(architecture: Named) -> Listed | None:
    """Return the list in the file of a backbone's weights; only a `.keras` file can have one.

    None for a file that `backbones.check` refuses, so that it says why.
    """
    file, sha256 = files.find(architecture.arguments["weights"]), architecture.arguments["sha256"]
    is_right = file.suffix == ".keras" and file.is_file() and files.sha256(file) == sha256
    return trained_images.read(file.read_bytes()) if is_right and is_zipfile(file) else None


def model_path(sha256: str) -> Path:
    """Return the path under which `fetch` stores a registered model's file, by its digest."""
    return files.root() / ".foldlab" / "models" / sha256 / "model.keras"


def _where(recipe: Recipe) -> str:
    return f"variants.{recipe.variant}.architecture.{recipe.architecture.name}"


def _content(recipe: Recipe) -> bytes:
    """Return the content of the saved model's file, after checking it against the row's digest."""
    where = _where(recipe)
    path, model, sha256 = (recipe.architecture.arguments[k] for k in ("path", "model", "sha256"))
    if (path is None) == (model is None):
        raise UserError(f"{where} needs either path or model; name the one that it starts from.")
    file = model_path(sha256 or "none") if model else files.find(path)
    if not file.is_file() and model:
        raise UserError(
            f"{where}.model is {model!r}, but no file with the row's sha256 has been fetched; "
            f"run `python -m stages fetch {model}` and copy the sha256 that it prints."
        )
    if not file.is_file():
        raise UserError(
            f"{where}.path is {path!r}, which is not a file; use the path of a .keras file."
        )
    content = file.read_bytes()
    check_digest(content, sha256, where)
    return content


def check_digest(content: bytes, sha256: str, where: str) -> None:
    """Raise UserError unless the content of a file has the digest of the row `where`."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        found = f"is {sha256[:8]}..." if sha256 else "is missing"
        raise UserError(
            f"{where}.sha256 {found}, but the file's digest is {digest}; "
            "copy it to the row if this is the right model."
        )


@cache
def _digests(file: Path, sha256: str) -> np.ndarray:
    """Return the digests of prepared images; the data's `sha256` is part of the cache key."""
    return trained_images.digests(np.load(file, mmap_mode="r"))
