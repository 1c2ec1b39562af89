"""data.watch follows the paths of the user's data."""

from pathlib import Path

import pytest
import yaml

from benchmarks.inputs import SHIPPED
from stages.commands.watched import watched
from stages.errors import UserError
from tests import drawn

SHIPPED_TEXT = SHIPPED.read_text()
TAIL = SHIPPED_TEXT[SHIPPED_TEXT.index("\ntrain:") :]
BLOCK = "# mine\ndata:\n    source: photos   # here\n{watch}    seed: 2\n"


@pytest.fixture(autouse=True)
def _photos(folder):
    drawn.tree(folder / "photos", drawn.classes("cat", "dog"))
    (folder / "stages/data").mkdir(parents=True)
    (folder / "a.csv").touch()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            BLOCK.format(watch="    watch: stages/data  # old\n"),
            BLOCK.format(watch="    watch: photos  # old\n"),
        ),
        (
            BLOCK.format(watch=""),
            BLOCK.format(watch="").replace("source:", "watch: photos\n    source:"),
        ),
        ("data: {source: photos, seed: 2}\n", "data: {watch: photos, source: photos, seed: 2}\n"),
        ("data: {source: photos, watch: 'x y'}\n", "data: {source: photos, watch: photos}\n"),
        ("data: {watch: '~/x'}\r\n", "data: {watch: stages/data}\r\n"),
        ("folds: {group: a.csv}\n", "data: {watch: a.csv}\nfolds: {group: a.csv}\n"),
    ],
)
def test_only_its_value_changes(given, expected, capsys):
    path = Path("params.yaml")
    path.write_bytes((given + TAIL).encode())
    watched()
    assert path.read_bytes() == (expected + TAIL).encode()
    assert capsys.readouterr().out.startswith("params.yaml: data.watch is now ")
    watched()
    assert path.read_bytes() == (expected + TAIL).encode()
    assert capsys.readouterr().out == ""


def test_settings_that_are_right_or_cannot_be_stay_as_they_are():
    path = Path("params.yaml")
    path.write_text(SHIPPED_TEXT)
    watched()
    assert path.read_text() == SHIPPED_TEXT
    content = yaml.safe_load(SHIPPED_TEXT)
    content["data"] |= {"source": "photos", "corrections": "wrong.csv"}
    path.write_text(yaml.safe_dump(content))
    Path("wrong.csv").touch()
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"data\.source and data\.corrections"):
        watched()
    assert path.read_bytes() == before


def test_an_empty_section_is_left_to_the_user():
    path = Path("params.yaml")
    path.write_text("data: {}\nfolds: {group: a.csv}\n" + TAIL)
    with pytest.raises(UserError, match=r"data\.watch to 'a\.csv'"):
        watched()
