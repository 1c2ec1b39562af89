import inspect

import pytest

from stages.models import ARCHITECTURES
from tests.models.built import kinds, model


@pytest.mark.parametrize(("size", "blocks"), [("small", 3), ("medium", 6)])
def test_resnet_s_blocks_add_their_input_and_both_sizes_are_documented(size, blocks):
    assert kinds("resnet", size=size).count("Add") == blocks
    count = model("resnet", size=size).count_params()
    assert f"{count:,} parameters" in inspect.getdoc(ARCHITECTURES["resnet"])
