"""What a command leaves: the bytes of its files, and the rows of MLflow's store."""

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import checkout
from stages.errors import UserError
from stages.files import read_arrays, read_table

# Files that contain times differ between runs; they only have to be complete.
VARYING = ["results/*/timing.csv", ".foldlab/folds/*/fold-*.npz", ".foldlab/folds/*/training.json"]
VARYING += ["results/cost.csv", "results/plots/cost.png", "results/measurements.*"]
VARYING += ["results/*/export/*.json"]
# MLflow's store is compared by queries. Only a killed process may leave temporary files.
IGNORED = ["mlflow.db*", "mlartifacts/*", "*.lock", ".foldlab/runs/*", "*.partial-*"]
STORE = [
    "select name, status from runs order by 1, 2",
    "select key, count(*) from latest_metrics group by key order by 1",
    "select count(*) from params",
    "select name, version from model_versions order by 1, 2",
    "select name, alias, version from registered_model_aliases order by 1, 2",
    "select name, status, lifecycle_stage from logged_models order by 1, 2",
]
Files = Mapping[str, bytes]  # name -> bytes


def content(folder: Path) -> Files:
    """Return the bytes of each file; for one with times, whether it is complete."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in IGNORED):
            varies = any(fnmatch(name, pattern) for pattern in VARYING)
            found[name] = _complete(path) if varies else path.read_bytes()
    return found


def _complete(path: Path) -> bytes:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                read_arrays(path, stored.files)
        elif path.suffix == ".csv":
            read_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".png":
            Image.open(path).load()
        else:
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    except (OSError, UserError, ValueError, AssertionError) as error:
        return f"damaged: {error}".encode()
    return b"complete"


def store(folder: Path) -> list:
    """Return the content of MLflow's store, without times and random ids."""
    if not (folder / "mlflow.db").exists():
        return []
    return [checkout.query(folder, query) for query in STORE]
