"""Check a `.keras` file before Keras reads it: listed layers only, within limits.

Neither TensorFlow nor Keras is imported.
"""

import io
import json
import zipfile
import zlib
from typing import Any

import h5py

from stages.engine.allowed_layers import DEPTH, fault, objects
from stages.errors import UserError
from stages.training.trained_images import NAME as TRAINED_IMAGES

FILES = {"config.json", "metadata.json", "model.weights.h5", TRAINED_IMAGES}
CONFIG_BYTES, WEIGHT_BYTES = 2**25, 2**33  # unpacked
UNREADABLE = (  # for damaged, encrypted or unusually compressed archives, and for wrong types
    zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError,
    KeyError, TypeError, AttributeError, ValueError,
)  # fmt: skip


def layers(content: bytes, where: str) -> list[dict[str, Any]]:
    """Return the configuration of a model's layers from the content of a `.keras` file.

    Raises:
        UserError: if it is not such a file, is too large, or has anything that is not listed in
            `allowed_layers`. The message starts with `where`.
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
        parts = [*objects({**config, "compile_config": None})]  # Keras does not compile it
        if found := fault(parts):
            raise refused(where, found)
        for part in parts:
            _check_layers(part)
        kind, listed = config["class_name"], config["config"].get("layers")
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
    if kind not in ("Functional", "Sequential") or not isinstance(listed, list):
        raise unfit(where, f"is of class {kind}", "a Functional or Sequential one")
    return listed


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
    allowed = "a model of the layers listed in docs/variants.md, since no other code is loaded"
    return unfit(where, found, allowed)


def unfit(where: str, found: str, allowed: str) -> UserError:
    """Return the error about a file that has `found`."""
    return UserError(f"{where}: the saved model {found}; choose {allowed}.")


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
