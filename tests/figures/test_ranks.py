import numpy as np

from stages.figures import style
from stages.figures.ranks import ranks


def test_each_probability_of_half_a_percent_or_more_is_written():
    probability = np.array([[0.9, 0.1, 0.0], [0.1, 0.6, 0.3], [0.0, 0.3, 0.7]])
    figure = ranks(["a", "b", "c"], probability, "accuracy")
    (axes,) = figure.axes
    written = {tuple(map(round, text.get_position())): text.get_text() for text in axes.texts}
    assert written[0, 0] == "90"
    assert written[2, 1] == "30"
    assert (2, 0) not in written
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


def test_one_variant_and_twenty_can_be_drawn():
    for n in (1, 20):
        assert style.png(ranks([f"variant_{one}" for one in range(n)], np.eye(n), "accuracy"))
