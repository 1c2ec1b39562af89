"""Images on the page, on results made by hand."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from stages.report.images import OWN, SIDE, hardest_images, own_mistakes, thumbnail

CLASSES = ["cat", "<dog>", "owl"]
IMAGES = np.arange(6, dtype="uint8")[:, None, None, None] * np.full((6, 4, 4, 1), 40, "uint8")


def result(predicted, confidence):
    label = np.array([0, 0, 1, 1, 2, 2])
    predicted, confidence = np.array(predicted), np.array(confidence)
    correct = predicted == label
    p_true = np.where(correct, confidence, 1 - confidence)
    return SimpleNamespace(
        test_label=label, test_predicted=predicted, test_correct=correct, confidence=confidence,
        p_true=p_true,
    )  # fmt: skip


RESULTS = {
    "a": result([1, 0, 0, 0, 2, 1], [0.9, 0.9, 0.6, 0.8, 0.9, 0.99]),
    "b": result([1, 0, 1, 0, 2, 2], [0.8, 0.9, 0.6, 0.7, 0.9, 0.9]),
    "c": result([2, 0, 1, 1, 0, 2], [0.7, 0.9, 0.6, 0.8, 0.7, 0.9]),
}


def decoded(url):
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_the_hardest_come_first_with_their_most_common_prediction():
    found = hardest_images(RESULTS, IMAGES, CLASSES)
    said = [(one["predicted"], one["actual"], one["note"]) for one in found]
    assert said == [
        ("<dog>", "cat", "3 of 3"),
        ("cat", "<dog>", "2 of 3"),
        ("cat", "<dog>", "1 of 3"),  # mean probability of the truth .53
        ("<dog>", "owl", "1 of 3"),  # .60
        ("cat", "owl", "1 of 3"),  # .70
    ]
    assert np.array(decoded(found[1]["src"]))[0, 0] == 120  # the fourth image
    assert found[0]["alt"] == "An image of cat predicted as <dog>."


def test_a_single_variant_has_its_confidence():
    (first, *_) = hardest_images({"a": RESULTS["a"]}, IMAGES, CLASSES)
    assert (first["predicted"], first["actual"], first["note"]) == ("<dog>", "owl", "99 %")


def test_own_mistakes_are_those_of_one_alone():
    found = own_mistakes(RESULTS, ["a", "c"], IMAGES, CLASSES)
    assert {name: count for name, (count, _) in found.items()} == {"a": 2, "c": 1}
    assert [one["note"] for one in found["a"][1]] == ["99 %", "60 %"]  # most confident first
    assert own_mistakes(RESULTS, ["b"], IMAGES, CLASSES) == {"b": (0, [])}


def test_no_more_than_own():
    wrong = result([1, 1, 0, 0, 0, 0], [0.9] * 6)
    many = SimpleNamespace(**{key: np.tile(one, 9) for key, one in vars(wrong).items()})
    correct = SimpleNamespace(**vars(many) | {"test_correct": np.ones(54, bool)})
    count, shown = own_mistakes(
        {"a": many, "b": correct}, ["a"], np.tile(IMAGES, (9, 1, 1, 1)), CLASSES
    )["a"]
    assert (count, len(shown)) == (54, OWN)


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [
        ((28, 28, 1), "PNG", (28, 28)),
        ((32, 32, 3), "JPEG", (32, 32)),
        ((200, 100, 3), "JPEG", (SIDE // 2, SIDE)),
        ((60, 120, 1), "PNG", (SIDE, SIDE // 2)),
    ],
)
def test_thumbnails_keep_shape_and_colours(shape, kind, size):
    image = np.zeros(shape, "uint8")
    image[: shape[0] // 2] = 200
    picture = decoded(thumbnail(image))
    assert (picture.format, picture.size) == (kind, size)
    top, bottom = (np.array(picture)[row].mean() for row in (1, -2))
    assert (top, bottom) == pytest.approx((200, 0), abs=4)
    assert thumbnail(image) == thumbnail(image)
