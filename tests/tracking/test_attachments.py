from pathlib import Path

import pytest

from stages.settings.sections import Tracking
from stages.tracking import store
from stages.tracking.attachments import log_suite
from tests.tracking.logged import publish, runs_of
from tests.tracking.made_results import everything

pytestmark = pytest.mark.slow
SHOWN = {"baseline": "basic", "sources": "mnist-5k, photos"}


def test_a_data_set_s_name_is_cut_to_what_mlflow_takes(repository):
    source = "folder/" * 100
    path = Path("data/prepared/dataset.json")
    path.write_text(path.read_text().replace('"mnist-5k"', f'"{source}"'))
    publish()
    assert [row["name"] for row in everything(repository)["datasets"]] == [source[:500]]


def show():
    with store.opened(Tracking()) as client:
        return log_suite(client, SHOWN)


def test_a_suite_is_a_run_with_its_files_and_logged_once(repository):
    Path("results/plots").mkdir(exist_ok=True)
    Path("results/suite.csv").write_text("source\nall\n")
    Path("results/plots/suite.png").write_bytes(b"picture")
    run_id = show()
    before = everything(repository)
    assert show() == run_id
    assert everything(repository) == before
    (run,) = runs_of(repository, "suite").values()
    assert run["run"]["status"] == "FINISHED"
    assert run["params"] == SHOWN
    attached = repository / "mlartifacts" / run_id / "artifacts"
    assert (attached / "suite.csv").read_text() == "source\nall\n"
    assert (attached / "plots/suite.png").read_bytes() == b"picture"
    Path("results/plots/suite.png").write_bytes(b"a new picture")
    assert show() == run_id
    assert (attached / "plots/suite.png").read_bytes() == b"a new picture"
    before = everything(repository)
    assert show() == run_id
    assert everything(repository) == before
    Path("results/suite.csv").write_text("source\nother\n")
    assert show() != run_id  # the earlier one stays, as history
