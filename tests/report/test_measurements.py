"""The page of what commands measure on demand."""

import json
from pathlib import Path

import pytest
from PIL import Image

from stages.report import measurements

pytestmark = pytest.mark.usefixtures("folder")


def page() -> str:
    return measurements.PAGE.read_text(encoding="utf-8")


def test_each_command_has_its_section_and_the_last_values():
    Path("results/plots").mkdir(parents=True)
    Image.new("L", (8, 8)).save("results/plots/cost.png")
    measurements.add("learning_curve", ["variant", "images"], [["basic", "400"]], ["More help."])
    measurements.add("cost", ["variant", "ms"], [["basic", "1.50"]], [])
    measurements.add("cost", ["variant", "ms"], [["basic", "1.25"], ["<b>", "2"]], ["A & B."])
    text = page()
    assert text.index("Cost of a prediction") < text.index("Would more images help?")
    assert "1.25" in text
    assert "1.50" not in text
    assert "More help." in text
    assert text.count("<img") == 1
    assert "&lt;b&gt;" in text
    assert "A &amp; B." in text
    assert "Several data sets" not in text


@pytest.mark.parametrize("damaged", ["", "{", "[1", "[1]", "null"])
def test_a_damaged_store_is_replaced(damaged):
    Path("results").mkdir()
    measurements.STORED.write_text(damaged)
    measurements.add("suite", ["variant"], [["basic"]], [])
    assert json.loads(measurements.STORED.read_text()).keys() == {"suite"}
    assert "Several data sets" in page()


def test_the_page_needs_nothing_from_elsewhere():
    measurements.add("export", ["variant"], [["basic"]], [])
    assert "http" not in page().replace("http-equiv", "")
    assert Path("results/report.html").name in page()
