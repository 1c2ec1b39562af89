from pathlib import Path

import pytest

from stages.engine.resolve import recipe
from stages.errors import UserError
from stages.search import space
from stages.settings import params
from tests.settings.test_params import changed, refusal

PREPARED = Path("data/prepared")
DATASET = {"classes": [str(digit) for digit in range(10)]}
LOG = {"low": 0.001, "high": 0.01, "log": True}


def settings(dimensions, variant="basic_augmented"):
    section = {"variant": variant, "space": dimensions}
    return params.parse(changed("search", section))


@pytest.mark.parametrize(
    "allowed",
    [
        {},
        {"low": 1},
        {"high": 1},
        {"low": 1, "high": 1},
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"low": -1.0, "high": 1, "log": True},
        {"low": 1.5, "high": 3, "step": 1},
        {"low": 1, "high": 4, "step": 2},
        {"low": 2, "high": 8, "step": 2, "log": True},
        {"choices": [1, 2], "low": 1},
        {"choices": [1, 2], "log": False},
        {"choices": ["adam", "sgd", "adam"]},
    ],
)
def test_an_empty_or_muddled_range_is_refused_by_name(allowed):
    message = refusal(changed("search", {"space": {"train.epochs": allowed}}))
    assert message.startswith(f"search.space.train.epochs is {allowed!r}")


@pytest.mark.parametrize(
    ("allowed", "start"),
    [
        ({"low": 0.1, "high": float("inf")}, "high is inf"),
        ({"low": float("-inf"), "high": 1}, "low is -inf"),
        ({"low": float("nan"), "high": 1}, "low is nan"),
        ({"low": "1", "high": 2}, "low is '1'"),
        ({"low": 1, "high": 2, "step": 0}, "step is 0"),
        ({"choices": [1]}, "choices is [1]"),
        ({"low": 1, "hihg": 2}, "hihg is "),
    ],
)
def test_a_wrong_bound_is_refused_by_name(allowed, start):
    message = refusal(changed("search", {"space": {"train.epochs": allowed}}))
    assert message.startswith(f"search.space.train.epochs.{start}")


@pytest.mark.parametrize(
    ("dimensions", "said"),
    [
        ({}, "search.space in params.yaml is empty"),
        (
            {"tran.epochs": {"choices": [1, 2]}},
            "search.space cannot have tran.epochs = 1: ",
        ),
        (
            {"train": {"choices": [1, 2]}},
            "search.space cannot have train = 1: ",
        ),
        (
            {"train.learning_rat": LOG},
            "search.space cannot have train.learning_rat = 0.001: ",
        ),
        (
            {"train.epochs": {"low": 0, "high": 4, "step": 1}},
            "search.space cannot have train.epochs = 0: train.epochs is 0",
        ),
        (
            {"train.epochs": {"low": 1, "high": 4}},
            "search.space cannot have train.epochs = 1.0: train.epochs is 1.0",
        ),
        (
            {"train.label_smoothing": {"low": 0.1, "high": 1}},
            "search.space cannot have train.label_smoothing = 1.0: train.label_smoothing is 1.0",
        ),
        (
            {"train.optimizer": {"choices": ["adam", "adma"]}},
            "search.space cannot have train.optimizer = \"adma\": train.optimizer is 'adma'",
        ),
        (
            {"train.early_stopping.patience": {"low": 1, "high": 3, "step": 1}},
            "search.space cannot have train.early_stopping.patience = 1: ",
        ),
        (
            {"architecture.dropuot": {"low": 0.1, "high": 0.5}},
            "search.space cannot have architecture.dropuot = 0.1: architecture.basic.dropuot is ",
        ),
        (
            {"architecture.dropout": {"low": 0.1, "high": 1.5}},
            "search.space cannot have architecture.dropout = 1.5: architecture.basic.dropout is",
        ),
        (
            {"architecture": {"choices": ["basic", "bsic"]}},
            "search.space cannot have architecture = \"bsic\": architecture is 'bsic'",
        ),
        (
            {
                "architecture": {"choices": ["basic", "batchnorm"]},
                "architecture.dropout": {"low": 0.1, "high": 0.5},
            },
            'search.space cannot have architecture = "batchnorm" and architecture.dropout = 0.1: '
            "architecture.batchnorm.dropout is ",
        ),
        (
            {
                "train.schedule": {"choices": ["constant", "cosine"]},
                "train.reduce_on_plateau": {"choices": [None, {"factor": 0.3}]},
            },
            'search.space cannot have train.reduce_on_plateau = {"factor": 0.3}: variants.',
        ),
        (
            {"augmentation.shear.degrees": {"low": 0, "high": 5}},
            "search.space cannot have augmentation.shear.degrees = 0.0: augmentation.shear.degrees",
        ),
        (
            {"augmentation.rotate": {"choices": [1, 2]}},
            "search.space cannot have augmentation.rotate = 1: augmentation.rotate is ",
        ),
        (
            {"augmentation.rotate.degrees": {"low": 0, "high": 500}},
            "search.space cannot have augmentation.rotate.degrees = 500.0: augmentation[0].rotate",
        ),
        (
            {"augmentation": {"choices": [[], [{"flip": {}}]]}},
            'search.space cannot have augmentation = [{"flip": {}}]: augmentation[0] is flip',
        ),
    ],
)
def test_what_a_row_would_refuse_is_refused_with_its_value(dimensions, said):
    with pytest.raises(UserError) as caught:
        space.check(settings(dimensions), DATASET, PREPARED)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_an_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"'basik'.* 'basic'"):
        space.check(settings({"train.learning_rate": LOG}, "basik"), DATASET, PREPARED)


def test_the_repository_s_own_space_is_accepted_and_holds_its_row_as_it_stands():
    own = params.parse(changed("search.seed", 1))
    space.check(own, DATASET, PREPARED)
    drawn = space.standing(own)
    values = space.values(own.search.space, drawn)
    assert space.tuned_recipe(own, values) == space.tuned_recipe(own, {})
    assert set(values) == set(own.search.space)


ALL_KINDS = {
    "train.learning_rate": {"low": 0.001, "high": 0.02, "log": True},
    "train.epochs": {"low": 1, "high": 5, "step": 2},
    "train.schedule": {"choices": ["onecycle", {"cosine": {"warmup": 0.1}}, "cosine"]},
    "augmentation.rotate.degrees": {"low": 0, "high": 20},
    "architecture": {"choices": [{"basic": {"dense": 64}}, "basic", "dropout"]},
    "architecture.dense": {"choices": [64, 128]},
}


def test_values_are_put_where_the_paths_say_a_name_before_its_arguments():
    chosen = settings(ALL_KINDS)
    space.check(chosen, DATASET, PREPARED)
    values = {
        "architecture.dense": 64,
        "augmentation.rotate.degrees": 3.0,
        "architecture": "dropout",
        "train.epochs": 3,
        "train.schedule": {"cosine": {"warmup": 0.1}},
    }
    made = space.tuned_recipe(chosen, values)
    base = recipe(chosen, "basic_augmented")
    assert made.variant == "basic_augmented_tuned"
    assert made.architecture.name == "dropout"
    assert made.architecture.arguments["dense"] == 64
    assert [op.name for op in made.augmentation] == ["rotate", "zoom", "shift"]
    assert made.augmentation[0].arguments == {"degrees": 3.0}
    assert made.augmentation[1:] == base.augmentation[1:]
    assert (made.train.epochs, made.train.schedule.arguments) == (3, {"warmup": 0.1})
    assert made.train.learning_rate == base.train.learning_rate
    assert "basic_augmented_tuned" not in chosen.variants


def test_the_row_as_it_stands_is_found_in_all_kinds_of_ranges():
    drawn = space.standing(settings(ALL_KINDS))
    assert drawn == {
        "train.learning_rate": 0.004,
        "train.epochs": 5,
        "train.schedule": '"cosine"',
        "augmentation.rotate.degrees": 10,
        "architecture": '"basic"',
        "architecture.dense": "128",
    }


@pytest.mark.parametrize(
    "dimension",
    [
        {"train.learning_rate": {"low": 0.01, "high": 0.02}},
        {"train.epochs": {"low": 2, "high": 8, "step": 2}},
        {"train.global_clipnorm": {"low": 0.5, "high": 2}},
        {"train.optimizer": {"choices": ["sgd", "rmsprop"]}},
    ],
)
def test_a_row_outside_the_space_does_not_stand_in_it(dimension):
    assert space.standing(settings(dimension)) is None


@pytest.mark.parametrize(
    ("drawn", "value"),
    [(0.00123456789, 0.001235), (0.001, 0.001), (0.00999999, 0.01), (0.0010000001, 0.001)],
)
def test_real_numbers_are_short_and_stay_inside(drawn, value):
    ranges = settings({"train.learning_rate": LOG}).search.space
    assert space.values(ranges, {"train.learning_rate": drawn}) == {"train.learning_rate": value}


def test_rounding_does_not_leave_the_bounds():
    ranges = settings({"train.ema": {"low": 0.1, "high": 0.99999}}).search.space
    assert space.values(ranges, {"train.ema": 0.999989}) == {"train.ema": 0.99999}


def test_optuna_draws_from_the_declared_ranges():
    found = space.distributions(settings(ALL_KINDS).search.space)
    rate, epochs = found["train.learning_rate"], found["train.epochs"]
    assert (rate.low, rate.high, rate.log) == (0.001, 0.02, True)
    assert (epochs.low, epochs.high, epochs.step) == (1, 5, 2)
    assert found["architecture"].choices == ('{"basic": {"dense": 64}}', '"basic"', '"dropout"')


def test_an_ensemble_has_nothing_to_search():
    with pytest.raises(UserError, match=r"^search\.variant is 'vote'"):
        space.check(settings({"train.learning_rate": LOG}, "vote"), DATASET, PREPARED)
