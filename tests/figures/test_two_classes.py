import numpy as np

from stages.figures.two_classes import two_classes
from stages.statistics.two_classes import curves

SCORE = np.array([0.1, 0.6, 0.4, 0.9])
TEST = curves(np.stack([1 - SCORE, SCORE], axis=1), np.array([0, 0, 1, 1]))


def test_both_curves_are_drawn_and_the_positive_class_is_named(texts):
    figure = two_classes(TEST, TEST, 0.25, positive="dog", variant="basic")
    roc, precision_recall = figure.axes
    drawn = [line.get_xydata() for line in (*roc.lines, *precision_recall.lines)]
    rates = np.stack([TEST["false_positive_rate"], TEST["true_positive_rate"]], axis=1)
    np.testing.assert_array_equal(drawn[1], rates)
    np.testing.assert_array_equal(drawn[4][:, 1], TEST["precision"])
    assert drawn[5].tolist() == [[0, 0.25], [1, 0.25]]  # guessing
    written = texts(figure)
    assert "basic: ROC and precision-recall, positive class: dog" in written
    assert any("0.750" in text and "0.833" in text for text in written)


def test_a_test_set_without_one_class_is_left_out(texts):
    figure = two_classes({}, TEST, 0.0, positive="dog", variant="basic")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert "test images" not in texts(figure)
