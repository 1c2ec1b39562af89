from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from stages.settings.base import Settings, nearest, validate
from tests.refusals import refused


class Inner(Settings):
    depth: Annotated[int, Field(ge=1)] = 1


class Outer(Settings):
    inner: Inner
    rows: dict[str, Inner] = Field(default_factory=dict)
    model: str = ""
    kind: Literal["small", "large"] = "small"
    names: Annotated[list[str], Field(min_length=1)] = ["a"]  # noqa: RUF012 - pydantic copies it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"inner": {"depht": 2}}, r"here\.inner\.depht .*'depth'"),
        ({"inner": {}, "modle": ""}, r"here\.modle .*inner, rows, model, kind, names\..*'model'"),
        ({"inner": {}, 3: ""}, r"here\.3 "),
        ({"inner": {"a\nb": 2}}, r"here\.inner\.'a\\nb' "),
        ({"inner": {"depth": 0}}, r"here\.inner\.depth is 0: "),
        ({"inner": {"depth": True}}, r"here\.inner\.depth is True: "),
        ({"inner": {}, "rows": {"x": {"depth": 0}}}, r"here\.rows\.x\.depth is 0: "),
        ({"inner": None}, r"here\.inner is None: "),
        ({}, r"here\.inner is missing"),
        (3, "here is 3: "),
        ({"inner": {}, "rows": {3: {}}}, r"here\.rows has the key 3, which is not text"),
        ({"inner": {}, "rows": []}, r"here\.rows is \[\]: it must be a mapping"),
        ({"inner": {}, "kind": "smal"}, r"here\.kind is 'smal': .* Did you mean 'small'"),
        ({"inner": {}, "names": []}, r"here\.names is \[\]: it must have 1 or more values"),
    ],
)
def test_the_first_invalid_setting_is_named_in_one_sentence(content, message):
    with refused(f"^{message}"):
        validate(Outer, content, "here")


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        validate(Outer, {"inner": {}}).model = "x"


@pytest.mark.parametrize(
    ("name", "message"),
    [("basik", " Did you mean 'basic'?"), ("xyz", ""), ("", ""), (3, "")],
)
def test_only_a_close_name_is_suggested(name, message):
    assert nearest(name, {"basic": 1, "dropout": 2}) == message
