import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text


@pytest.fixture
def texts():
    """Return a function that lists all texts of a figure, wrapped ones in one line."""

    def written(figure: Figure) -> list[str]:
        found = [text.get_text() for text in figure.findobj(Text)]
        return [" ".join(text.split()) for text in found if text]

    return written


@pytest.fixture
def no_overlap():
    """Return a function that checks that no two of these artists overlap."""

    def check(artists) -> None:
        boxes = [artist.get_window_extent() for artist in artists]
        for number, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[number + 1 :])

    return check
