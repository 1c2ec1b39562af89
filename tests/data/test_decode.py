"""Image files of every kind, and what is made of their pixels."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.data import decode
from tests.drawn import encoded, pixels

GREY, COLOUR = pixels(height=10, width=12), pixels(height=10, width=12, channels=3)


def read(path, content, size=(10, 12), channels=3, resize="pad"):
    """Return the decoded pixels of a file's content."""
    path.write_bytes(content)
    return decode.attempt(lambda image: decode.decode(image, size, channels, resize)[0], path)


def refusal(path, content):
    with pytest.raises(decode.UnreadableError) as caught:
        read(path, content)
    return str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image"


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_colour_comes_back_from_what_keeps_it(path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (read(path, encoded(COLOUR, kind, **options)) == COLOUR).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
def test_grey_comes_back_as_one_channel_or_three(path, kind):
    assert (read(path, encoded(GREY, kind), channels=1) == GREY).all()
    assert (read(path, encoded(GREY, kind), channels=3) == GREY).all()


def test_jpeg_is_near(path):
    smooth = np.linspace(0, 255, 10 * 12 * 3).reshape(10, 12, 3).astype(np.uint8)
    assert np.abs(read(path, encoded(smooth, "JPEG", quality=95)).astype(int) - smooth).max() < 20


def test_the_first_frame_counts(path):
    frames = [Image.fromarray(np.full((10, 12), value, np.uint8)) for value in (7, 200)]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert np.abs(read(path, content).astype(int) - 7).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled(path, kind):
    wide = np.array([[0, 127, 128, 129, 257 * 100, 65407, 65408, 65535]] * 8, np.uint16)
    content = encoded(Image.fromarray(wide), kind)
    assert read(path, content, (8, 8), 1)[0, :, 0].tolist() == [0, 0, 0, 1, 100, 255, 255, 255]


def test_32_bits_are_not_guessed(path):
    for kind in (np.int32, np.float32):
        content = encoded(Image.fromarray(np.ones((8, 8), kind)), "TIFF")
        assert refusal(path, content) == "has pixels of 32 bits; only 8 and 16 are supported"


def test_what_is_transparent_is_white(path):
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4, :, 3] = 255  # the upper half is black
    for image in (Image.fromarray(clear), Image.fromarray(clear).convert("LA")):
        for channels in (1, 3):
            found = read(path, encoded(image), (8, 8), channels)
            assert (found[:4] == 0).all()
            assert (found[4:] == 255).all()


def test_a_palette_is_looked_up_with_its_transparent_entry(path):
    palette = Image.fromarray(np.repeat([[0, 1], [2, 1]], 4, 0).astype(np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
    assert read(path, encoded(palette), (8, 2))[[0, 0, 7], [0, 1, 0]].tolist() == [
        [255, 0, 0], [0, 255, 0], [9, 9, 9],
    ]  # fmt: skip
    assert read(path, encoded(palette, transparency=2), (8, 2))[7, 0].tolist() == [255] * 3


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr", "LAB"])
def test_other_modes_become_colour(path, mode):
    image = Image.fromarray(COLOUR).convert("RGB")
    image = image.convert(mode) if mode != "LAB" else Image.new("LAB", (12, 10))
    assert read(path, encoded(image, "TIFF")).shape == (10, 12, 3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("turn", [1, *decode.TURNS])
def test_an_orientation_is_applied(path, kind, turn):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 255
    undo = {6: 8, 8: 6}.get(turn, turn)
    stored = Image.fromarray(upright)
    stored = stored.transpose(decode.TURNS[undo]) if turn > 1 else stored
    exif = Image.Exif()
    exif[decode.ORIENTATION] = turn
    content = encoded(stored, kind, exif=exif)
    assert (read(path, content, (16, 32), 1)[..., 0] > 128).tolist() == (upright > 128).tolist()
    assert decode.attempt(decode.inspect, path)[:2] == (16, 32)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_an_orientation_that_is_none_is_upright(path, value):
    exif = Image.Exif()
    exif[decode.ORIENTATION] = value
    assert (read(path, encoded(GREY, exif=exif), channels=1) == GREY).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_no_reason_to_leave_an_image_out(path):
    assert (
        read(path, encoded(GREY, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), channels=1) == GREY
    ).all()


def test_pad_keeps_proportions_on_black(path):
    found = read(path, encoded(np.full((8, 16), 200, np.uint8)), (32, 32), 1, "pad")[..., 0]
    assert (found[8:24] == 200).all()
    assert (found[:8] == 0).all()
    assert (found[24:] == 0).all()


def test_crop_keeps_the_middle_and_stretch_all(path):
    halves = np.repeat([[0] * 8 + [100] * 16 + [200] * 8], 16, 0).astype(np.uint8)
    crop = read(path, encoded(halves), (8, 8), 1, "crop")[..., 0]
    assert (crop[:, 2:6] == 100).all()
    stretch = read(path, encoded(halves), (32, 32), 1, "stretch")[..., 0]
    assert (stretch[:, [0, 16, 31]] == [0, 100, 200]).all()


@given(
    st.tuples(*[st.integers(1, 70)] * 2),
    st.tuples(*[st.integers(8, 40)] * 2),
    st.sampled_from([1, 3]),
    st.sampled_from(sorted(decode.RESIZE)),
)
def test_any_size_becomes_the_size_that_is_wanted(shape, size, channels, resize):
    image = Image.open(io.BytesIO(encoded(np.full(shape, 77, np.uint8))))
    found, changed = decode.decode(image, size, channels, resize)
    assert found.shape == (*size, channels)
    assert changed == (shape != size)
    assert 77 in found  # not all of it is padding
    if resize != "pad":
        assert (found == 77).all()


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1)])
@pytest.mark.parametrize("resize", sorted(decode.RESIZE))
def test_a_strip_leaves_a_trace(path, shape, resize):
    assert read(path, encoded(np.full(shape, 77, np.uint8)), (8, 8), 1, resize).max() == 77


def test_a_large_photo_is_decoded_small(path, monkeypatch):
    wide = []
    original = decode._eight_bits
    monkeypatch.setattr(
        decode, "_eight_bits", lambda image, mode: wide.append(image.width) or original(image, mode)
    )
    photo = np.repeat(np.arange(1200, dtype=np.uint16) // 5, 800).reshape(1200, 800)
    found = read(path, encoded(photo.astype(np.uint8).T, "JPEG"), (32, 32), 1, "stretch")
    assert wide == [150]
    assert np.abs(found[5, :, 0] - np.linspace(3, 237, 32)).max() < 5


def png(*chunks):
    """Return a PNG file of (name, content) chunks."""
    body = b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def header(width, height):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)


BOMB = png(header(60_000, 60_000), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))
LARGE = png(header(10_000, 10_000), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))
TEXT = zlib.compress(bytes(80_000_000), 1)
TEXT_BOMB = png(header(8, 8), (b"zTXt", b"a\0\0" + TEXT), (b"IDAT", b""), (b"IEND", b""))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"just text\n" * 9, "is not an image of the formats BMP, GIF, JPEG, PNG, TIFF, WEBP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image of the formats"),
        (b"P5 8 8 255\n" + bytes(64), "is not an image of the formats"),
        (encoded(COLOUR)[:-40], "is truncated or damaged"),
        (encoded(COLOUR, "JPEG")[:-60], "is truncated or damaged"),
        (encoded(COLOUR)[:20], "is"),
        (BOMB, "has more than 89,478,485 pixels"),
        (LARGE, "has 10000 x 10000 pixels, more than 89,478,485"),
        (TEXT_BOMB, "is truncated or damaged"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_file_that_cannot_be_used_says_why(path, content, expected):
    assert refusal(path, content).startswith(expected)


def test_a_file_that_is_gone(path):
    with pytest.raises(decode.UnreadableError, match="cannot be opened"):
        decode.attempt(decode.inspect, path)


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("L", (9, 8)), False),
        (Image.new("LA", (9, 8)), False),
        (Image.new("1", (9, 8)), False),
        (Image.new("I;16", (9, 8)), False),
        (Image.new("RGB", (9, 8)), True),
        (Image.new("P", (9, 8)), True),
    ],
)
def test_inspect_returns_size_and_whether_colour_is_possible(path, image, colour):
    path.write_bytes(encoded(image))
    assert decode.attempt(decode.inspect, path) == (8, 9, colour)
