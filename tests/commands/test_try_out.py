import pytest

from benchmarks.checkout import make, run
from benchmarks.inputs import defaults
from stages.commands.try_out import FOLDER

pytestmark = pytest.mark.slow


def test_a_trial_changes_nothing_but_its_own_folder(tmp_path):
    """In a folder whose name has a space, with edits that are not committed."""
    folder = make(tmp_path / "my photos", defaults())
    with (folder / "params.yaml").open("a") as settings:
        settings.write("# edited\n")
    before = run("git status --short", folder)
    server = "http://127.0.0.1:9"  # nothing listens there; the trial must not use it
    printed = run("python -m stages try", folder, MLFLOW_TRACKING_URI=server)
    trial = folder / FOLDER
    assert f"{FOLDER}/results/report.html" in printed
    assert "make ui" not in printed  # it would show the repository's store
    assert (trial / "results/report.html").exists()
    assert (trial / "mlflow.db").exists()
    assert run("git status --short", folder) == before
    assert not (folder / "mlflow.db").exists()
    assert not (folder / "results").exists()
