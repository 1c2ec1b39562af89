"""What the tests of figures ask of a figure."""

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


@pytest.fixture
def texts():
    """Return a function that lists all that a figure says."""
    return lambda figure: [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.fixture
def fits():
    """Return a function that says whether all that a figure draws is on its page."""

    def on_page(figure: Figure) -> bool:
        width, height = figure.get_size_inches()
        drawn = figure.get_tightbbox(figure.canvas.get_renderer())
        slack = 0.01  # inches, for rounding
        return (
            min(drawn.x0, drawn.y0) >= -slack
            and drawn.x1 <= width + slack
            and drawn.y1 <= height + slack
        )

    return on_page
