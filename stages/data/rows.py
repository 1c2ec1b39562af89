"""Selected rows of an array, read in blocks to avoid a second copy in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 1 << 24  # bytes copied at once


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of an array in a given order; indexing copies only the selected ones.

    Attributes:
        array: (n, ...), of any type.
        chosen: int64 (m,), row numbers of `array`.
    """

    array: np.ndarray
    chosen: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        """The type of the array."""
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the chosen rows together."""
        return (len(self.chosen), *self.array.shape[1:])

    def __len__(self) -> int:
        """Return the number of chosen rows."""
        return len(self.chosen)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Return a copy of rows, numbered among the chosen ones."""
        return self.array[self.chosen[rows]]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Return a copy of all chosen rows."""
        return self[:].astype(dtype or self.dtype, copy=False)


def take(images: np.ndarray | Rows, chosen: np.ndarray) -> Rows:
    """Choose rows without copying them; `chosen` indexes the rows of `images`."""
    if isinstance(images, Rows):
        return Rows(images.array, images.chosen[chosen])
    return Rows(images, chosen)


def blocks(array: np.ndarray | Rows) -> Iterator[np.ndarray]:
    """Yield all rows in order, in contiguous arrays of about 16 MB, at least one row each."""
    step = max(1, BLOCK * len(array) // max(1, array.dtype.itemsize * int(np.prod(array.shape))))
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])
