import pytest
from pydantic import ValidationError

from stages.settings.sections import Data, Named, Parallel, Range, Search, Train, explain
from tests.prepared import TRAIN


@pytest.mark.parametrize(
    ("given", "name", "arguments"),
    [
        ("adam", "adam", {}),
        ({"adam": None}, "adam", {}),
        ({"adam": {"beta_1": 0.7}}, "adam", {"beta_1": 0.7}),
        ({"name": "adam", "arguments": {"beta_1": 0.7}}, "adam", {"beta_1": 0.7}),
    ],
)
def test_a_name_is_read_in_each_of_its_forms(given, name, arguments):
    assert Named.model_validate(given) == Named(name=name, arguments=arguments)


@pytest.mark.parametrize("given", [3, None, [], {}, {"a": 1, "b": 2}, {1: {}}, {"adam": 3}])
def test_what_is_no_name_is_refused(given):
    with pytest.raises(ValidationError):
        Named.model_validate(given)


@pytest.mark.parametrize(
    ("given", "size"), [(None, None), (28, (28, 28)), ([8, 256], (8, 256)), ((9, 10), (9, 10))]
)
def test_an_image_size_is_one_side_or_two(given, size):
    assert Data(image_size=given).image_size == size


@pytest.mark.parametrize("given", [7, 257, "28", [28], [28, 28, 1], [28.0, 28], True])
def test_other_image_sizes_are_refused(given):
    with pytest.raises(ValidationError):
        Data(image_size=given)


def test_jobs_are_of_this_machine_only_where_folds_are():
    assert Parallel(jobs=3).local_jobs == 3
    assert Parallel(jobs=300, backend="ray").local_jobs is None


def test_settings_neither_change_nor_convert():
    with pytest.raises(ValidationError, match="frozen"):
        Train(**TRAIN).epochs = 3
    with pytest.raises(ValidationError, match="integer"):
        Train(**TRAIN | {"epochs": "3"})


def test_a_finding_is_one_sentence_with_the_nearest_name():
    with pytest.raises(ValidationError) as found:
        Train.model_validate(TRAIN | {"epoch": 3})
    message = explain(found.value, Train, "train")
    assert message.startswith("train.epoch ")
    assert "'epochs'" in message


def test_a_range_is_bounded():
    assert Range(low=0.1, high=1.0).high == 1.0
    with pytest.raises(ValidationError):
        Range(low=1.0, high=0.1)
    assert Search().trials >= 1
