import matplotlib
import pytest
from matplotlib.figure import Figure

from stages.figures import style


def test_styled_leaves_global_settings_alone_and_ignores_them(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "text.color", "#ff00ff")
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 17.0)
    before = dict(matplotlib.rcParams)

    @style.styled
    def inside():
        return matplotlib.rcParams["text.color"], matplotlib.rcParams["lines.linewidth"]

    assert inside() == (style.INK, 1.5)
    assert dict(matplotlib.rcParams) == before


def test_save_gives_the_same_bytes_each_time_and_no_left_over_file(tmp_path):
    for name in ("a.png", "b.png"):
        figure = style.styled(style.page)(2, 1)
        style.write(figure, 0.1, 0.1, "costs $5 or $6")
        style.save(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    assert b"matplotlib" not in (tmp_path / "a.png").read_bytes()  # nor its version


def test_page_is_no_pyplot_figure():
    assert type(style.page(2, 1)) is Figure


@pytest.mark.parametrize("text", ["a", "W" * 200, "some words of more than an inch", ""])
def test_shorten_fits_and_keeps_the_beginning(text):
    short = style.shorten(text, 1.0, 11)
    assert style.text_width(short, 11) <= 1.0
    assert text.startswith(short.removesuffix("…"))


def test_shorten_leaves_a_fitting_text_alone():
    assert style.shorten("sandal", 1.0, 11) == "sandal"


@pytest.mark.parametrize(
    "text", ["one", "several words that need three lines or so " * 2, "a\nb c"]
)
def test_wrap_keeps_all_words_within_the_width(text):
    lines = style.wrap(text, 1.5, 11)
    assert " ".join(lines).split() == text.split()
    assert all(style.text_width(line, 11) <= 1.5 for line in lines)


def test_wrap_keeps_newlines():
    assert style.wrap("a\nb c", 1.5, 11) == ["a", "b c"]


def test_heading_makes_a_long_title_fit(fits):
    figure = style.page(4, 2)
    down = style.heading(figure, "a_very_long_variant_name " * 4, "a note that is long " * 5)
    assert down == style.heading_height("a note that is long " * 5, 4)
    assert fits(figure)
