from itertools import combinations

import numpy as np
import pytest

from stages.figures.comparison import comparison as draw
from stages.statistics.baseline import against_baseline
from stages.statistics.metrics import METRICS
from tests.compared import BETTER, TIED, WORSE


def figure(accuracy, names=None, hidden=0):
    """Draw variants with these fold accuracies; the first is the baseline."""
    accuracy = np.asarray(accuracy)
    names = names or [f"v{number}" for number in range(len(accuracy))]
    scores = dict(zip(names, accuracy, strict=True))
    correct = dict.fromkeys(names, np.ones(9, bool))
    rows = against_baseline(scores, correct, names[0], folds=5, rope=0.0005)
    return draw(rows, accuracy, rope=0.0005, hidden=hidden)


def test_figure_has_a_row_per_variant_and_every_fold_as_a_dot():
    left, right = figure([TIED, BETTER, WORSE]).axes
    dots = [line for line in left.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(
        [dot.get_xdata() for dot in dots], 100 * np.array([TIED, BETTER, WORSE])
    )
    squares = [line for line in right.lines if line.get_marker() == "s"]
    assert [float(line.get_xdata()[0]) for line in squares] == pytest.approx([7.8, -7.8])
    written = [text.get_text() for text in (*left.texts, *right.texts)]
    assert [text for text in written if text in ("v0", "v1", "v2")] == ["v0", "v1", "v2"]
    assert "+7.80 (1.61 to 13.99)" in written


@pytest.mark.parametrize("metric", METRICS)
def test_numbers_do_not_overlap_whatever_their_length(metric):
    least = METRICS[metric].best - 1  # of the log loss it is negative
    scores = {"v0": TIED + least, "v1": BETTER + least, "v2": WORSE + least}
    correct = dict.fromkeys(scores, np.ones(9, bool))
    rows = against_baseline(scores, correct, "v0", folds=5, rope=0.0005, metric=metric)
    drawn = draw(rows, np.array([*scores.values()]), rope=0.0005)
    drawn.canvas.draw()
    for axes in drawn.axes:
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        for texts in (axes.texts, labels):
            boxes = [text.get_window_extent() for text in texts]
            assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_variants_that_are_not_drawn_are_counted(texts):
    drawn = figure([TIED, BETTER], hidden=198)
    assert "200 variants on the same folds, the best 1 and v0" in texts(drawn)
    assert len(figure([TIED]).axes) == 1  # of one variant there are no differences


def test_figure_is_not_squeezed_by_a_variant_that_failed():
    good = [0.9 + TIED / 10 + shift for shift in (0, 0.01, 0.02)]
    left, right = figure([*good, [0.1] * 5]).axes
    assert left.get_xlim()[0] > 50
    assert right.get_xlim()[0] > -20
    arrows = [line for axes in (left, right) for line in axes.lines if line.get_marker() == "<"]
    assert len(arrows) == 2


def test_figure_breaks_long_names_and_ties_have_room():
    long = "a_name_of_sixty_four_characters_which_is_what_is_allowed_at_most"
    left = figure([[0.9] * 5, [0.9] * 5], names=[long, "b" * 64]).axes[0]
    lines = [text.get_text().split("\n") for text in left.texts if text.get_ha() == "right"]
    assert ["".join(parts) for parts in lines] == [long, "b" * 64]
    assert max(len(part) for parts in lines for part in parts) <= 24
    assert all(part.endswith("_") for part in lines[0][:-1])
    assert np.ptp(left.get_xlim()) > 0
