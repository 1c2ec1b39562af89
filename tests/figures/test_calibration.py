import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from stages.figures.calibration import calibration

BINS = {
    "confidence": np.array([0.0, 0.3, 0.7, 0.96]),
    "accuracy": np.array([0.0, 0.5, 0.6, 0.99]),
    "count": np.array([0, 2, 30, 5000]),
}


def test_points_bars_gaps_and_histogram_are_the_bins():
    figure = calibration(BINS, 0.0312, variant="basic")
    assert isinstance(figure, Figure)
    diagram, histogram = figure.axes
    filled, few = (item for item in diagram.collections if isinstance(item, PathCollection))
    assert filled.get_offsets().tolist() == [[0.7, 0.6], [0.96, 0.99]]
    assert few.get_offsets().tolist() == [[0.3, 0.5]]
    assert to_hex(few.get_facecolor()[0]) == "#ffffff"
    assert [bar.get_height() for bar in diagram.patches] == [0.5, 0.6, 0.99]
    assert [bar.get_height() for bar in histogram.patches] == [0, 2, 30, 5000]
    middle = [bar.get_x() + bar.get_width() / 2 for bar in histogram.patches]
    assert middle == pytest.approx([0.125, 0.375, 0.625, 0.875])
    (diagonal,) = diagram.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]


def test_error_and_n_are_said(texts, fits):
    figure = calibration(BINS, 0.0312, variant="basic")
    written = texts(figure)
    assert "basic: calibration" in written
    assert "expected calibration error 3.12 %, n = 5,032 test images" in written
    assert fits(figure)


@pytest.mark.parametrize("images", [1, 60_000])
def test_all_images_in_one_bin(images, fits):
    bins = {"confidence": np.ones(1), "accuracy": np.ones(1), "count": np.array([images])}
    figure = calibration(bins, 0.0, variant="basic")
    assert fits(figure)
    assert figure.axes[1].get_ylim()[1] > images
