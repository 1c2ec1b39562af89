import pytest

from stages.engine import environment
from stages.environment import environment as record
from stages.errors import UserError
from stages.files import read_json


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def changed(monkeypatch, **items):
    now = dict(environment.current()) | items
    monkeypatch.setattr(environment, "current", lambda: now)


def test_without_a_record_or_change_nothing_is_reported():
    environment.check()
    assert environment.adopt() == ""
    assert not environment.RECORDED.exists()
    record()
    keys = {"python", "tensorflow", "keras", "numpy", "kernels", "auto_precision"}
    assert read_json(environment.RECORDED) == environment.current()
    assert environment.current().keys() == keys
    environment.check()
    assert environment.adopt() == ""


def test_a_changed_environment_is_rejected_until_it_is_adopted(monkeypatch):
    record()
    now = dict(environment.current()) | {"keras": "9.0", "kernels": "other"}
    monkeypatch.setattr(environment, "current", lambda: now)
    with pytest.raises(UserError, match=r"keras [\d.]+ -> 9\.0"):
        environment.check()
    changes = environment.adopt()
    assert "keras" in changes
    assert "kernels" in changes
    assert read_json(environment.RECORDED) == now
    environment.check()
