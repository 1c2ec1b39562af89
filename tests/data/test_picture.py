import numpy as np
import pytest
from PIL import Image

from stages.data import mnist5k, picture
from stages.settings.sections import Data


@pytest.fixture(scope="module")
def digits():
    return mnist5k.load(Data()).train_images[::97]


def drawn(digit, ink, paper, size, at, canvas):
    """Return a digit drawn larger, in a colour on another, somewhere on a canvas."""
    mask = Image.fromarray(digit[..., 0]).resize((size, size), Image.Resampling.BICUBIC)
    page = Image.new("RGB", canvas, paper)
    page.paste(Image.new("RGB", (size, size), ink), at, mask)
    return page


def same(one, other):
    return np.abs(one.astype(float) - other).mean()


def test_a_digit_of_mnist_stays_as_it_is(digits):
    away = [same(picture.as_digit(Image.fromarray(d[..., 0]).convert("RGB")), d) for d in digits]
    assert np.median(away) < 2  # grey levels; 33 is the mean of MNIST itself
    assert max(away) < 15


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("white", "black"),
        ("black", "white"),
        ("navy", "lightyellow"),
        ("yellow", "darkblue"),
        ((200, 0, 0), (0, 102, 0)),  # of about the same grey
    ],
)
def test_colours_size_and_place_do_not_matter(digits, ink, paper):
    away = []
    for digit in digits:
        page = drawn(digit, ink, paper, 140, (210, 30), (400, 300))
        away.append(same(picture.as_digit(page), digit))
    assert np.median(away) < 8


def test_it_is_centred_by_mass_and_within_its_box(digits):
    for digit in digits:
        field = picture.as_digit(drawn(digit, "black", "white", 90, (3, 50), (200, 150)))
        assert field.shape == (28, 28, 1)
        assert field.dtype == np.uint8
        assert field.max() == 255
        rows, columns = np.nonzero(field[..., 0])
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        mass = field[..., 0] / field.sum()
        centre = [(mass.sum(axis=axis) * np.arange(28)).sum() for axis in (0, 1)]
        assert np.abs(np.subtract(centre, 14)).max() < 1


def test_faint_noise_is_no_ink():
    random = np.random.default_rng(0)
    pixels = random.integers(225, 256, (200, 200))
    pixels[60:140, 95:105] = 20
    field = picture.as_digit(Image.fromarray(pixels.astype(np.uint8)).convert("RGB"))
    rows, columns = np.nonzero(field[..., 0])
    assert np.ptp(rows) == 19
    assert np.ptp(columns) <= 3


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 5)])
def test_an_empty_page_is_refused(size):
    with pytest.raises(ValueError, match="nothing that differs"):
        picture.as_digit(Image.new("RGB", size, "beige"))


@pytest.mark.parametrize("size", [(2, 1), (3, 500), (500, 3), (1000, 1000)])
def test_any_shape_fits(size):
    page = Image.new("RGB", size, "white")
    page.putpixel((size[0] // 2, 0), (0, 0, 0))
    assert picture.as_digit(page).shape == (28, 28, 1)
    for shape in ((12, 20, 1), (32, 32, 3)):
        assert picture.as_trained(page, shape).shape == shape


def test_other_data_keep_their_proportions_and_colours():
    page = Image.new("RGB", (40, 20), (200, 100, 50))
    made = picture.as_trained(page, (16, 16, 3))
    assert (made[4:12] == (200, 100, 50)).all()
    assert (made[:4] == 0).all()
    assert (made[12:] == 0).all()
    grey = picture.as_trained(page, (16, 16, 1))
    assert set(np.unique(grey)) == {0, 124}  # .299 x 200 + .587 x 100 + .114 x 50


@pytest.mark.parametrize(
    "name", ["one.png", "one.jpg", "one.bmp", "one.gif", "one.tif", "one.webp"]
)
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "RGBA", "LA", "CMYK", "I;16"])
def test_kinds_of_files(tmp_path, name, mode):
    page = Image.new("L", (30, 20), 255)
    page.paste(0, (10, 5, 20, 15))
    if mode == "I;16":
        page = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    else:
        page = page.convert("RGB").convert(mode) if mode in ("P", "CMYK") else page.convert(mode)
    try:
        page.save(tmp_path / name)
    except (OSError, ValueError, KeyError):
        pytest.skip("Pillow writes no such file")
    pixels = np.asarray(picture.read(tmp_path / name))
    assert pixels.shape == (20, 30, 3)
    assert pixels[10, 15].max() < 20
    assert pixels[1, 1].min() > 235


def test_what_is_transparent_is_paper_and_exif_turns(tmp_path):
    page = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    page.putpixel((0, 0), (0, 0, 0, 255))
    page.save(tmp_path / "clear.png")
    pixels = np.asarray(picture.read(tmp_path / "clear.png"))
    assert (pixels[0, 0] == 0).all()
    assert (pixels[1:] == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert picture.read(tmp_path / "turned.jpg").size == (20, 40)


def test_unreadable_files_are_one_sentence(tmp_path, monkeypatch):
    Image.new("RGB", (40, 20)).save(tmp_path / "good.png")
    data = (tmp_path / "good.png").read_bytes()
    for name, content in {"empty": b"", "text": b"no image", "cut": data[:-30]}.items():
        (tmp_path / name).write_bytes(content)
    for name in ("empty", "text", "cut", "absent", ""):
        with pytest.raises(ValueError, match=f"^{tmp_path / name}.*[a-z];? .*[.]$") as expected:
            picture.read(tmp_path / name)
        assert "\n" not in str(expected.value)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ValueError, match="more than 500"):
        picture.read(tmp_path / "good.png")


@pytest.mark.parametrize(
    ("classes", "shape", "digits"),
    [
        ("0123456789", (28, 28, 1), True),
        ("0123456789", (28, 28, 3), False),
        ("0123456789", (32, 32, 1), False),
        (["cat", "dog"], (28, 28, 1), False),
    ],
)
def test_what_counts_as_digits(classes, shape, digits):
    assert picture.is_digits(classes, shape) is digits
