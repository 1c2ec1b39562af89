import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from stages.engine.resolve import check, check_data, recipe
from stages.errors import UserError
from stages.settings import params
from tests.settings.defaults import changed


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("architecture", "basik", "architecture is 'basik'"),
        ("architecture", {"basic": {"droput": 0.1}}, "architecture.basic.droput is "),
        ("architecture", {"basic": {"dropout": 1.0}}, "architecture.basic.dropout is 1.0"),
        ("augmentation", ["flip", {"rotat": {"degrees": 3}}], "augmentation[1] is 'rotat'"),
        ("augmentation", [{"rotate": {"degrees": 300}}], "augmentation[0].rotate.degrees is 300"),
        ("train", {"optimizer": "adma"}, "train.optimizer is 'adma'"),
        ("train", {"schedule": {"cosine": {"warmup": 1.0}}}, "train.schedule.cosine.warmup is 1.0"),
    ],
)
def test_an_invalid_name_or_argument_is_rejected_by_its_path(key, value, message):
    with pytest.raises(UserError, match=rf"^{re.escape(f'variants.basic.{message}')}"):
        check(params.parse(changed(f"variants.basic.{key}", value)))


def test_an_invalid_name_in_the_base_is_rejected_by_the_path_of_the_base():
    with pytest.raises(UserError, match=r"^train\.schedule is 'cosin'"):
        check(params.parse(changed("train.schedule", "cosin")))


@pytest.mark.parametrize(
    ("train", "named"),
    [
        ({"schedule": "cosine"}, "schedule 'cosine'"),
        ({"schedule": {"constant": {"warmup": 0.1}}}, "warmup"),
        ({"schedule": "constant", "final": "refit"}, "final: refit"),
    ],
)
def test_plateaus_conflict_with_schedules_and_refits(train, named):
    train = train | {"reduce_on_plateau": {"patience": 1}}
    with pytest.raises(UserError, match=rf"^variants\.basic .*reduce_on_plateau .*{named}"):
        check(params.parse(changed("variants.basic.train", train)))


@pytest.mark.parametrize(
    ("ops", "views", "different"),
    [
        ([], 2, "1"),
        ([{"noise": {"deviation": 3}}, {"rotate": {"degrees": 0}}], 2, "1"),
        (["flip"], 3, "2"),
        (["flip"], 2, ""),
        ([{"flip": {"vertical": True}}], 4, ""),
        (["flip", {"crop": {"area": 0.3}}], 16, ""),
    ],
)
def test_no_more_views_are_averaged_than_the_augmentation_gives(ops, views, different):
    row = {"architecture": "basic", "augmentation": ops, "train": {"predict_views": views}}
    outcome = nullcontext()
    if different:
        where = r"^variants\.basic\.train\.predict_views"
        outcome = pytest.raises(UserError, match=rf"{where} .*gives {different} .*\bcrop\b")
    with outcome:
        check(params.parse(changed("variants.basic", row)))


def test_rows_of_other_precision_are_not_compared():
    content = changed("train.kernels", "native")
    content["variants"]["basic"]["train"] = {"precision": "mixed_bfloat16"}
    with pytest.raises(UserError, match="float32 and mixed_bfloat16"):
        check(params.parse(content))
    content["compare"] |= {"variants": ["basic"], "baseline": "basic"}
    check(params.parse(content))


def test_a_recipe_is_complete():
    """It includes default arguments, so changing a default changes the fingerprint."""
    resolved = recipe(params.parse(changed("variants.basic.architecture", "basic")), "basic")
    assert resolved.architecture.arguments == {"dense": 128, "dropout": 0.5}
    assert "beta_1" in resolved.train.optimizer.arguments


@pytest.mark.parametrize(
    ("classes", "arguments", "allowed"),
    [("0123456789", {}, False), ("0123456789", {"force": True}, True), ("012345678", {}, True)],
)
def test_digits_are_flipped_only_by_force(classes, arguments, allowed):
    ops = [{"rotate": {"degrees": 5}}, {"flip": arguments}]
    chosen = recipe(params.parse(changed("variants.basic.augmentation", ops)), "basic")
    outcome = nullcontext() if allowed else pytest.raises(UserError, match=r"augmentation\[1\]")
    with outcome:
        dataset = {"classes": list(classes), "image_shape": [28, 28, 1]}
        check_data(chosen, dataset, Path("data/prepared"))


def test_views_must_differ_on_images_of_the_data_s_size():
    ops = [{"shift": {"fraction": 0.015, "whole": True}}]
    row = {"architecture": "basic", "augmentation": ops, "train": {"predict_views": 3}}
    chosen = recipe(params.parse(changed("variants.basic", row)), "basic")
    dataset = {"classes": ["cat", "dog"], "image_shape": [256, 256, 1]}
    check_data(chosen, dataset, Path("data/prepared"))
    with pytest.raises(UserError, match=r"^variants\.basic\.train\.predict_views .*gives 1 diff"):
        check_data(chosen, dataset | {"image_shape": [28, 28, 1]}, Path("data/prepared"))
