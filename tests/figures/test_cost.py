from stages.figures.cost import cost
from tests.report.made import row


def rows():
    costs = [("wide", 0.99, 4.0, True), ("basic", 0.98, 1.0, True), ("slow", 0.97, 5.0, False)]
    return [
        row(name, "undecided", cv_mean=mean, one_image_ms=time, front=front, metric="accuracy")
        for name, mean, time, front in costs
    ]


def test_the_line_joins_the_front_from_the_fastest_to_the_best():
    (axes,) = cost(rows()).axes
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [1.0, 4.0]
    assert line.get_ydata().tolist() == [98.0, 99.0]
    assert {text.get_text() for text in axes.texts} == {"wide", "basic", "slow"}
    assert axes.get_xscale() == "log"


def test_times_are_plain_numbers():
    figure = cost(rows())
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"1", "2", "5"} <= {*labels}
    assert all(float(label) > 0 for label in labels)
