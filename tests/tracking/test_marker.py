from pathlib import Path

import pytest

from stages.errors import UserError
from stages.files import read_json
from stages.settings import params
from stages.tracking import marker, record
from tests.tracking.made_results import make_repository


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(make_repository(tmp_path))


def read():
    return record.read("basic", params.load())


@pytest.mark.parametrize(
    ("stage", "name"), [(stage, name) for stage in marker.NEEDED for name in marker.NEEDED[stage]]
)
def test_a_missing_file_names_the_stage_that_writes_it(stage, name):
    assert marker.missing("basic") == []
    Path("results/basic", name).unlink()
    assert marker.missing("basic") == [(stage, Path("results/basic", name))]
    with pytest.raises(UserError, match=rf"{name} .*`dvc repro {stage}@basic`"):
        read()


@pytest.mark.parametrize("name", [*marker.COMPARED, "plots/calibration.png", "plots/curves.png"])
def test_the_marker_follows_what_compare_reads_and_nothing_else(name):
    def written():
        marker.write("basic", read().identity)
        return read_json(Path("results/published/basic.json"))

    before = written()
    assert set(before) == {"variant", "fingerprint", "results_sha256", "sha256"}
    Path("results/basic/timing.csv").unlink()
    assert written() == before
    path = Path("results/basic", name)
    path.write_bytes(path.read_bytes() + (b" " if name.endswith("json") else b"\n"))
    after = written()["sha256"]
    assert {key for key in after if after[key] != before["sha256"][key]} == {name}
