import pytest

from stages.engine import environment
from stages.environment import environment as record
from stages.errors import UserError
from stages.files import read_json
from tests.prepared import write


def test_a_changed_environment_is_rejected_until_it_is_adopted(folder, monkeypatch):
    write(folder)
    environment.check("portable")
    assert environment.adopt("portable") == ""
    assert not environment.RECORDED.exists()
    record()
    before = read_json(environment.RECORDED)
    keys = ["python", "tensorflow", "keras", "numpy", "kernels", "auto_precision"]
    assert list(before) == keys
    environment.check("portable")
    assert environment.adopt("portable") == ""

    now = before | {"keras": "9.0", "kernels": "other"}
    monkeypatch.setattr(environment, "current", lambda kernels: now)
    with pytest.raises(UserError, match=r"keras [\d.]+ -> 9\.0, kernels"):
        environment.check("portable")
    assert environment.adopt("portable").startswith(f"keras {before['keras']} -> 9.0, kernels ")
    assert read_json(environment.RECORDED) == now
    environment.check("portable")
