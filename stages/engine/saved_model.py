"""Find and check the saved model that a `from_model` variant starts from.

The checks read the file's config.json. So they do not import TensorFlow, and a model with custom
code is never loaded.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from stages import files
from stages.errors import UserError
from stages.settings.sections import Named
from stages.training import trained_images
from stages.training.trained_images import Listed

AFTER_DENSE = ("Activation", "BatchNormalization", "Dropout", "ReLU", "Softmax")


def attached(variant: str, named: Named) -> Named:
    """Return a variant's architecture with the content of its saved model added, for workers.

    Raises:
        UserError: when the file is missing or does not match the row's digest.
        OSError: when it cannot be read.
    """
    if named.name != "from_model":
        return named
    where = _where(variant)
    content = _file(named.arguments, where).read_bytes()
    _check_digest(content, named.arguments, where)
    return Named(name=named.name, arguments=named.arguments | {"content": content})


def listed(attached: Named, images: np.ndarray) -> Listed:
    """Return the images that a variant's model is trained on, including its saved model's.

    Args:
        attached: the architecture, as returned by `attached`.
        images: uint8 (n, height, width, channels), all training images.
    """
    own = Listed(np.unique(trained_images.digests(images)), True)
    if attached.name != "from_model":
        return own
    return trained_images.merged([own, trained_images.read(attached.arguments["content"])])


def note(variant: str, named: Named) -> str:
    """Return a warning if a saved model's training images are not fully known, else ""."""
    if named.name != "from_model":
        return ""
    known = trained_images.read(attached(variant, named).arguments["content"])
    if known and known.complete:
        return ""
    which = "the saved model" if known is None else "a model that the saved model started from"
    return (
        f"{_where(variant)}: {which} does not list the images that it was trained on, as Foldlab's "
        "models do; make sure that none of them validates or tests this variant."
    )


def check(variant: str, named: Named, dataset: Mapping, prepared: Path) -> None:
    """Check that `from_model` can start from its saved model on the prepared data.

    Args:
        variant: the row's name, for messages.
        named: its architecture; any other than `from_model` passes.
        dataset: the content of dataset.json.
        prepared: the folder that contains dataset.json and the images.

    Raises:
        UserError: when the file is missing, is not a `.keras` file, has custom or Lambda objects,
            has another input shape, does not end with a Dense layer, does not match the digest, or
            was trained on images that would validate or test this variant.
    """
    if named.name != "from_model":
        return
    arguments, where = named.arguments, _where(variant)
    file = _file(arguments, where)
    content = file.read_bytes()
    model = _member(_config(content, file.name, where), arguments["member"], where)
    _check_ends(model["config"]["layers"], list(dataset["image_shape"]), where)
    _check_digest(content, arguments, where)
    known = trained_images.read(content)
    if known and not arguments["force"]:
        _check_new(known.digests, prepared, dataset["sha256"], where)


def kept(sha256: str) -> Path:
    """Return the path under which `fetch` stores a registered model's file, by its digest."""
    return files.root() / ".foldlab" / "models" / sha256 / "model.keras"


def _file(arguments: Mapping[str, Any], where: str) -> Path:
    path, model = arguments["path"], arguments["model"]
    if (path is None) == (model is None):
        raise UserError(f"{where} needs either path or model; name the one that it starts from.")
    if model:
        file = kept(arguments["sha256"] or "none")
        if not file.exists():
            raise UserError(
                f"{where}.model is {model!r}, but no file with the row's sha256 has been fetched; "
                f"run `python -m stages fetch {model}` and copy the sha256 that it prints."
            )
        return file
    if (file := files.find(path)).is_file():
        return file
    raise UserError(
        f"{where}.path is {path!r}, which is not a file; use the path of a .keras file."
    )


def _check_digest(content: bytes, arguments: Mapping[str, Any], where: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != arguments["sha256"]:
        found = f"is {arguments['sha256'][:8]}..." if arguments["sha256"] else "is missing"
        raise UserError(
            f"{where}.sha256 {found}, but the file's digest is {digest}; "
            "copy it to the row if this is the right model."
        )


def _config(content: bytes, name: str, where: str) -> dict:
    """Return a model's configuration after checking that all its objects are Keras' own."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.getinfo("model.weights.h5")
            config = json.loads(archive.read("config.json"))
        kind, layers = config["class_name"], config["config"].get("layers")
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError):
        raise UserError(
            f"{where}: {name} is not a .keras file; save the model with "
            "model.save('name.keras') of Keras 3."
        ) from None
    for part in _objects(config):
        if part["class_name"] in ("Lambda", "__lambda__"):
            raise UserError(
                f"{where}: the saved model has a Lambda layer, whose code is not loaded from "
                "files; choose a model with Keras' own layers only."
            )
        package = (part.get("module") or "keras").split(".")[0]
        if package not in ("keras", "builtins") or ">" in (part.get("registered_name") or ""):
            raise UserError(
                f"{where}: the saved model has the custom object {part['class_name']!r}, whose "
                "code is not in the file; choose a model with Keras' own layers only."
            )
    if kind not in ("Functional", "Sequential") or not isinstance(layers, list):
        raise UserError(
            f"{where}: the saved model is of class {kind}; choose a Functional or Sequential one."
        )
    return config


def _objects(part: Any) -> Iterator[dict]:
    """Yield every serialized object in a configuration."""
    if isinstance(part, dict):
        if isinstance(part.get("class_name"), str):
            yield part
        for value in part.values():
            yield from _objects(value)
    elif isinstance(part, list):
        for value in part:
            yield from _objects(value)


def _member(config: dict, member: int, where: str) -> dict:
    """Return the configuration of the model to start from: one member, or the whole model."""
    layers = config["config"]["layers"]
    members = [one for one in layers if re.fullmatch(r"member_\d+", one["config"].get("name", ""))]
    if member >= max(len(members), 1):
        raise UserError(
            f"{where}.member is {member}, but the number of the saved model's members, counted "
            f"from 0, is {len(members) or 1}; use a smaller number."
        )
    return members[member] if members else config


def _check_ends(layers: list[dict], image_shape: list[int], where: str) -> None:
    """Check that a model takes images of the prepared shape and ends with a Dense layer."""
    kinds = [layer["class_name"] for layer in layers]
    if kinds.count("InputLayer") != 1:
        raise UserError(
            f"{where}: the saved model has {kinds.count('InputLayer')} inputs of known shape; "
            "choose a model with one input."
        )
    expected = layers[kinds.index("InputLayer")]["config"]["batch_shape"][1:]
    if expected != image_shape:
        theirs, ours = ("x".join(str(side) for side in shape) for shape in (expected, image_shape))
        raise UserError(
            f"{where}: the saved model takes images of {theirs}, but the prepared images are "
            f"{ours}; choose a model for that shape."
        )
    while kinds[-1] in AFTER_DENSE:
        kinds.pop()
    if kinds[-1] != "Dense":
        raise UserError(
            f"{where}: the saved model ends with {kinds[-1]}, but a new head can only replace a "
            "Dense layer; choose a classifier that ends with a Dense layer."
        )


def _check_new(trained_on: np.ndarray, prepared: Path, sha256: str, where: str) -> None:
    """Reject a model that was trained on images which would validate or test the variant."""
    seen, total = [], []
    for split in ("train", "test"):
        present = _digests(prepared / f"{split}_images.npy", sha256)
        seen.append(int(np.isin(present, trained_on).sum()))
        total.append(len(present))
    if any(seen):
        raise UserError(
            f"{where}: the saved model was trained on {seen[0]} of the {total[0]} images that "
            f"validate the folds and on {seen[1]} of the {total[1]} test images; start from a "
            "model trained on other images, or set force: true."
        )


@cache
def _digests(file: Path, sha256: str) -> np.ndarray:
    """Return the digests of prepared images; the data's `sha256` is part of the cache key."""
    return trained_images.digests(np.load(file, mmap_mode="r"))


def _where(variant: str) -> str:
    return f"variants.{variant}.architecture.from_model"
