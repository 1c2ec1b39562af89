import ast
from pathlib import Path

import pytest

from stages.engine import environment, identity
from stages.engine.resolve import recipe
from stages.settings import params
from stages.settings.sections import Named
from tests.settings.test_params import CONTENT

STAGES = Path(__file__).parents[2] / "stages"


@pytest.fixture
def chosen():
    return recipe(params.parse(CONTENT), "basic")


def test_the_fingerprint_is_the_same_for_the_same_and_other_for_other(chosen):
    fingerprint = identity.fingerprint(chosen, "data")
    assert identity.fingerprint(chosen, "data") == fingerprint
    others = [
        identity.fingerprint(chosen, "other data"),
        identity.fingerprint(recipe(params.parse(CONTENT), "dropout"), "data"),
        identity.fingerprint(
            chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": 9})}), "data"
        ),
        identity.fingerprint(
            chosen.model_copy(
                update={"augmentation": [Named(name="zoom", arguments={"factor": 0.1})]}
            ),
            "data",
        ),
    ]
    assert len({fingerprint, *others}) == 5


@pytest.mark.parametrize("item", ["python", "tensorflow", "keras", "numpy", "kernels"])
def test_the_fingerprint_covers_the_environment(chosen, monkeypatch, item):
    fingerprint = identity.fingerprint(chosen, "data")
    other = dict(environment.current()) | {item: "other"}
    monkeypatch.setattr(environment, "current", lambda: other)
    assert identity.fingerprint(chosen, "data") != fingerprint


@pytest.fixture
def code(monkeypatch, tmp_path):
    """A copy of the numerical code in a temporary folder."""
    folder = tmp_path / "stages"
    for package in (*identity.CODE, "engine"):
        (folder / package).mkdir(parents=True)
    (folder / "training" / "fold.py").write_text("a = 1\n")
    monkeypatch.setattr(identity, "__file__", str(folder / "engine" / "identity.py"))
    return folder


def test_the_fingerprint_covers_the_code_that_computes(chosen, code):
    fingerprint = identity.fingerprint(chosen, "data")
    (code / "training" / "fold.py").write_text("a = 2\n")
    assert identity.fingerprint(chosen, "data") != fingerprint


def test_the_fingerprint_covers_nothing_of_the_engine(chosen, code):
    fingerprint = identity.fingerprint(chosen, "data")
    (code / "engine" / "workers.py").write_text("# a comment\n")
    (code / "files.py").write_text("a = 1\n")
    assert identity.fingerprint(chosen, "data") == fingerprint


def test_files_of_editors_are_no_code(chosen, code):
    fingerprint = identity.fingerprint(chosen, "data")
    (code / "training" / ".#fold.py").symlink_to("me@host.1234")  # Emacs' lock of a file
    (code / "training" / "gone.py").symlink_to("nowhere.py")
    (code / "training" / "._fold.py").write_bytes(b"\0")  # made by macOS on other file systems
    for folder in (".ipynb_checkpoints", "__pycache__"):
        (code / "training" / folder).mkdir()
        (code / "training" / folder / "fold.py").write_text("a = 3\n")
    assert identity.fingerprint(chosen, "data") == fingerprint


def test_training_imports_nothing_of_what_stands_above_it():
    """The fingerprint covers only models, augment and training, so they must be self-contained."""
    allowed = {"augment", "errors", "models", "settings", "training"}
    for package in identity.CODE:
        for file in (STAGES / package).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}.{alias.name}" for alias in node.names]
                for name in names:
                    parts = name.split(".")
                    assert parts[0] != "stages" or parts[1] in allowed, f"{file}: {name}"
