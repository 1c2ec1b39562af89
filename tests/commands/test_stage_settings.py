import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks import inputs
from stages import train
from stages.commands.cli import cli
from stages.commands.stage_settings import unedited
from stages.errors import UserError


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Return a function that changes a setting of the shipped pipeline in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(inputs.ROOT / name, tmp_path)

    def edit(value, *path):
        content = yaml.safe_load(Path("params.yaml").read_text())
        section = content
        for key in path[:-1]:
            section = section[key]
        section[path[-1]] = value
        Path("params.yaml").write_text(yaml.safe_dump(content))

    return edit


@pytest.mark.parametrize(
    ("stage", "item", "path"),
    [
        ("train", "basic", ("variants", "basic", "architecture")),
        ("train", "basic", ("train", "epochs")),
        ("prepare", "", ("folds", "count")),
        ("members", "", ("compare", "variants")),
        ("compare", "", ("compare", "rope")),
        ("publish", "basic", ("tracking", "experiment")),
    ],
)
def test_a_stage_fails_when_its_settings_are_edited_while_it_runs(edit, stage, item, path):
    with pytest.raises(UserError, match=".".join(path[:1])), unedited(stage, item):
        edit("another", *path)
    with unedited(stage, item):
        pass  # the next run has them from the start


def test_other_settings_may_be_edited(edit):
    with unedited("train", "basic"):
        edit({"architecture": "stacked"}, "variants", "another")
        edit(2, "folds", "count")
        edit(0.3, "compare", "rope")


def test_a_file_that_is_being_written_counts_as_edited(edit):
    with pytest.raises(UserError), unedited("train", "basic"):
        Path("params.yaml").write_text("train: {epochs: ")


def test_commands_of_stages_are_watched(edit, monkeypatch):
    monkeypatch.setattr(train, "train", lambda variant: edit(99, "train", "epochs"))
    with pytest.raises(UserError, match="train@basic"):
        cli.main(["train", "basic"], standalone_mode=False)
