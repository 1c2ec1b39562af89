import fcntl
import functools
from pathlib import Path

import pytest
import yaml

from stages.files import read_json
from stages.members import members
from tests import prepared


@pytest.fixture
def settings(folder):
    """Return settings with an ensemble."""
    prepared.write(folder)
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["variants"]["other"] = {"architecture": "basic"}
    content["variants"]["both"] = {"ensemble": ["plain", "normed"]}
    content["compare"]["variants"] = ["plain", "other", "both"]
    return content


def written(content):
    Path("params.yaml").write_text(yaml.safe_dump(content))
    members()
    return {path.stem: path.read_bytes() for path in Path("data/members").iterdir()}


def test_a_trained_variant_has_none_and_an_ensemble_those_it_names(settings):
    written(settings)
    assert read_json("data/members/plain.json") == read_json("data/members/other.json") == {}
    both = read_json("data/members/both.json")
    assert list(both) == ["plain", "normed"]
    assert both["normed"]["architecture"] == {"name": "batchnorm", "arguments": {"dense": 8}}
    assert both["plain"]["train"]["epochs"] == 2


@pytest.mark.parametrize(
    ("section", "changed", "changes"),
    [
        (("variants", "plain"), {"architecture": "stacked"}, {"both"}),
        (("variants", "normed"), {"train": {"epochs": 7}}, {"both"}),  # not compared itself
        (("variants", "normed"), {"augmentation": ["flip"]}, {"both"}),
        (("train",), {"epochs": 9}, {"both"}),
        (("variants", "plain"), {"description": "Another word for it."}, set()),
        (("variants", "other"), {"train": {"epochs": 7}}, set()),
    ],
)
def test_only_an_ensemble_s_file_follows_its_members(settings, section, changed, changes):
    before = written(settings)
    functools.reduce(dict.get, section, settings).update(changed)
    after = written(settings)
    assert {name for name in after if after[name] != before[name]} == changes


def test_the_file_of_a_variant_no_longer_chosen_goes_but_not_what_another_process_writes(settings):
    written(settings)
    settings["compare"]["variants"].remove("both")
    with Path("data/members/.partial-x.json").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert set(written(settings)) == {"plain", "other", ".partial-x"}
