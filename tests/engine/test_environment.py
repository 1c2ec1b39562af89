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


def test_the_stage_records_what_computes():
    record()
    assert read_json(environment.RECORDED) == environment.current()
    assert environment.current().keys() == {
        "python",
        "tensorflow",
        "keras",
        "numpy",
        "kernels",
        "auto_precision",
    }
    environment.check()
    assert environment.adopt() == ""


def test_without_a_record_there_is_nothing_to_differ_from():
    environment.check()
    assert environment.adopt() == ""
    assert not environment.RECORDED.exists()


def test_another_environment_is_refused_with_what_differs(monkeypatch):
    record()
    changed(monkeypatch, keras="9.0")
    with pytest.raises(UserError, match=r"keras [\d.]+ -> 9\.0"):
        environment.check()


def test_another_environment_is_adopted_where_all_is_trained_anew(monkeypatch):
    record()
    changed(monkeypatch, numpy="9.0", kernels="other")
    changes = environment.adopt()
    assert "numpy" in changes
    assert "kernels" in changes
    assert read_json(environment.RECORDED)["numpy"] == "9.0"
    environment.check()
