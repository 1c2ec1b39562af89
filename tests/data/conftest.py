import pytest


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Run each test in a folder of its own, outside any experiment."""
    monkeypatch.chdir(tmp_path)
    for variable in ("DVC_ROOT", "FOLDLAB_DATA"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path
