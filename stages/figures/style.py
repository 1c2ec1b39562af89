"""Style shared by all figures: fonts, colours, headings, and saving."""

import functools
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from stages.files import replacing

DPI = 140
WIDTH = 7.0  # inches; with 11 point text a phone's screen still shows it legibly
TEXT = 11  # points
MARGIN = 0.3  # inches between the figure's edge and anything drawn

INK = "#1f2933"
MUTED = "#5f6c7b"
FAINT = "#d5dbe1"
BLUE = "#3b6ea5"
ORANGE = "#d9660a"
GREEN = "#1a7f37"
RED = "#c0271d"

# Independent of installed fonts and of a user's matplotlibrc, so that bytes are the same
# everywhere. parse_math is off because class names may contain dollar signs.
STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}


def styled(function: Callable) -> Callable:
    """Decorate `function` to run with STYLE; global settings stay unchanged."""

    @functools.wraps(function)
    def inside(*arguments, **keywords):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return function(*arguments, **keywords)

    return inside


def page(width: float, height: float) -> Figure:
    """Return an empty white figure of `width` x `height` inches, on which text can be measured."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float, **keywords):
    """Add axes at a place in inches from the lower left corner; returns the axes."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up), **keywords)


def write(figure: Figure, left: float, down: float, text: str, **keywords):
    """Write `text` at `left` inches and `down` inches from the upper left corner."""
    across, up = figure.get_size_inches()
    keywords = {"va": "top", "ha": "left", **keywords}
    return figure.text(left / across, 1 - down / up, text, **keywords)


@functools.cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text in inches, at `size` points."""
    font = FontProperties(family=STYLE["font.family"], size=size, weight=weight)
    return _ruler().get_text_width_height_descent(text, font, False)[0] / DPI


@functools.cache
def _ruler():
    return page(1, 1).canvas.get_renderer()


def shorten(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Truncate `text` with an ellipsis if it is wider than `width` inches."""
    if text_width(text, size, weight) <= width:
        return text
    lengths = range(1, len(text))
    fitting = bisect_right(lengths, width, key=lambda n: text_width(f"{text[:n]}…", size, weight))
    return text[: max(fitting, 1)].rstrip() + "…"


def wrap(text: str, width: float, size: float) -> list[str]:
    """Break `text` at spaces, so that no line is wider than `width` inches; newlines stay."""
    lines = []
    for paragraph in text.split("\n"):
        if text_width(paragraph, size) <= width:
            lines.append(paragraph)
            continue
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def heading_height(note: str, width: float = WIDTH) -> float:
    """Return the height of a heading in inches; see `heading`."""
    return MARGIN + 0.45 + 0.22 * len(wrap(note, width - 2 * MARGIN, TEXT))


def heading(figure: Figure, title: str, note: str) -> float:
    """Write a bold title, shrunk to fit, and below it a wrapped note.

    Returns:
        The height of the heading, in inches.
    """
    width = float(figure.get_size_inches()[0])
    room = width - 2 * MARGIN
    size = min(15.0, 15.0 * 0.97 * room / text_width(title, 15, "bold"))
    write(figure, MARGIN, MARGIN + 0.2, title, size=size, weight="bold", va="baseline")
    for number, line in enumerate(wrap(note, room, TEXT)):
        write(figure, MARGIN, MARGIN + 0.37 + 0.22 * number, line, color=MUTED)
    return heading_height(note, width)


@styled
def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG file; its bytes depend only on the figure."""
    with replacing(path) as beside:
        figure.savefig(beside, dpi=DPI, metadata={"Software": None})


def key(figure: Figure, handles: list, down: float) -> None:
    """Draw a legend in one line, `down` inches below the upper edge."""
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(MARGIN / width, 1 - down / height),
        ncols=len(handles),
        borderpad=0,
        borderaxespad=0,
        handlelength=1.5,
    )
