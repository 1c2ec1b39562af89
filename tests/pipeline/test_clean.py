"""`make clean` in a folder with the Makefile and other files that a checkout may contain."""

import shutil
import subprocess

import pytest

from benchmarks.inputs import ROOT

NOTED = [".foldlab/runs/0123abcd", ".foldlab/unpublished/basic"]
KEPT = ["mlflow.db", "results/basic/folds.csv"]
COSTLY = [
    ".venv/lib/__pycache__/a.pyc",
    ".foldlab/search/basic.log",
    ".foldlab/models/0/model.keras",
]
REMOVED = [
    ".foldlab/folds/0123/fold-0.npz",
    ".foldlab/try/params.yaml",
    ".foldlab/repro.json",
    ".foldlab/tracking.lock",
    "stages/__pycache__/files.pyc",
]


@pytest.mark.parametrize("noted", [NOTED, []])
@pytest.mark.parametrize(("target", "costly"), [("clean", COSTLY), ("clean-all", [])])
def test_results_and_notes_of_what_is_missing_from_mlflow_stay(tmp_path, noted, target, costly):
    for name in (*noted, *KEPT, *COSTLY, *REMOVED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    for _ in range(2):
        subprocess.run(["make", target], cwd=tmp_path, check=True, capture_output=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *noted, *KEPT, *costly}
