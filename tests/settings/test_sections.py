import pytest
from pydantic import ValidationError

from stages.settings.sections import Data, Named, Parallel, Range, Variant


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("adam", {}),
        ({"adam": None}, {}),
        ({"adam": {"beta_1": 0.7}}, {"beta_1": 0.7}),
        ({"name": "adam", "arguments": {"beta_1": 0.7}}, {"beta_1": 0.7}),
        (Named(name="adam"), {}),
    ],
)
def test_a_name_is_read_in_each_of_its_forms(given, arguments):
    assert Named.model_validate(given) == Named(name="adam", arguments=arguments)


@pytest.mark.parametrize("given", [3, None, [], {}, {"a": 1, "b": 2}, {1: {}}, {"adam": 3}])
def test_what_is_no_name_is_refused(given):
    with pytest.raises(ValidationError):
        Named.model_validate(given)


@pytest.mark.parametrize(
    ("given", "size"), [(None, None), (28, (28, 28)), ([8, 1024], (8, 1024)), ((9, 10), (9, 10))]
)
def test_an_image_size_is_one_side_or_two(given, size):
    assert Data(image_size=given).image_size == size


@pytest.mark.parametrize("given", [7, 1025, "28", [], [28], [28, 28, 1], [28.0, 28], True])
def test_other_image_sizes_are_refused(given):
    with pytest.raises(ValidationError):
        Data(image_size=given)


def test_jobs_limit_this_machine_only_if_it_trains_the_folds():
    assert Parallel(jobs=3).local_jobs == 3
    assert Parallel(jobs=300, backend="ray").local_jobs is None


def test_null_overrides_only_what_can_be_null():
    row = Variant(train={"epochs": None, "seed": 2, "early_stopping": None, "unknown": None})
    assert row.overrides == {"seed": 2, "early_stopping": None, "unknown": None}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"low": 0.1, "high": 1}, {"high": 0.1}),
        ({"low": 0.1, "high": 1}, {"low": float("-inf")}),
        ({"low": 0.1, "high": 1}, {"high": None}),
        ({"low": 0.1, "high": 1, "log": True}, {"low": 0}),
        ({"low": 1, "high": 7, "step": 2}, {"high": 6}),
        ({"low": 1, "high": 2, "step": 1}, {"high": 2.5}),
        ({"choices": [1, "a"]}, {"choices": [1]}),
        ({"choices": [1, "a"]}, {"choices": [1, 1]}),
        ({"choices": [1, "a"]}, {"low": 1}),
    ],
)
def test_a_range_has_either_two_bounds_or_choices(good, bad):
    Range(**good)
    with pytest.raises(ValidationError):
        Range(**good | bad)
