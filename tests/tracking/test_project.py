import re
from pathlib import Path

import pytest
import yaml

ENTRY_POINTS = yaml.safe_load((Path(__file__).parents[2] / "MLproject").read_text())["entry_points"]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_each_declared_parameter_is_passed_on(name):
    entry = ENTRY_POINTS[name]
    used = set(re.findall(r"\{(\w+)\}", entry["command"]))
    assert used == set(entry.get("parameters", {}))


def test_the_entry_points_are_there():
    assert set(ENTRY_POINTS) >= {"main", "variant", "publish", "compare", "predict", "promote"}


def test_each_parameter_has_a_type():
    for entry in ENTRY_POINTS.values():
        for parameter in entry.get("parameters", {}).values():
            assert parameter["type"] in ("string", "path", "float", "uri")
