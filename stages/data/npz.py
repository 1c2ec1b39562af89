"""User source: one `.npz` file of arrays."""

from pathlib import Path

import numpy as np

from stages.data import arrays
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = (
    "an .npz file with x_train, y_train and optionally x_test, y_test, or with images, labels"
)
KEYS = (("x_train", "y_train", "x_test", "y_test"), ("x_train", "y_train"), ("images", "labels"))


def recognises(path: Path) -> bool:
    """Return whether this is a file with the suffix .npz."""
    return path.is_file() and path.suffix.lower() == ".npz"


def load(path: Path, data: Data) -> Source:
    """Read the arrays, but no Python objects; classes are the labels, numbers or text."""
    with path.open("rb") as file:
        try:
            archive = np.lib.npyio.NpzFile(file)
            present = {*archive.files}
            keys = next((keys for keys in KEYS if present >= {*keys}), ())
            read = [np.asarray(archive[key]) for key in keys]
        except Exception as error:  # damage, Python objects, or a size that exceeds the memory
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(
                f"{path} cannot be read as an .npz file of plain numbers or text ({reason}); save "
                "it again with numpy.savez."
            ) from None
    if not keys or (keys == KEYS[1] and present & {*KEYS[0]} > {*keys}):
        raise UserError(
            f"{path} has {', '.join(map(repr, sorted(present)[:8])) or 'nothing'}; give it x_train "
            "and y_train, with both or neither of x_test and y_test, or images and labels."
        )
    return arrays.source(path.name, *map(Split, read[::2], read[1::2]))
