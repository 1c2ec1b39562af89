from typing import Annotated

import pytest
from pydantic import Field

from stages.errors import UserError
from stages.settings.registry import check_arguments, lookup, nearest, register


def rotate(images, *, degrees: Annotated[float, Field(ge=0, le=180)] = 10.0, steps: int):
    return images


def test_register_enters_a_function_under_its_name_and_returns_it():
    table = {}
    assert register(table)(rotate) is rotate
    assert table == {"rotate": rotate}


def test_register_refuses_a_name_that_is_taken():
    table = {"rotate": print}
    with pytest.raises(ValueError, match="rotate is registered twice"):
        register(table)(rotate)
    assert table["rotate"] is print


def test_lookup_returns_the_function():
    assert lookup("op", {"rotate": rotate}, "rotate", "variants.a.augmentation") is rotate


def test_lookup_names_the_setting_the_value_the_known_and_the_nearest():
    with pytest.raises(UserError) as caught:
        lookup("op", {"zoom": print, "rotate": rotate}, "rotat", "variants.a.augmentation")
    message = str(caught.value)
    assert message.startswith("variants.a.augmentation is 'rotat'")
    assert all(name in message for name in ("rotate, zoom", "'rotate'"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("basik", " Did you mean 'basic'?"), ("xyz", ""), ("", ""), (3, "")],
)
def test_nearest_speaks_only_of_names_that_are_close(name, said):
    assert nearest(name, ["basic", "dropout"]) == said


def test_arguments_come_back_with_their_defaults():
    assert check_arguments(rotate, {"steps": 2}, "x") == {"degrees": 10.0, "steps": 2}


def test_a_whole_number_is_accepted_as_a_float():
    given = check_arguments(rotate, {"steps": 2, "degrees": 15}, "x")
    assert given["degrees"] == 15.0
    assert isinstance(given["degrees"], float)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"steps": 2, "degree": 5}, "x.degree "),
        ({}, "x.steps "),
        ({"steps": 2, "degrees": 200.0}, "x.degrees is 200.0"),
        ({"steps": 2, "degrees": -1.0}, "x.degrees is -1.0"),
        ({"steps": "2"}, "x.steps is '2'"),
        ({"steps": True}, "x.steps is True"),
        ({"steps": 2, "images": 1}, "x.images "),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments, sentence):
    with pytest.raises(UserError) as caught:
        check_arguments(rotate, arguments, "x")
    assert str(caught.value).startswith(sentence)
