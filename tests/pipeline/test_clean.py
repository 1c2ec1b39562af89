"""`make clean` in a folder with the Makefile and what a checkout may hold besides."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parents[2]
NOTED = [".foldlab/runs/0123abcd", ".foldlab/unpublished/basic"]
KEPT = ["mlflow.db", "results/basic/folds.csv"]
REMOVED = [
    ".venv/ready",
    ".foldlab/folds/0123/fold-0.npz",
    ".foldlab/models/0123/model.keras",
    ".foldlab/scores/0123.npz",
    ".foldlab/search/0123.log",
    ".foldlab/tracking.lock",
    ".foldlab/.partial-0",
    "stages/__pycache__/files.pyc",
]


def cleaned(folder, *names):
    """Return the files that are left of these."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    shutil.copy(HERE / "Makefile", folder)
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "Makefile")
    return sorted(path.relative_to(folder).as_posix() for path in files)


def test_the_notes_of_what_mlflow_lacks_stay(tmp_path):
    assert cleaned(tmp_path, *NOTED, *KEPT, *REMOVED) == [*NOTED, *KEPT]


def test_where_nothing_is_noted_nothing_stays(tmp_path):
    assert cleaned(tmp_path, *KEPT, *REMOVED) == KEPT
    assert cleaned(tmp_path) == KEPT
