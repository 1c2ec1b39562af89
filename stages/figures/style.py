"""Style shared by all figures: fonts, colours, headings, and saving.

A figure's size is that of its axes. Headings, labels and legends stand outside them, because `png`
extends the page to everything drawn.
"""

import contextlib
import functools
import io
import logging
import sys
import textwrap
import warnings
from bisect import bisect_right
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import (
    FontProperties,
    findfont,
    findSystemFonts,
    fontManager,
    get_font,
)
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from stages.files import write_bytes

DPI = 140
WIDTH = 6.4  # inches; 11 point text is then still legible on a phone
TEXT = 11  # points
MARGIN = 0.3  # inches around everything drawn
LINE = 0.22  # inches from one line of text to the next
FONT = "DejaVu Sans"
# For scripts that FONT does not have, in this order, where they are installed.
OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Droid Sans Fallback",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
)


def _fonts() -> list[str]:
    """Return FONT and the installed ones of OTHER_FONTS."""
    for path in {*findSystemFonts()} - {font.fname for font in fontManager.ttflist}:
        with contextlib.suppress(RuntimeError, OSError):  # a damaged font file
            fontManager.addfont(path)  # installed after matplotlib made its list
    installed = {font.name for font in fontManager.ttflist}
    return [FONT, *(font for font in OTHER_FONTS if font in installed)]


FONTS = _fonts()
CHARACTER = 0.0073  # inches, the mean width of a character per point of its size

INK = "#1f2933"
MUTED = "#5f6c7b"
FAINT = "#d5dbe1"
BLUE = "#3b6ea5"
ORANGE = "#d9660a"
GREEN = "#1a7f37"
RED = "#c0271d"

# Independent of a user's matplotlibrc and, where FONT has all characters, of installed fonts, so
# that bytes are the same everywhere. parse_math is off: class names may contain dollar signs.
STYLE = {
    "font.family": FONTS,
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
    "figure.subplot.left": 0,
    "figure.subplot.right": 1,
    "figure.subplot.bottom": 0,
    "figure.subplot.top": 1,
    "legend.frameon": False,
    "legend.borderpad": 0,
    "legend.handlelength": 1.5,
}


logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # no bold in OTHER_FONTS
warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # see `_warn`
# Decorator of functions that draw: they run with STYLE, and global settings stay unchanged.
styled = matplotlib.style.context(STYLE, after_reset=True)


def page(width: float, height: float) -> Figure:
    """Return an empty white figure of this size in inches, on which text can be measured."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a page, and axes on it whose coordinates are inches from the upper left corner."""
    figure = page(width, height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    return figure, axes


def heading(figure: Figure, title: str, note: str, width: float = WIDTH) -> None:
    """Write a bold title and a note above everything drawn so far, wrapped to `width` inches."""
    box = figure.get_tightbbox()
    bottom = box.y1 + 0.16
    for text, size, style in ((note, TEXT, {"color": MUTED}), (title, 15, {"weight": "bold"})):
        lines = [line for part in text.split("\n") for line in wrap(part, width, size)]
        write(figure, box.x0, bottom, "\n".join(lines), va="bottom", size=size, **style)
        bottom += 0.1 + LINE * size / TEXT * len(lines)


def empty(title: str, note: str) -> Figure:
    """Return a figure of a heading only."""
    figure = page(WIDTH, 0.1)
    heading(figure, title, note)
    return figure


def write(figure: Figure, left: float, bottom: float, text: str, **keywords) -> None:
    """Write `text` at a place in inches from the lower left corner of the axes."""
    width, height = figure.get_size_inches()
    figure.text(left / width, bottom / height, text, **keywords)


def wrap(text: str, width: float, size: float) -> list[str]:
    """Break `text` into lines of about `width` inches, at `size` points."""
    return textwrap.wrap(text, int(width / CHARACTER / size))


@functools.cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text in inches, at `size` points."""
    font = FontProperties(family=FONTS, size=size, weight=weight)
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


@styled
def png(figure: Figure) -> bytes:
    """Return `figure` as a PNG file with everything drawn on it; its bytes depend only on that.

    A palette makes a drawing four times smaller; figures of photographs keep all colours.
    """
    texts = (text.get_text() for text in figure.findobj(Text))
    if missing := {*"".join(texts)} - _drawable() - {"\n"}:
        _warn("".join(sorted(missing)))
    area = figure.get_tightbbox().padded(MARGIN)
    size = np.ceil(DPI * area.size).astype(int)  # whole pixels
    area = Bbox.from_bounds(area.x0, area.y0, *((size + 0.5) / DPI))  # 0.5 guards against rounding
    with io.BytesIO() as pixels, io.BytesIO() as content:
        figure.savefig(pixels, format="rgba", bbox_inches=area)
        picture = Image.frombytes("RGBA", tuple(size), pixels.getvalue())
        if not any(axes.images for axes in figure.axes):
            method = Image.Quantize.FASTOCTREE
            picture = picture.convert("RGB").quantize(256, method, dither=Image.Dither.NONE)
            palette = np.array(picture.getpalette())  # where white has become 254
            picture.putpalette(np.where(palette > 253, 255, palette).tolist())
        picture.save(content, "png")
        return content.getvalue()


@functools.cache
def _drawable() -> frozenset[str]:
    """Return the characters that FONTS have."""
    fonts = (get_font(findfont(FontProperties(family=font))) for font in FONTS)
    return frozenset(chr(code) for font in fonts for code in font.get_charmap())


@functools.cache
def _warn(missing: str) -> None:
    """Print one sentence, instead of matplotlib's warning for each character."""
    print(
        f"foldlab: no installed font can draw {missing[:20]}, so figures show boxes; install one, "
        "such as Debian's fonts-noto-cjk, and run `dvc repro --force plot`.",
        file=sys.stderr,
    )


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as a PNG file; see `png`."""
    write_bytes(path, png(figure))
