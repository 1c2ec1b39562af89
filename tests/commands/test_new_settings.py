"""Which settings and rows suit a user's own images."""

import numpy as np
import pytest

from stages.commands import new_settings
from stages.data.look import Look
from stages.errors import UserError


def found(train, test=(0, 0), copies=(0, 0)):
    sizes = np.full((sum(train), 2), 64)
    return Look(("cat", "dog"), list(train), list(test), sizes, True, {}, [], [], [*copies], ())


def sections(*given, **named):
    looked = found(*given, **named)
    return new_settings.sections(looked, {}, [], 1.0 if any(looked.test) else 0.8)


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)] * 4, None),
        ([(64, 48)] * 4, None),
        ([(7, 7)] * 4, 64),
        ([(65, 65)] * 4, 64),
        ([(28, 28), (28, 30)], 64),
        ([(40, 130)] * 3 + [(10, 10)], 128),
        ([(300, 200)] * 4, 224),
        ([(3000, 2000)] * 4, 224),
    ],
)
def test_images_are_resized_to_a_side_that_most_of_them_have(sizes, side):
    assert new_settings.side(np.array(sizes), len(sizes)) == side


def test_many_images_do_not_get_the_largest_side():
    sample = np.full((500, 2), 300)
    assert new_settings.side(sample, new_settings.MANY) == 224
    assert new_settings.side(sample, new_settings.MANY + 1) == 128


@pytest.mark.parametrize(
    ("side", "height", "width", "factor"),
    [
        (None, 28, 28, 1),
        (64, 96, 96, 1),
        (224, 224, 256, 4),
        (224, 230, 300, 2),
        (128, 129, 130, 1),
    ],
)
def test_small_networks_shrink_images_by_a_factor_that_divides_their_sides(
    side, height, width, factor
):
    assert new_settings.shrink(side, height, width) == factor


def test_a_pretrained_network_needs_images_that_are_large_enough():
    classes = ("cat", "dog")
    assert "pretrained" in new_settings.rows(64, 80, 1, classes)
    assert "pretrained" not in new_settings.rows(28, 80, 1, classes)
    rows = new_settings.rows(224, 224, 4, classes)
    assert {name: row.get("shrink") for name, row in rows.items()} == {
        "majority": 4, "logistic": 4, "cnn": 4, "cnn_augmented": 4, "pretrained": None
    }  # fmt: skip


@pytest.mark.parametrize(("classes", "flips"), [("0123456789", False), ("012345678", True)])
def test_digits_are_not_mirrored(classes, flips):
    ops = new_settings.rows(28, 28, 1, [*classes])["cnn_augmented"]["augmentation"]
    assert ({"flip": {}} in ops) == flips
    assert {"rotate": {"degrees": 10}} in ops


@pytest.mark.parametrize(
    ("train", "test", "count", "repeats"),
    [
        ((200, 200), (0, 0), 5, 1),
        ((5, 9), (0, 0), 4, 1),
        ((3, 9), (1, 1), 3, 1),
        ((3, 9), (0, 0), 2, 3),
        ((2, 9), (1, 1), 2, 3),
    ],
)
def test_each_fold_has_an_image_of_each_class_and_few_folds_are_repeated(
    train, test, count, repeats
):
    folds = sections(train, test)["folds"]
    assert folds == {"count": count, "repeats": repeats, "group": None}


def test_copies_do_not_count():
    assert sections((6, 9), copies=(3, 0))["folds"]["count"] == 2
    assert new_settings.smallest(found((6, 9), copies=(2, 6))) == ("dog", 3)


@pytest.mark.parametrize(("train", "test"), [((2, 9), (0, 0)), ((1, 9), (1, 1))])
def test_a_class_with_too_few_images_is_named(train, test):
    with pytest.raises(UserError, match="'cat'"):
        sections(train, test)


@pytest.mark.parametrize(
    ("train", "metric", "weight"),
    [((30, 20), "accuracy", None), ((31, 20), "balanced_accuracy", "balanced")],
)
def test_uneven_classes_count_alike(train, metric, weight):
    chosen = sections(train)
    assert chosen["compare"]["metric"] == metric
    assert chosen["train"]["class_weight"] == weight


def test_few_images_are_trained_for_more_epochs():
    epochs = [sections((count, count))["train"]["epochs"] for count in (100, 1_000, 100_000)]
    assert epochs == [30, 16, 10]
