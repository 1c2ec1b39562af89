"""One run of the whole pipeline on a small data set, shared by all tests, and copies of it."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

from benchmarks import checkout, inputs
from tests.pipeline.faults import offline
from tests.prepared import edit

SMALL = checkout.SMALL | {"parallel": {"jobs": 2}}


class Made(NamedTuple):
    """The repository in which the pipeline has run; tests must not change it."""

    folder: Path
    left: list[str]  # temporary files
    results: dict[str, bytes]
    empty_store: Path

    def copy(self, folder, *without):
        """Copy it without some folders, with an empty store, because MLflow's is tied to its path.

        The copy trains in the stage's own process.
        """
        shutil.copytree(self.folder, folder, symlinks=True)
        shutil.copyfile(self.empty_store, folder / "mlflow.db")
        edit(folder, {"parallel": {"jobs": 1}})
        for name in without:
            shutil.rmtree(folder / name)
        return folder

    def of(self, variant):
        """Return the results of one variant."""
        return {name: data for name, data in self.results.items() if f"/{variant}/" in name}


@pytest.fixture(scope="session")
def made(shared, empty_store):
    """Run the whole pipeline once for all workers, without a network if possible."""
    base = shared / "pipeline"
    with FileLock(f"{base}.lock"):
        if not (base / "made.json").exists():
            shutil.rmtree(base, ignore_errors=True)  # of a run that failed
            (base / "temporary").mkdir(parents=True)
            checkout.make(base / "folder", inputs.merged(inputs.defaults(), SMALL))
            command = f"{'unshare --net ' if offline() else ''}python -m stages repro"
            checkout.run(command, base / "folder", TMPDIR=str(base / "temporary"))
            left = [str(path) for path in (base / "temporary").rglob("*")]
            (base / "made.json").write_text(json.dumps(left))
    left = json.loads((base / "made.json").read_text())
    return Made(base / "folder", left, checkout.results(base / "folder"), empty_store)


@pytest.fixture
def copy(made, tmp_path):
    """Return a copy in which everything has run."""
    return made.copy(tmp_path / "copy")


@pytest.fixture
def untrained(made, tmp_path):
    """Return a copy that has prepared data, but no results, stored folds or cache."""
    return made.copy(tmp_path / "untrained", "results", ".foldlab", ".dvc/cache")
