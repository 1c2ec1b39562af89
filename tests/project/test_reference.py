"""docs/reference.md lists every column of the result files and every environment variable."""

import csv
import json
import re
import subprocess

import numpy as np
import pytest

from benchmarks.inputs import ROOT
from stages import train
from stages.commands import cost, learning_curve
from stages.statistics import evaluation, suite, two_classes
from stages.statistics.scores import SCORES
from tests.project import shipped

shipped.skip_unless_shipped()
TEXT = (ROOT / "docs/reference.md").read_text()
FILES, VARIABLES = TEXT.split("\n## Environment variables\n")
NAMES = subprocess.check_output(["git", "ls-files", "results/*.csv"], cwd=ROOT, text=True)
COMMITTED = {
    re.sub(r"^results/(?!plots/)[^/]+/", "results/<variant>/", name): ROOT / name
    for name in NAMES.splitlines()
}

# What no committed file shows: files in DVC's cache, and those of commands.
TWO = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
WRITTEN = {
    "results/cost.csv": cost.COLUMNS,
    "results/learning_curve.csv": learning_curve.COLUMNS,
    "results/suite.csv": suite.COLUMNS,
    "results/<variant>/fold_scores.csv": ("fold", *SCORES),
}
for table in (
    train.tables("fingerprint", 0, {}),
    evaluation.tables(evaluation.Predictions(*TWO, *TWO), ["no", "yes"], []),
):
    WRITTEN |= {f"results/<variant>/{name}": columns for name, (columns, _) in table.items()}

# Names that code composes, that belong to the programs it starts, or that only tests read.
COMPOSED = {f"MLFLOW_TRACKING_{name}" for name in ("USERNAME", "PASSWORD", "TOKEN")}
COMPOSED |= {"MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_SERVER_CERT_PATH", "RAY_AUTH_MODE"}
COMPOSED |= {"FOLDLAB_PROJECT"}
PREFIXES = "CUDA|DNNL|DVC|FOLDLAB|KERAS|MLFLOW|NPY|OMP|ONEDNN|OPENBLAS|RAY|TF"


def described(text):
    """Return the names in the first column of a Markdown text's tables."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.M)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def sections():
    """Return file -> the names that its table describes."""
    found = re.split(r"^### `(.*)`$", FILES, flags=re.M)[1:]
    return {name: described(text) for name, text in zip(found[::2], found[1::2], strict=True)}


def keys(content, path=""):
    """Return the paths of all values of nested objects; a mean with its deviation is one value."""
    if not isinstance(content, dict) or content.keys() == {"mean", "std", "n"}:
        return {path}
    return set().union(*(keys(one, f"{path}.{key}".strip(".")) for key, one in content.items()))


def test_every_table_of_results_is_described():
    assert sections().keys() == COMMITTED.keys() | WRITTEN | {"results/<variant>/metrics.json"}


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_file_has_the_described_columns(name):
    with COMMITTED[name].open(newline="") as file:
        assert sorted(next(csv.reader(file))) == sorted(sections()[name])


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_is_written_with_the_described_columns(name):
    assert sorted(WRITTEN[name]) == sorted(sections()[name])


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*/metrics.json")), ids=str)
def test_metrics_have_the_described_keys(path):
    areas = {f"test.{name}" for name in two_classes.AREAS}  # of two classes only
    named = sections()["results/<variant>/metrics.json"]
    assert len(set(named)) == len(named)
    assert keys(json.loads(path.read_text())) == set(named) - areas
    assert areas <= set(named)


def read_variables():
    """Return the environment variables in the code, the Makefile and compose.yaml."""
    code = "\n".join(path.read_text() for path in (ROOT / "stages").rglob("*.py"))
    make = (ROOT / "Makefile").read_text()
    patterns = (
        (rf'"((?:{PREFIXES})_[A-Z_]*[A-Z]|PYTHON[A-Z]+)"', code),
        (r'environ(?:\.\w+\(|\[)"(\w+)"', code),
        (r'"(\w+)" (?:not )?in os\.environ', code),
        (r"\$[($]([A-Z_]+)\b", make),
        (r"^export ([A-Z_]+) :=", make),
        (r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()),
    )
    found = {name for pattern, text in patterns for name in re.findall(pattern, text, re.M)}
    own = {*re.findall(r"^([A-Z]+) :=", make, re.M)}  # of the Makefile alone
    return found - own - {"CURDIR", "MAKEFILE_LIST", "PATH"}


def test_every_environment_variable_is_described_once():
    named = described(VARIABLES)
    assert len(set(named)) == len(named)
    assert {*named} == read_variables() | COMPOSED
