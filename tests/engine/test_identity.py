import pytest

from stages.engine import environment, identity
from stages.engine.resolve import recipe
from stages.settings import params
from stages.settings.sections import Named
from tests.settings.defaults import CONTENT


@pytest.fixture
def chosen():
    return recipe(params.parse(CONTENT), "basic")


def test_the_fingerprint_covers_settings_data_and_environment(chosen, monkeypatch):
    fingerprint = identity.fingerprint(chosen, "data")
    assert identity.fingerprint(chosen, "data") == fingerprint
    zoom = Named(name="zoom", arguments={"factor": 0.1})
    others = [
        recipe(params.parse(CONTENT), "dropout"),
        chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": 9})}),
        chosen.model_copy(update={"augmentation": [zoom]}),
    ]
    different = {identity.fingerprint(other, "data") for other in others}
    now = environment.current("portable")
    for item in now:
        monkeypatch.setattr(
            environment, "current", lambda kernels, item=item: now | {item: "other"}
        )
        different.add(identity.fingerprint(chosen, "data"))
    monkeypatch.undo()
    different |= {fingerprint, identity.fingerprint(chosen, "other data")}
    assert len(different) == 2 + len(others) + len(now)


@pytest.fixture
def code(monkeypatch, tmp_path):
    """A copy of the numerical code in a temporary folder."""
    folder = tmp_path / "stages"
    for package in (*identity.CODE, "engine"):
        (folder / package).mkdir(parents=True)
    (folder / "training" / "fold.py").write_text("a = 1\n")
    monkeypatch.setattr(identity, "__file__", str(folder / "engine" / "identity.py"))
    return folder


def test_the_fingerprint_covers_the_code_that_computes_and_no_other(chosen, code):
    fingerprint = identity.fingerprint(chosen, "data")
    (code / "engine" / "workers.py").write_text("# a comment\n")
    (code / "files.py").write_text("a = 1\n")
    assert identity.fingerprint(chosen, "data") == fingerprint
    (code / "training" / "fold.py").write_text("a = 2\n")
    assert identity.fingerprint(chosen, "data") != fingerprint


def test_files_of_editors_are_ignored(chosen, code):
    fingerprint = identity.fingerprint(chosen, "data")
    (code / "training" / ".#fold.py").symlink_to("me@host.1234")  # Emacs' lock of a file
    (code / "training" / "gone.py").symlink_to("nowhere.py")
    (code / "training" / "._fold.py").write_bytes(b"\0")  # made by macOS on other file systems
    for folder in (".ipynb_checkpoints", "__pycache__"):
        (code / "training" / folder).mkdir()
        (code / "training" / folder / "fold.py").write_text("a = 3\n")
    assert identity.fingerprint(chosen, "data") == fingerprint
