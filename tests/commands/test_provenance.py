import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.commands import provenance
from stages.files import write_json, write_table

CONSTRAINTS = """\
# a comment
absl-py==2.5.1
keras==3.15.1
numpy==2.4.6 ; python_full_version < '3.12'
numpy==2.5.5 ; python_full_version >= '3.12'
"""


def test_pinned_versions_are_those_for_this_python():
    numpy = "2.4.6" if sys.version_info < (3, 12) else "2.5.5"
    assert provenance._pinned(CONSTRAINTS) == {"keras": "3.15.1", "numpy": numpy}
    assert provenance._pinned("") == {}


def commit():
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (("add", "-A"), (*author, "commit", "-qm", "a")):
        subprocess.run(["git", *command], check=True)


@pytest.fixture
def repository(folder):
    subprocess.run(["git", "init", "-q"], check=True)
    write(compared=["a", "b"], digests={"a": "1", "b": "1"})
    commit()


def write(compared, digests):
    """Write comparison.csv, and a dvc.lock in which the code of variants has these digests."""
    write_table(Path(provenance.TABLE), ["variant"], [[name] for name in compared])
    deps = {name: [{"path": "stages/models", "md5": digest}] for name, digest in digests.items()}
    stages = {f"train@{name}": {"deps": each} for name, each in deps.items()}
    Path(provenance.LOCK).write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))


def test_entries_of_variants_that_are_no_longer_compared_do_not_count(repository):
    write(compared=["a"], digests={"a": "2", "b": "1"})
    assert "other code (`stages/models`)" in provenance.causes("HEAD", ["a"])
    commit()
    write(compared=["a"], digests={"a": "2"})
    assert provenance.causes("HEAD", ["a"]) == ""


def test_an_ensemble_is_not_counted_as_trained_elsewhere(repository):
    for name, final in (("a", "soft_vote"), ("b", "ensemble")):
        write_json(Path(provenance.TRAINING.format(name)), {"fingerprint": name, "final": final})
        rows = [[name]] if final == "soft_vote" else []
        write_table(Path(f"results/{name}/timing.csv"), ["fingerprint"], rows)
    commit()
    assert "1 of 1 variants were trained here" in provenance.committed(["a", "b"])
    assert "cache" not in provenance.committed(["a", "b"])
