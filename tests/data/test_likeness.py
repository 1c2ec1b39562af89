"""How much two images differ: copies little, other pictures more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.data import likeness
from stages.data.near_duplicates import NEAR
from tests.data import photographs


def between(one, other) -> np.ndarray:
    """Return the distances of two lists of images."""
    return likeness.distances(likeness.pictures(one), likeness.pictures(other))


@st.composite
def cut(draw) -> Image.Image:
    """Draw any part of a photograph, in colour or grey."""
    photo = photographs.photographs()[draw(st.integers(0, 1))]
    side = draw(st.integers(32, 256))
    top, left = (draw(st.integers(0, most - side)) for most in photo.shape[:2])
    piece = Image.fromarray(photo[top : top + side, left : left + side])
    return piece.convert(draw(st.sampled_from(["RGB", "L"])))


@given(cut(), st.integers(32, 128))
@settings(max_examples=30, deadline=None)
def test_any_image_is_near_its_own_encoding(picture, side):
    pair = photographs.images([picture, photographs.encoded(picture, 90)], side)
    assert between(pair[:1], pair[1:])[0] < NEAR
    assert between(pair[:1], pair[:1])[0] < 1e-9
    ((one, other),) = likeness.candidates(np.array([likeness.thumbnails(one) for one in pair]))
    assert (one, other) == (0, 1)


CHANGES = {
    "encoded": lambda picture: photographs.encoded(picture, 50),
    "smaller": lambda picture: picture.resize((48, 48)),
    "larger": lambda picture: picture.resize((190, 190)),
    "cropped": photographs.cropped,
    "cropped to the other side": lambda picture: photographs.cropped(picture, 0, 0.05, 0.05, 0),
    "lighter": photographs.lighter,
    "darker": lambda picture: photographs.lighter(picture, 0.8),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_copies_are_near_in_either_order_and_other_pictures_are_not(change):
    originals = photographs.pieces()[24:]  # the sky of the others is nearly white
    first = photographs.images(originals)
    second = photographs.images([change(picture) for picture in originals])
    for one, other in ((first, second), (second, first)):
        assert np.quantile(between(one, other), 0.95) < NEAR
    assert (between(first, np.roll(second, 1, axis=0)) > NEAR).mean() > 0.95


def test_black_is_not_near_white_nor_a_picture_near_blank_paper():
    shape = (40, 40, 1)
    paper = np.full(shape, 200, np.uint8)
    light = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]
    drawing = paper.copy()
    drawing[10:30, 10:30] = 20
    assert np.isinf(between([light[0], paper, drawing], [light[1], drawing, paper])).all()
    assert between([paper], [paper + 1])[0] < NEAR


@given(st.integers(0, 1000), st.integers(1, 40), st.booleans())
@settings(deadline=None)
def test_candidates_are_the_nearest_by_a_plain_count(seed, count, few):
    random = np.random.default_rng(seed)
    vectors = random.integers(-3, 4, (count, 2, likeness.THUMBNAIL**2)) * (2 if few else 18)
    pairs = {tuple(pair) for pair in likeness.candidates(vectors.astype(np.int16)).tolist()}
    expected = set()
    for row in range(count):
        square = ((vectors[row, 0] - vectors) ** 2).sum(axis=2).min(axis=1)
        order = [int(one) for one in np.argsort(square, kind="stable") if one != row]
        for other in order[: likeness.NEIGHBOURS]:
            if square[other] <= (likeness.FAR * likeness.LENGTH) ** 2:
                expected.add((min(row, other), max(row, other)))
    assert pairs == expected


def test_candidates_do_not_depend_on_how_many_fit_into_memory(monkeypatch):
    vectors = np.random.default_rng(0).integers(-30, 31, (200, 2, 64), np.int16)
    whole = likeness.candidates(vectors)
    monkeypatch.setattr(likeness, "TABLE", 1000)
    np.testing.assert_array_equal(likeness.candidates(vectors), whole)
    assert len(whole)


def test_thumbnails_have_the_length_that_keeps_their_products_exact():
    found = np.array([likeness.thumbnails(one) for one in photographs.images(photographs.pieces())])
    lengths = np.sqrt((found.astype(int) ** 2).sum(axis=2))
    assert lengths.max() == pytest.approx(likeness.LENGTH, abs=2)
    assert 2 * lengths.max() ** 2 < 2**24 / 2  # whole numbers that float32 holds
    assert not likeness.thumbnails(np.full((32, 40, 3), 77, np.uint8)).any()
