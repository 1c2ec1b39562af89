"""The saved model that a `from_model` variant starts from: found, checked, sent to workers.

What it is made of is read from the file's own config.json, so a model that does not fit costs no
import of TensorFlow, and one with code of its own is never loaded.
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

from stages import entry
from stages.errors import UserError
from stages.sections import Named
from stages.training import trained_images
from stages.training.trained_images import Listed

AFTER_DENSE = ("Activation", "BatchNormalization", "Dropout", "ReLU", "Softmax")


def attached(variant: str, named: Named) -> Named:
    """Return a variant's architecture with the content of its saved model, for a worker to load.

    Raises:
        UserError: when the file is missing or is not the one that the row's digest names.
        OSError: when it cannot be read.
    """
    if named.name != "from_model":
        return named
    where = _where(variant)
    content = _file(named.arguments, where).read_bytes()
    _check_digest(content, named.arguments, where)
    return Named(name=named.name, arguments=named.arguments | {"content": content})


def listed(attached: Named, images: np.ndarray) -> Listed:
    """Return the images that a variant's model is trained on, with those of its saved model.

    Args:
        attached: its architecture, as `attached` returns it.
        images: uint8 (n, height, width, channels), all training images.
    """
    own = Listed(np.unique(trained_images.digests(images)), True)
    if attached.name != "from_model":
        return own
    return trained_images.merged([own, trained_images.read(attached.arguments["content"])])


def note(variant: str, named: Named) -> str:
    """Return what cannot be checked of the saved model that a variant starts from, or ""."""
    if named.name != "from_model":
        return ""
    known = trained_images.read(attached(variant, named).arguments["content"])
    if known and known.complete:
        return ""
    whose = "that model" if known is None else "a model that it started from"
    return (
        f"{_where(variant)}: {whose} has no list of the images that it was trained on, as models "
        "of Foldlab have; make sure that none of them validates or tests this variant."
    )


def check(variant: str, named: Named, dataset: Mapping, prepared: Path) -> None:
    """Refuse a saved model that `from_model` cannot start from on the prepared data.

    Args:
        variant: the row's name, for messages.
        named: its architecture; any other than `from_model` is fine.
        dataset: the content of dataset.json.
        prepared: the folder of it and of the images.

    Raises:
        UserError: in one sentence, when the file is missing, is no `.keras` file, has custom or
            Lambda objects, takes images of another shape, has no last Dense, is not the one of
            the digest, or was trained on images that would validate or test this variant.
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
    """Return where a registered model's file is kept under its digest."""
    return entry.root() / ".foldlab" / "models" / sha256 / "model.keras"


def _file(arguments: Mapping[str, Any], where: str) -> Path:
    path, model = arguments["path"], arguments["model"]
    if (path is None) == (model is None):
        raise UserError(
            f"{where} needs a path or a model, and not both; name the one that it starts from."
        )
    if model:
        file = kept(arguments["sha256"] or "none")
        if not file.exists():
            raise UserError(
                f"{where}.model is {model!r}, of which no file is here with the row's sha256; "
                f"run `python -m stages fetch {model}` and copy the sha256 that it prints."
            )
        return file
    if (file := entry.find(path)).is_file():
        return file
    raise UserError(f"{where}.path is {path!r}, which is no file; give the path of a .keras file.")


def _check_digest(content: bytes, arguments: Mapping[str, Any], where: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != arguments["sha256"]:
        given = f"is {arguments['sha256'][:8]}..." if arguments["sha256"] else "is missing"
        raise UserError(
            f"{where}.sha256 {given}, but the file's content has {digest}; "
            "put this into the row if it is the model that you mean."
        )


def _config(content: bytes, name: str, where: str) -> dict:
    """Return a model's configuration, when all of it is Keras' own."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.getinfo("model.weights.h5")
            config = json.loads(archive.read("config.json"))
        kind, layers = config["class_name"], config["config"].get("layers")
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError):
        raise UserError(
            f"{where} names {name}, which is no .keras file; save the model with "
            "model.save('name.keras') of Keras 3."
        ) from None
    for part in _objects(config):
        if part["class_name"] in ("Lambda", "__lambda__"):
            raise UserError(
                f"{where} names a model with a Lambda layer, whose code is not loaded from a file; "
                "choose a model of Keras' own layers."
            )
        room = (part.get("module") or "keras").split(".")[0]
        if room not in ("keras", "builtins") or ">" in (part.get("registered_name") or ""):
            raise UserError(
                f"{where} names a model with the custom object {part['class_name']!r}, whose code "
                "is not in the file; choose a model of Keras' own layers."
            )
    if kind not in ("Functional", "Sequential") or not isinstance(layers, list):
        raise UserError(f"{where} names a {kind} model; choose a Functional or Sequential one.")
    return config


def _objects(part: Any) -> Iterator[dict]:
    """Yield every serialised object in a configuration."""
    if isinstance(part, dict):
        if isinstance(part.get("class_name"), str):
            yield part
        for value in part.values():
            yield from _objects(value)
    elif isinstance(part, list):
        for value in part:
            yield from _objects(value)


def _member(config: dict, member: int, where: str) -> dict:
    """Return the configuration of the model to start from: the whole, or one that votes in it."""
    layers = config["config"]["layers"]
    voting = [one for one in layers if re.fullmatch(r"member_\d+", one["config"].get("name", ""))]
    if member >= max(len(voting), 1):
        raise UserError(
            f"{where}.member is {member}, but the saved model has {len(voting) or 'one'}, counted "
            "from 0; give a smaller number."
        )
    return voting[member] if voting else config


def _check_ends(layers: list[dict], image_shape: list[int], where: str) -> None:
    """Refuse a model whose input is not the prepared images or that does not end with a Dense."""
    kinds = [layer["class_name"] for layer in layers]
    if kinds.count("InputLayer") != 1:
        raise UserError(
            f"{where} names a model with {kinds.count('InputLayer')} inputs of known shape; choose "
            "one that takes one image."
        )
    taken = layers[kinds.index("InputLayer")]["config"]["batch_shape"][1:]
    if taken != image_shape:
        there, here = ("x".join(str(side) for side in shape) for shape in (taken, image_shape))
        raise UserError(
            f"{where} names a model for inputs of {there}, but the prepared images are {here}; "
            "choose a model of the same shape."
        )
    while kinds[-1] in AFTER_DENSE:
        kinds.pop()
    if kinds[-1] != "Dense":
        raise UserError(
            f"{where} names a model that ends with {kinds[-1]}, but a new head can only replace a "
            "Dense layer; choose a classifier that ends with one."
        )


def _check_new(trained_on: np.ndarray, prepared: Path, sha256: str, where: str) -> None:
    """Refuse a model that was trained on images which would validate or test the variant."""
    seen, all_of = [], []
    for split in ("train", "test"):
        present = _digests(prepared / f"{split}_images.npy", sha256)
        seen.append(int(np.isin(present, trained_on).sum()))
        all_of.append(len(present))
    if any(seen):
        raise UserError(
            f"{where} names a model that was trained on {seen[0]} of the {all_of[0]} images that "
            f"validate the folds here and on {seen[1]} of the {all_of[1]} test images, which are "
            "not new to it; start from a model of other images, or give it force: true."
        )


@cache
def _digests(file: Path, sha256: str) -> np.ndarray:
    """Return the digests of prepared images; `sha256`, the data's own, is the key of the cache."""
    return trained_images.digests(np.load(file, mmap_mode="r"))


def _where(variant: str) -> str:
    return f"variants.{variant}.architecture.from_model"
