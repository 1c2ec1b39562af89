import inspect

import pytest

from stages.errors import UserError
from stages.models import ARCHITECTURES, build
from stages.settings.registry import check_arguments
from stages.settings.sections import Named


def model(name, **arguments):
    full = check_arguments(ARCHITECTURES[name], arguments, name)
    return build(Named(name=name, arguments=full), (28, 28, 1), 10)


def test_the_medium_size_s_parameter_count_is_documented_too():
    count = model("resnet", size="medium").count_params()
    assert f"{count:,} parameters" in inspect.getdoc(ARCHITECTURES["resnet"])


@pytest.mark.parametrize(("size", "blocks"), [("small", 3), ("medium", 6)])
def test_each_block_adds_its_input(size, blocks):
    made = model("resnet", size=size)
    assert [type(layer).__name__ for layer in made.layers].count("Add") == blocks


def test_an_unknown_size_is_refused():
    with pytest.raises(UserError, match=r"^resnet\.size is 'huge'"):
        model("resnet", size="huge")
