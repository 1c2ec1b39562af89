import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from stages.figures import style


def pixels(figure):
    """Return the pixels of the PNG file, (height, width, 3)."""
    return np.array(Image.open(io.BytesIO(style.png(figure))).convert("RGB"))


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


def test_the_page_extends_to_everything_drawn():
    figure = style.page(2, 1)
    figure.subplots().set(xlabel="below", ylabel="beside", title="above")
    style.heading(figure, "a_very_long_variant_name " * 4, "a note that is long " * 9, width=4)
    shown = pixels(figure)
    assert shown.shape[0] > 2 * style.DPI
    assert shown.shape[1] > 3 * style.DPI
    edge = int(0.9 * style.MARGIN * style.DPI)
    assert (shown < 200).any()
    shown[edge:-edge, edge:-edge] = 255
    assert (shown == 255).all()


def test_images_keep_all_their_colours():
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    figure = style.page(1, 1)
    figure.add_axes((0, 0, 40 / style.DPI, 40 / style.DPI)).imshow(values)
    assert len(np.unique(pixels(figure).reshape(-1, 3), axis=0)) > 1000


@pytest.mark.parametrize("text", ["a", "W" * 200, "some words of more than an inch", "", "sandal"])
def test_shorten_fits_and_keeps_the_beginning(text):
    short = style.shorten(text, 1.0, 11)
    assert style.text_width(short, 11) <= 1.0
    assert text.startswith(short.removesuffix("…"))
    assert (short == text) == (style.text_width(text, 11) <= 1.0)


def test_one_sentence_tells_which_characters_no_font_has(capfd):
    drawable = style._drawable()
    missing = next(chr(code) for code in range(0x1E900, 0x1E95F) if chr(code) not in drawable)
    for _ in range(2):
        figure = style.page(1, 1)
        style.write(figure, 0, 0, f"Gr\u00fcn {missing}")
        style.png(figure)
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert missing in err


def test_fonts_for_other_scripts_are_used_where_they_are_installed():
    chinese = "\u732b"
    figure = style.page(1, 1)
    style.write(figure, 0, 0, chinese)
    assert style.text_width(chinese, 11) > 0
    assert ("Droid Sans Fallback" in style.FONTS) <= (chinese in style._drawable())
