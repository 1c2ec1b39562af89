import pytest
import yaml

from benchmarks.checkout import make, run
from benchmarks.inputs import defaults, merged
from stages.commands import try_out
from stages.settings import params


def test_its_settings_are_valid_and_those_of_a_quick_run():
    settings = params.parse(yaml.safe_load(try_out.SETTINGS))
    assert settings.data.limit == 1000


@pytest.mark.slow
@pytest.mark.warm
def test_it_changes_nothing_but_its_own_folder(tmp_path, monkeypatch, capfd):
    """In a folder whose name has a space, with edits that are not committed."""
    folder = make(tmp_path / "my photos", defaults())
    with (folder / "params.yaml").open("a") as settings:
        settings.write("# edited\n")
    before = run("git status --short", folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nothing listens there
    smaller = {"data": {"limit": 90}, "folds": {"count": 2}, "train": {"epochs": 1}}
    smaller["compare"] = {"variants": ["basic"]}
    settings = merged(yaml.safe_load(try_out.SETTINGS), smaller)
    monkeypatch.setattr(try_out, "SETTINGS", yaml.safe_dump(settings))
    try_out.try_out()
    printed = capfd.readouterr().out
    trial = folder / try_out.FOLDER
    assert f"{try_out.FOLDER}/results/report.html" in printed
    assert "make ui" not in printed  # it would show the repository's store
    assert "dvc push" not in printed
    assert (trial / "results/report.html").exists()
    assert (trial / "mlflow.db").exists()
    assert run("git status --short", folder) == before
    assert not (folder / "mlflow.db").exists()
    assert not (folder / "results").exists()
