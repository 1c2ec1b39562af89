"""User source: one `.npz` file of arrays."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.data import arrays, split_folders
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

DESCRIPTION = (
    "an .npz file with x_train, y_train and optionally x_test, y_test, or with images, labels"
)
TRAIN = (
    ("x_train", "y_train"), ("train_images", "train_labels"), ("x", "y"),
    ("images", "labels"), ("data", "target"), ("data", "labels"),
)  # fmt: skip
TEST = (("x_test", "y_test"), ("test_images", "test_labels"))
VALIDATION = (("x_val", "y_val"), ("x_valid", "y_valid"), ("val_images", "val_labels"))


def recognises(path: Path, data: Data) -> bool:
    """Return whether this is a file with the suffix .npz."""
    return path.is_file() and path.suffix.lower() == ".npz"


def load(path: Path, data: Data) -> Source:
    """Read the arrays, but no Python objects; classes are the labels, numbers or text.

    The names of arrays may be in any case. Validation images go where `data.validation` says.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the .npz file in it.")
    with path.open("rb") as file:
        with _numpy_errors(path):
            archive = np.lib.npyio.NpzFile(file)
        present = {name.lower(): name for name in archive.files}
        kinds = [_pair(present, pairs) for pairs in (TRAIN, TEST, VALIDATION)]
        with _numpy_errors(path):
            arrays_of = {key: archive[present[key]] for pair in kinds for key in pair}
    train, test, validation = (
        Split(arrays_of[pair[0]], arrays_of[pair[1]]) if pair else None for pair in kinds
    )
    single = [
        pair for pairs in (TEST, VALIDATION) for pair in pairs if len({*pair} & {*present}) == 1
    ]
    if not train or single:
        raise UserError(
            f"{path} has {', '.join(map(repr, sorted(archive.files)[:8])) or 'nothing'}; give it "
            "x_train and y_train, with both or neither of x_test and y_test, or images and labels."
        )
    notes = []
    if validation:
        notes = [f"{kinds[2][0]}: {split_folders.VALIDATION[data.validation]}."]
        if data.validation == "train":
            train = arrays.joined(train, validation, path.name, "training")
        elif data.validation == "test":
            test = arrays.joined(test, validation, path.name, "test") if test else validation
    source = arrays.source(path.name, *((train, test) if test else (train,)))
    return replace(source, notes=(*notes, *source.notes))


@contextmanager
def _numpy_errors(path: Path) -> Iterator[None]:
    """Refuse a file that NumPy cannot read. Wrap only calls to NumPy, so as not to hide a bug."""
    try:
        yield
    except Exception as error:  # damage, Python objects, or a size that exceeds the memory
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path} cannot be read as an .npz file of plain numbers or text ({reason}); save "
            "it again with numpy.savez."
        ) from None


def _pair(present: Collection[str], pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return next((pair for pair in pairs if {*pair} <= {*present}), ())
