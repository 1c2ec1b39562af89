from typing import Annotated

import pytest
from pydantic import Field

from stages.errors import UserError
from stages.settings.registry import check_arguments, lookup, register
from tests.refusals import refusal


def rotate(images, *, degrees: Annotated[float, Field(ge=0, le=180)] = 10.0, steps: int):
    return images


def unannotated(images, *, filters=64):
    return images


def test_an_argument_without_annotation_is_refused_by_name():
    assert "filters of the function unannotated" in refusal(check_arguments, unannotated, {}, "x")


def test_a_function_is_registered_once_under_its_name():
    table = {}
    assert register(table)(rotate) is rotate
    assert table == {"rotate": rotate}
    with pytest.raises(ValueError, match="rotate"):
        register(table)(rotate)


def test_an_unknown_name_is_refused_with_the_known_and_the_nearest():
    table = {"zoom": print, "rotate": rotate}
    assert lookup("op", table, "rotate", "variants.a") is rotate
    with pytest.raises(UserError, match=r"^variants\.a is 'rotat'.* rotate, zoom\..*'rotate'"):
        lookup("op", table, "rotat", "variants.a")


def test_arguments_come_back_with_their_defaults_and_types():
    assert check_arguments(rotate, {"steps": 2}, "x") == {"degrees": 10.0, "steps": 2}
    degrees = check_arguments(rotate, {"steps": 2, "degrees": 15}, "x")["degrees"]
    assert (degrees, type(degrees)) == (15.0, float)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"steps": 2, "degree": 5}, "x.degree "),
        ({}, "x.steps "),
        ({"steps": 2, "degrees": 200.0}, "x.degrees is 200.0"),
        ({"steps": "2"}, "x.steps is '2'"),
        ({"steps": 2, "images": 1}, "x.images "),
    ],
)
def test_a_wrong_argument_is_refused_by_name(arguments, sentence):
    assert refusal(check_arguments, rotate, arguments, "x").startswith(sentence)
