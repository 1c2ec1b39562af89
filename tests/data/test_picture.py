"""Pictures are converted to the form of the images that a model was trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import data
from stages.data import mnist, picture
from stages.errors import UserError
from stages.settings.sections import Data
from tests.drawn import encoded, pixels, tree
from tests.refusals import refused


@pytest.fixture(scope="module")
def digits():
    return mnist.load_5k(Data()).train.images[::97]


def drawn(digit, ink, paper, size, at, canvas):
    """Return a page with an enlarged digit, in one colour on another."""
    mask = Image.fromarray(digit[..., 0]).resize((size, size), Image.Resampling.BICUBIC)
    page = Image.new("RGB", canvas, paper)
    page.paste(Image.new("RGB", (size, size), ink), at, mask)
    return page


def distance(page, digit):
    return np.abs(picture.as_digit(page).astype(float) - digit).mean()


def test_a_digit_of_mnist_stays_as_it_is(digits):
    away = [distance(Image.fromarray(digit[..., 0]).convert("RGB"), digit) for digit in digits]
    assert np.median(away) < 2  # grey levels; 33 is the mean of MNIST itself
    assert max(away) < 15


@pytest.mark.parametrize(
    ("ink", "paper"),
    [("black", "white"), ("yellow", "darkblue"), ((200, 0, 0), (0, 102, 0))],  # of similar grey
)
def test_colours_size_and_place_do_not_matter(digits, ink, paper):
    pages = [drawn(digit, ink, paper, 140, (210, 30), (400, 300)) for digit in digits]
    assert np.median([distance(*pair) for pair in zip(pages, digits, strict=True)]) < 8


def test_it_is_centred_by_mass_and_within_its_box(digits):
    for digit in digits:
        field = picture.as_digit(drawn(digit, "black", "white", 90, (3, 50), (200, 150)))
        assert (field.shape, field.dtype, field.max()) == ((28, 28, 1), np.uint8, 255)
        rows, columns = np.nonzero(field[..., 0])
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        mass = field[..., 0] / field.sum()
        centre = [(mass.sum(axis=axis) * np.arange(28)).sum() for axis in (0, 1)]
        assert np.abs(np.subtract(centre, 14)).max() < 1


def test_faint_noise_is_no_ink():
    pixels = np.random.default_rng(0).integers(225, 256, (200, 200))
    pixels[60:140, 95:105] = 20
    field = picture.as_digit(Image.fromarray(pixels.astype(np.uint8)).convert("RGB"))
    rows, columns = np.nonzero(field[..., 0])
    assert np.ptp(rows) == 19
    assert np.ptp(columns) <= 3


@pytest.mark.parametrize("size", [(1, 1), (300, 5)])
def test_an_empty_page_is_refused(size):
    with pytest.raises(UserError, match="border"):
        picture.as_digit(Image.new("RGB", size, "beige"))


@pytest.mark.parametrize("size", [(2, 1), (3, 500), (500, 3), (1000, 1000)])
def test_any_shape_fits(size):
    page = Image.new("RGB", size, "white")
    page.putpixel((size[0] // 2, 0), (0, 0, 0))
    assert picture.as_digit(page).shape == (28, 28, 1)
    page.save("page.png")
    for shape in ((12, 20, 1), (32, 32, 3)):
        assert picture.as_trained(Path("page.png"), shape, Data()).shape == shape


def test_a_file_is_read_or_refused_in_one_sentence(tmp_path):
    Image.new("LA", (4, 2)).save(tmp_path / "clear.png")
    assert picture.read(tmp_path / "clear.png", Data()).getcolors() == [(8, (255, 255, 255))]
    (tmp_path / "text").write_bytes(b"no image")
    for name in ("text", "absent", ""):
        with refused(f"^{tmp_path / name}"):
            picture.read(tmp_path / name, Data())
        with refused(f"^{tmp_path / name}"):
            picture.as_trained(tmp_path / name, (8, 8, 1), Data())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_a_file_becomes_what_training_made_of_it(tmp_path, kind, channels, resize):
    files = {
        f"{name}/{seed}.{kind}": encoded(pixels(seed, 1001, 242, channels), kind)
        for seed, name in enumerate("ab")
    }
    tree(tmp_path, {name.lower(): content for name, content in files.items()})
    settings = Data(source=str(tmp_path), image_size=[32, 32], resize=resize)
    train = data.load(settings).train
    for file, image in zip(train.files, train.images, strict=True):
        assert (picture.as_trained(tmp_path / file, image.shape, settings) == image).all()


def test_only_mnist_has_the_form_of_its_digits():
    assert picture.is_digits({"source": "mnist"})
    assert picture.is_digits({"source": "mnist-5k"})
    assert not picture.is_digits({"source": "fashion-mnist"})
    assert not picture.is_digits({"source": "my-digits.npz"})
