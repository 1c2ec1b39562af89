"""What `dvc plots` draws from the pipeline's tables."""

import json

import pytest
import yaml

from benchmarks.checkout import run
from benchmarks.inputs import ROOT
from stages.files import read_table

pytestmark = pytest.mark.slow
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TABLES = {
    path.replace("${item.variant}", "basic"): shown
    for stage in STAGES.values()
    for entry in stage.get("plots", [])
    for path, shown in entry.items()
    if path.endswith(".csv")
}


@pytest.fixture(scope="module")
def drawn(made, tmp_path_factory):
    """Return Vega's specification of each plot, by the name of its table."""
    folder = made.copy(tmp_path_factory.mktemp("plots") / "copy")
    plots = json.loads(run("dvc plots show --json 2>/dev/null", folder))["data"]
    return {name: plots[name][0]["content"] for name in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_a_plot_shows_all_rows_of_its_table_under_a_title(made, drawn, table):
    plot = drawn[table]
    assert plot["title"]["text"] == TABLES[table]["title"].replace("${item.variant}", "basic")
    assert len(plot["data"]["values"]) == len(read_table(made.folder / table))
    text = json.dumps({**plot, "data": None})
    assert "<DVC_METRIC" not in text


def test_curves_put_epochs_in_order_of_number(drawn):
    """DVC passes cells as text, which would sort 10 before 2."""
    plot = drawn["results/basic/history.csv"]
    assert plot["transform"] == [{"calculate": "toNumber(datum.epoch)", "as": "epoch"}]
