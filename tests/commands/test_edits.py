import shutil
from pathlib import Path

import pytest
import yaml

from benchmarks import inputs
from stages import compare, publish, train
from stages.commands import champion
from stages.commands.cli import cli
from stages.commands.edits import unedited
from stages.errors import UserError
from tests.refusals import refused


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Return a function that changes a setting of a copy of the shipped pipeline."""
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


@pytest.fixture
def code(edit):
    """Write two files that the stage plot depends on and one that it does not."""
    for name in ("figures/style.py", "report/model_card.md.j2", "report/html.py"):
        path = Path("stages", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    return Path("stages")


@pytest.mark.parametrize("name", ["figures/style.py", "report/model_card.md.j2", "figures/new.py"])
def test_a_stage_fails_when_its_code_is_edited_while_it_runs(code, name):
    message = f"^stages/{name} was edited while plot@basic ran, .* run `dvc repro plot@basic` again"
    with refused(message), unedited("plot", "basic"):
        (code / name).write_text("new")
    with refused(message), unedited("plot", "basic"):
        (code / name).unlink()


def test_many_edited_files_are_counted(code):
    with refused("stages/figures/0.py and .* and 2 more were edited"), unedited("plot", "basic"):
        for number in range(5):
            (code / f"figures/{number}.py").touch()


def test_other_code_and_what_editors_and_python_leave_may_change(code):
    with unedited("plot", "basic"):
        (code / "report/html.py").write_text("new")
        (code / "figures/style.py").write_text("old")
        (code / "figures/.#style.py").symlink_to("me@host.1234:1")
        (code / "figures/.checkpoints").mkdir()
        (code / "figures/.checkpoints/style.py").touch()
        (code / "figures/__pycache__").mkdir()
        (code / "figures/__pycache__/style.cpython-313.pyc").touch()


def test_an_edit_of_the_pipeline_while_a_stage_runs_is_left_to_dvc(edit):
    with unedited("plot", "basic"):
        Path("dvc.yaml").write_text("stages: {plot")


@pytest.mark.parametrize(
    ("module", "arguments", "stage", "path"),
    [
        (train, ["train", "basic"], "train@basic", ("train", "epochs")),
        (publish, ["publish", "basic"], "publish@basic", ("tracking", "experiment")),
        (champion, ["champion"], "compare", ("compare", "rope")),
    ],
)
def test_commands_of_stages_are_watched(edit, monkeypatch, module, arguments, stage, path):
    monkeypatch.setattr(module, arguments[0], lambda *_, **__: edit(99, *path))
    with refused(f"while {stage} ran"):
        cli.main(arguments, standalone_mode=False)


def test_an_edit_between_the_commands_of_a_stage_is_noticed_under_dvc(edit, code, monkeypatch):
    monkeypatch.setattr(compare, "compare", lambda: None)
    monkeypatch.setattr(champion, "champion", lambda: None)
    compared = [["compare"], ["champion"]]
    for change in (lambda: edit(0.3, "compare", "rope"), (code / "report/html.py").unlink):
        monkeypatch.setenv("DVC_STAGE", "compare")
        for arguments in compared:
            cli.main(arguments, standalone_mode=False)
        change()
        with refused("edited while compare ran"):
            cli.main(["champion"], standalone_mode=False)
        monkeypatch.delenv("DVC_STAGE")
        cli.main(["champion"], standalone_mode=False)  # by hand, at any later time
