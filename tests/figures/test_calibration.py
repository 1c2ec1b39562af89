import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from stages.figures.calibration import calibration

BINS = {
    "confidence": np.array([0.0, 0.3, 0.7, 0.96]),
    "accuracy": np.array([0.0, 0.5, 0.6, 0.99]),
    "count": np.array([0, 2, 30, 5000]),
}


def test_points_bars_gaps_and_histogram_are_the_bins(texts):
    figure = calibration(BINS, 0.0312, variant="basic")
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
    written = texts(figure)
    assert "basic: calibration" in written
    assert any("3.12 %" in text and "5,032" in text for text in written)
