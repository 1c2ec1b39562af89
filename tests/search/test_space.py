from pathlib import Path

import pytest

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.search import space
from stages.settings import params
from tests.refusals import refusal
from tests.settings.defaults import changed

PREPARED = Path("data/prepared")
DATASET = {"classes": [str(digit) for digit in range(10)], "image_shape": [28, 28, 1]}
LOG = {"low": 0.001, "high": 0.01, "log": True}


def settings(dimensions, variant="basic_augmented"):
    section = {"variant": variant, "space": dimensions}
    return params.parse(changed("search", section))


def test_an_invalid_range_is_rejected_by_name():
    for allowed, key in (({"low": 1, "high": 1}, ""), ({"low": 1, "high": 2, "step": 0}, ".step")):
        message = refusal(params.parse, changed("search", {"space": {"train.epochs": allowed}}))
        assert message.startswith(f"search.space.train.epochs{key} is ")


BAD_STEP = {"low": 0, "high": 4, "step": 1}
HALF = {"low": 0.1, "high": 0.5}


@pytest.mark.parametrize(
    ("dimensions", "tried", "reason"),
    [
        ({"tran.epochs": BAD_STEP}, "tran.epochs = 0", "tran.epochs"),
        ({"train.learning_rat": LOG}, "train.learning_rat = 0.001", ""),
        ({"train.learning_rat.low": LOG}, "train.learning_rat.low = 0.001", "low cannot be set"),
        ({"train.epochs": BAD_STEP}, "train.epochs = 0", "train.epochs is 0"),
        ({"shrink": {"low": 2, "high": 8, "step": 2}}, "shrink = 6", "shrink is 6"),
        ({"train.early_stopping.patience": BAD_STEP}, "train.early_stopping.patience = 0", ""),
        ({"architecture.dropuot": HALF}, "architecture.dropuot = 0.1", "architecture.basic.dr"),
        (
            {"architecture": {"choices": ["basic", "batchnorm"]}, "architecture.dropout": HALF},
            'architecture = "batchnorm" and architecture.dropout = 0.1',
            "architecture.batchnorm.dropout is ",
        ),
        ({"augmentation.shear.degrees": HALF}, "augmentation.shear.degrees = 0.1", "augmentation."),
        (
            {"augmentation": {"choices": [[], [{"flip": {}}]]}},
            'augmentation = [{"flip": {}}]',
            "augmentation[0] is flip",
        ),
    ],
)
def test_an_invalid_value_is_rejected_with_its_path(dimensions, tried, reason):
    message = refusal(space.check, settings(dimensions), DATASET, PREPARED)
    assert message.startswith(f"search.space cannot have {tried}: {reason}")


@pytest.mark.parametrize(
    ("dimensions", "variant", "named"),
    [
        ({}, "basic", r"^search\.space "),
        ({"train.learning_rate": LOG}, "basik", "'basik'.* 'basic'"),
        ({"train.learning_rate": LOG}, "vote", r"^search\.variant is 'vote'"),  # an ensemble
    ],
)
def test_without_a_space_or_a_row_to_train_there_is_no_search(dimensions, variant, named):
    with pytest.raises(UserError, match=named):
        space.check(settings(dimensions, variant), DATASET, PREPARED)


def test_params_yaml_has_a_valid_space_that_includes_its_row():
    own = params.parse(changed("search.seed", 1))
    space.check(own, DATASET, PREPARED)
    drawn = space.own_values(own)
    values = space.values(own.search.space, drawn)
    assert space.tuned_recipe(own, values) == space.tuned_recipe(own, {})
    assert set(values) == set(own.search.space)


ALL_KINDS = {
    "train.learning_rate": {"low": 0.001, "high": 0.02, "log": True},
    "train.epochs": {"low": 2, "high": 8, "step": 2},
    "train.schedule": {"choices": ["onecycle", {"cosine": {"warmup": 0.1}}, "cosine"]},
    "augmentation.rotate.degrees": {"low": 0, "high": 20},
    "architecture": {"choices": [{"basic": {"dense": 64}}, "basic", "dropout"]},
    "architecture.dense": {"choices": [64, 128]},
}


def test_values_are_set_at_their_paths_names_before_their_arguments():
    chosen = settings(ALL_KINDS)
    space.check(chosen, DATASET, PREPARED)
    values = {
        "architecture.dense": 64,
        "augmentation.rotate.degrees": 3.0,
        "architecture": "dropout",
        "train.epochs": 3,
        "train.schedule": {"cosine": {"warmup": 0.1}},
    }
    made, base = space.tuned_recipe(chosen, values), recipe(chosen, "basic_augmented")
    assert made.variant == "basic_augmented_tuned"
    assert (made.architecture.name, made.architecture.arguments["dense"]) == ("dropout", 64)
    assert made.augmentation[0].arguments == {"degrees": 3.0}
    assert made.augmentation[1:] == base.augmentation[1:]
    assert (made.train.epochs, made.train.schedule.arguments) == (3, {"warmup": 0.1})
    assert made.train.learning_rate == base.train.learning_rate
    assert "basic_augmented_tuned" not in chosen.variants


def test_early_stopping_is_searched_where_the_row_has_it():
    path = "train.early_stopping.patience"
    chosen = settings({path: {"low": 1, "high": 4, "step": 1}}, "batchnorm")
    assert space.tuned_recipe(chosen, {path: 3}).train.early_stopping.patience == 3
    assert space.own_values(chosen) == {path: 2}


def test_the_unchanged_row_is_found_in_all_kinds_of_ranges():
    drawn = [0.004, 8, '"cosine"', 10.0, '"basic"', "128"]
    assert space.own_values(settings(ALL_KINDS)) == dict(zip(ALL_KINDS, drawn, strict=True))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("train.learning_rate", {"low": 0.01, "high": 0.02}),
        ("train.epochs", {"low": 1, "high": 5, "step": 2}),
        ("train.global_clipnorm", {"low": 0.5, "high": 2}),
        ("train.optimizer", {"choices": ["sgd", "rmsprop"]}),
    ],
)
def test_a_row_outside_the_space_is_not_found(path, allowed):
    assert space.own_values(settings({path: allowed})) is None


@pytest.mark.parametrize(
    ("allowed", "drawn", "value"),
    [
        (LOG, 0.00123456789, 0.001235),
        ({"low": 0.1, "high": 0.99999}, 0.999989, 0.99999),
    ],
)
def test_real_numbers_are_rounded_and_stay_inside(allowed, drawn, value):
    ranges = settings({"train.ema": allowed}).search.space
    assert space.values(ranges, {"train.ema": drawn}) == {"train.ema": value}


def test_optuna_gets_the_declared_ranges():
    found = space.distributions(settings(ALL_KINDS).search.space)
    rate, epochs = found["train.learning_rate"], found["train.epochs"]
    assert (rate.low, rate.high, rate.log) == (0.001, 0.02, True)
    assert (epochs.low, epochs.high, epochs.step) == (2, 8, 2)
    assert found["architecture"].choices == ('{"basic": {"dense": 64}}', '"basic"', '"dropout"')


@pytest.mark.parametrize(
    ("value", "edge"), [(0.001, True), (0.00111, True), (0.002, False), (0.0095, True)]
)
def test_a_value_at_the_edge_of_its_range_is_named(value, edge):
    dimensions = settings({"train.learning_rate": LOG, "train.batch_size": {"choices": [32, 64]}})
    values = {"train.learning_rate": value, "train.batch_size": 32}
    found = space.at_edge(dimensions.search.space, values)
    assert found == (["train.learning_rate"] if edge else [])
