"""Confusion matrices as shapes."""

import numpy as np
import pytest

from stages.report import matrices

COUNTS = np.array([[90, 5, 0], [1, 1200, 2], [0, 0, 0]])
OTHER = np.array([[92, 3, 0], [1, 1198, 4], [0, 0, 0]])


def test_right_ones_are_apart_and_mistakes_in_shades():
    found = matrices.confusion(COUNTS, 5)
    assert found["paths"]["correct"].count("z") == 2
    assert found["paths"]["bad5"] == "M100.0 0.0h100v100h-100z"  # five cats taken for dogs
    assert sum(path.count("z") for path in found["paths"].values()) == 5
    numbers = {(float(y), float(x)): text for x, y, text in found["numbers"]}
    assert numbers == {
        (50, 50): "90", (50, 150): "5", (150, 50): "1", (150, 150): "1,200", (150, 250): "2"
    }  # fmt: skip


def test_a_difference_says_what_is_worse_and_what_better():
    found = matrices.difference(COUNTS, OTHER, 4)
    cells = {
        shade: sorted(path.split("h100")[0] for path in paths.split("z") if path)
        for shade, paths in found["paths"].items()
    }
    worse = [cell for shade, some in cells.items() if shade.startswith("bad") for cell in some]
    better = [cell for shade, some in cells.items() if shade.startswith("good") for cell in some]
    # more mistakes and fewer correct; more correct and fewer mistakes
    assert sorted(worse) == ["M0.0 0.0", "M100.0 0.0"]
    assert sorted(better) == ["M100.0 100.0", "M200.0 100.0"]
    assert sorted(text for *_, text in found["numbers"]) == ["+2", "+2", "−2", "−2"]  # noqa: RUF001


def test_equal_matrices_differ_nowhere():
    assert matrices.difference(COUNTS, COUNTS, 4) == {"paths": {}, "numbers": []}


@pytest.mark.parametrize(
    ("classes", "names", "numbers", "edge"),
    [
        (["0", "1"], ["0", "1"], True, 24),
        (["a", "Donaudampfschiff"], ["a", "Donauda…"], True, 92),
        ([f"class {i}" for i in range(25)], [f"class {i}" for i in range(25)], False, 92),
        ([str(i) for i in range(100)], [], False, 24),
    ],
)
def test_names_and_numbers_stand_where_there_is_room(classes, names, numbers, edge):
    frame = matrices.frame(classes)
    assert [name for _, name in frame["names"]] == names
    assert frame["edge"] == edge
    cells = matrices.confusion(np.ones((len(classes), len(classes)), int), 4)
    assert bool(cells["numbers"]) == numbers
