"""Image files of every kind, and the pixels read from them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.data import decode
from stages.settings.sections import Data
from tests.drawn import encoded, pixels

GREY, COLOUR = pixels(height=10, width=12), pixels(height=10, width=12, channels=3)
# how the upright image is stored for the EXIF orientations 2 to 8
TURNS = (
    "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_90 TRANSVERSE ROTATE_270".split()  # noqa: SIM905
)


def read(path, content, shape=(10, 12, 3), resize="pad", bits=16, **settings):
    """Return the decoded pixels of a file's content."""
    path.write_bytes(content)
    return decode.decode(decode.opened(path), shape, Data(resize=resize, **settings), bits)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image"


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_lossless_formats_keep_all_pixels(path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind != "GIF":  # it keeps 256 colours
        assert (read(path, encoded(COLOUR, kind, **options)) == COLOUR).all()
    if kind != "WEBP":  # it has no grey
        for channels in (1, 3):
            assert (read(path, encoded(GREY, kind), (10, 12, channels)) == GREY).all()


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_frame_counts(path, kind):
    frames = [Image.fromarray(np.full((10, 12), value, np.uint8)) for value in (7, 200)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert np.abs(read(path, content).astype(int) - 7).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled(path, kind):
    wide = np.array([[0, 127, 128, 129, 257 * 100, 65407, 65408, 65535]] * 8, np.uint16)
    content = encoded(Image.fromarray(wide), kind)
    assert read(path, content, (8, 8, 1))[0, :, 0].tolist() == [0, 0, 0, 1, 100, 255, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparency_becomes_white(path, mode, channels):
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4, :, 3] = 255  # the upper half is black
    found = read(path, encoded(Image.fromarray(clear).convert(mode)), (8, 8, channels))
    assert (found[:4] == 0).all()
    assert (found[4:] == 255).all()


@pytest.mark.parametrize(
    ("background", "rest"), [(None, 0), ("black", 0), ("white", 255), ("edge", 100), ("mean", 150)]
)
def test_padding_has_the_background(path, background, rest):
    halves = np.repeat([[100]] * 16 + [[200]] * 16, 8, axis=1).astype(np.uint8)
    found = read(path, encoded(halves), (32, 32, 1), background=background)[..., 0]
    assert (found[:16, 12:20] == 100).all()
    assert (found[0, :12] == rest).all()
    assert (found[0, 20:] == rest).all()


@pytest.mark.parametrize(("background", "behind"), [("black", 0), ("mean", 60), ("edge", 60)])
def test_transparency_has_the_background(path, background, behind):
    clear = np.full((8, 8, 4), 60, np.uint8)
    clear[:, 4:] = 0
    clear[:, :4, 3] = 255
    found = read(path, encoded(Image.fromarray(clear)), (8, 8, 3), background=background)
    assert (found[:, 4:] == behind).all()
    assert (found[:, :4] == 60).all()


def test_grey_levels_of_fewer_bits_are_scaled_by_them(path):
    content = encoded(Image.fromarray(np.array([[0, 2048, 4095]] * 8, np.uint16)))
    assert read(path, content, (8, 3, 1), bits=12)[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(decode.UnreadableError, match="4,095"):
        read(path, content, (8, 3, 1), bits=10)


def test_a_palette_is_looked_up_with_its_transparent_entry(path):
    palette = Image.fromarray(np.repeat([[0, 1], [2, 1]], 4, 0).astype(np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
    for options, last in (({}, 9), ({"transparency": 2}, 255)):
        found = read(path, encoded(palette, **options), (8, 2, 3))
        assert found[[0, 0, 7], [0, 1, 0]].tolist() == [[255, 0, 0], [0, 255, 0], [last] * 3]


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr"])
def test_other_modes_become_colour(path, mode):
    image = Image.fromarray(COLOUR).convert(mode)
    assert read(path, encoded(image, "TIFF")).shape == (10, 12, 3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_is_applied(path, kind, turn):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 255
    stored = Image.fromarray(upright)
    stored = stored.transpose(Image.Transpose[TURNS[turn - 2]]) if turn > 1 else stored
    exif = Image.Exif()
    exif[decode.ORIENTATION] = turn
    content = encoded(stored, kind, exif=exif)
    assert (read(path, content, (16, 32, 1))[..., 0] > 128).tolist() == (upright > 128).tolist()
    assert decode.size(decode.opened(path)) == (16, 32)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("value", [0, 9, b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0no TIFF"])
def test_an_image_with_invalid_exif_is_upright(path, value):
    exif = Image.Exif()
    exif[decode.ORIENTATION] = value
    content = encoded(GREY, exif=exif if isinstance(value, int) else value)
    assert (read(path, content, (10, 12, 1)) == GREY).all()


def test_pad_keeps_proportions_crop_keeps_the_middle_and_stretch_all(path):
    flat = encoded(np.full((8, 16), 200, np.uint8))
    pad = read(path, flat, (32, 32, 1), "pad")[..., 0]
    assert pad[[7, 8, 23, 24]].tolist() == [[0] * 32, [200] * 32, [200] * 32, [0] * 32]
    parts = encoded(np.repeat([[0] * 8 + [100] * 16 + [200] * 8], 16, 0).astype(np.uint8))
    assert (read(path, parts, (8, 8, 1), "crop")[:, 2:6] == 100).all()
    stretch = read(path, parts, (32, 32, 1), "stretch")[..., 0]
    assert (stretch[:, [0, 16, 31]] == [0, 100, 200]).all()


@given(
    st.tuples(*[st.integers(1, 70)] * 2) | st.sampled_from([(1, 5000), (5000, 1)]),
    st.tuples(*[st.integers(8, 40)] * 2, st.sampled_from([1, 3])),
    st.sampled_from(["pad", *decode.RESIZE]),
)
def test_any_size_becomes_the_size_that_is_wanted(shape, wanted, resize):
    image = Image.open(io.BytesIO(encoded(np.full(shape, 77, np.uint8))))
    found = decode.decode(image, wanted, Data(resize=resize))
    assert found.shape == wanted
    assert 77 in found  # not all of it is padding
    assert resize == "pad" or (found == 77).all()


def test_a_large_photo_is_decoded_small(path, monkeypatch):
    widths, resized = [], decode.resized

    def spy(image, *given):
        widths.append(image.width)
        return resized(image, *given)

    monkeypatch.setattr(decode, "resized", spy)
    photo = np.repeat(np.arange(1200, dtype=np.uint16) // 5, 800).reshape(1200, 800)
    found = read(path, encoded(photo.astype(np.uint8).T, "JPEG"), (32, 32, 1), "stretch")
    assert widths == [150]
    assert np.abs(found[5, :, 0] - np.linspace(3, 237, 32)).max() < 5


def test_a_photo_that_is_decoded_small_keeps_its_proportions(path):
    photo = encoded(np.full((1001, 242), 200, np.uint8), "JPEG")
    found = read(path, photo, (60, 60, 1), background="black")[..., 0]
    rows, columns = decode.inside((1001, 242), (60, 60))
    shows = np.zeros((60, 60), bool)
    shows[rows, columns] = True
    assert ((found > 0) == shows).all()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"just text\n" * 9, "formats BMP, GIF, JPEG, PNG, TIFF, WEBP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "formats"),
        (encoded(COLOUR)[:-40], "damaged"),
        (encoded(COLOUR, "JPEG")[:-60], "damaged"),
        (encoded(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"), "32 bits"),
        (None, "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(path, content, expected):
    with pytest.raises(decode.UnreadableError, match=expected):
        read(path, content) if content is not None else decode.opened(path)


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [119, 59])  # from twice the limit on, Pillow refuses
def test_an_image_of_too_many_pixels_is_left_out(path, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(decode.UnreadableError, match=f"{limit}"):
        read(path, encoded(COLOUR))


def test_an_image_that_needs_too_much_memory_is_left_out(path, monkeypatch):
    def exhausted(*ignored):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", exhausted)
    with pytest.raises(decode.UnreadableError, match="memory"):
        read(path, encoded(COLOUR))
