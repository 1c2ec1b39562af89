"""SVG coordinates of confusion matrices and of their differences to the baseline's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

LEVELS = 5  # shades of a cell
MOST_NUMBERS = 12  # classes up to which numbers fit into the cells
MOST_NAMES = 30  # classes up to which names fit beside rows and columns
NAME = 8  # characters of a class name at the edge
SIDE = 300  # pixels of the matrix
EDGE = (24, 92)  # pixels beside it, for names of up to two characters and for longer ones


def confusion(counts: np.ndarray, most: int) -> dict[str, Any]:
    """Return the cells of a confusion matrix: correct predictions in grey, mistakes in shades.

    Args:
        counts: int (classes, classes), images by actual (row) and predicted class (column).
        most: the number of mistakes of the darkest shade, the same for all matrices side by side.
    """
    correct = np.eye(len(counts), dtype=bool) & (counts > 0)
    mistakes = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    shades = {"correct": correct} | _shades("bad", mistakes, most)
    return _cells(counts, shades, lambda images: f"{images:,}")


def difference(counts: np.ndarray, baseline: np.ndarray, most: int) -> dict[str, Any]:
    """Return the cells of a matrix minus the baseline's.

    More mistakes and fewer correct predictions are bad, the opposite is good.

    Args:
        counts: int (classes, classes), of the variant.
        baseline: int (classes, classes), of the baseline, on the same images.
        most: the number of images of the darkest shade.
    """
    more = counts - baseline
    worse = np.where(np.eye(len(counts), dtype=bool), -more, more)
    shades = _shades("bad", worse, most) | _shades("good", -worse, most)
    return _cells(more, shades, lambda images: f"{images:+,}".replace("-", "−"))  # noqa: RUF001


def frame(classes: Sequence[str]) -> dict[str, Any]:
    """Return what all matrices share: sizes in pixels, and the names along their edges."""
    names = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in classes]
    longest = max(map(len, names)) if len(names) <= MOST_NAMES else 0
    edge = EDGE[longest > 2]
    cell = SIDE / len(names)
    return {
        "classes": len(names),
        "names": [(f"{(row + 0.5) * cell:.1f}", name) for row, name in enumerate(names)]
        if longest
        else [],
        "upright": longest > 2,
        "edge": edge,
        "side": SIDE,
        "size": min(12, round(0.75 * cell, 1)),
    }


def _shades(kind: str, values: np.ndarray, most: int) -> dict[str, np.ndarray]:
    """Return shade -> its cells; the exponent keeps one image visible next to a hundred."""
    share = np.clip(values / max(most, 1), 0, 1) ** 0.7
    level = np.ceil(LEVELS * share).astype(int)
    return {f"{kind}{number}": level == number for number in range(1, LEVELS + 1)}


def _cells(
    values: np.ndarray, shades: Mapping[str, np.ndarray], number_format: Callable[[int], str]
) -> dict[str, Any]:
    """Return one path per shade, and the numbers: (x, y, text)."""
    cell = SIDE / len(values)
    wide = f"{cell:.2f}".rstrip("0").rstrip(".")
    paths = {}
    for shade, chosen in shades.items():
        at = [(f"{cell * x:.1f}", f"{cell * y:.1f}") for y, x in np.argwhere(chosen).tolist()]
        if at:
            paths[shade] = "".join(f"M{x} {y}h{wide}v{wide}h-{wide}z" for x, y in at)
    few = len(values) <= MOST_NUMBERS
    places = np.argwhere(values).tolist() if few else []
    numbers = [
        (f"{(x + 0.5) * cell:.1f}", f"{(y + 0.5) * cell:.1f}", number_format(int(values[y, x])))
        for y, x in places
    ]
    return {"paths": paths, "numbers": numbers}
