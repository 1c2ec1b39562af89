"""Odd images: planted ones are listed, and none of MNIST."""

import numpy as np
from PIL import ImageFilter

from stages.data import decode, mnist, odd_images
from stages.settings.sections import Data
from tests.data import photographs


def found(images, sizes=None, padded=False) -> set[tuple[int, str]]:
    half = len(images) // 2  # two splits
    listed = odd_images.find([images[:half], images[half:]], sizes, padded)
    return {(one.row, one.what) for one in listed}


def test_blurred_dark_and_white_pictures_are_listed_and_ordinary_ones_are_not():
    pictures = [*photographs.buildings()]
    ordinary = found(photographs.images(pictures))
    assert ordinary == set()
    for row in (3, 17):
        pictures[row] = pictures[row].filter(ImageFilter.GaussianBlur(3))
    images = photographs.images(pictures)
    images[5] = images[5] // 20
    images[20] = 240 + images[20] // 20
    planted = {(3, "blurred"), (17, "blurred"), (5, "black"), (20, "white")}
    assert found(images) == planted
    assert found(images[..., :1]) >= planted


def test_unusual_shapes_are_listed_but_not_where_all_have_them():
    images = photographs.images(photographs.pieces()[24:])
    sizes = np.tile([96, 96], (len(images), 1))
    sizes[4], sizes[15] = (96, 500), (500, 96)
    shapes = {one for one in found(images, sizes) if one[1] == "shape"}
    assert shapes == {(4, "shape"), (15, "shape")}
    sizes[:] = 30, 400
    assert not any(what == "shape" for _, what in found(images, sizes))


def test_padding_hides_neither_blur_nor_paper():
    pictures = [one.crop((0, 12, 64, 50)) for one in photographs.buildings()]
    pictures[2] = pictures[2].filter(ImageFilter.GaussianBlur(3))
    pictures[9] = pictures[9].point(lambda level: 245)
    images = np.array([decode.resized(one, (64, 64, 3), Data()) for one in pictures])
    sizes = np.tile([38, 64], (len(images), 1))
    assert {(2, "blurred"), (9, "white")} <= found(images, sizes, padded=True)
    assert (9, "white") not in found(images, sizes, padded=False)


def test_few_images_are_not_compared_with_each_other():
    images = photographs.images(photographs.pieces()[24 : 24 + odd_images.FEWEST - 1])
    images[0] = 128
    assert found(images) == set()


def test_no_digit_is_odd():
    images = mnist.load_5k(Data()).train.images
    assert found(images) == set()
    blank = images.copy()
    blank[7] = 0
    assert found(blank) == {(7, "black")}
    assert odd_images.summary(odd_images.find([blank], None, False)) == {"black": 1}
