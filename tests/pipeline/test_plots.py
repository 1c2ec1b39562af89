"""What `dvc plots` draws: each declared plot has a title, and columns that its file has."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from dvc_render.vega import VegaRenderer
from dvc_render.vega_templates import TEMPLATES

HERE = Path(__file__).parents[2]
STAGES = yaml.safe_load((HERE / "dvc.yaml").read_text())["stages"]
PLOTS = {
    path: shown
    for stage in STAGES.values()
    for entry in stage.get("plots", [])
    for path, shown in entry.items()
    if path.endswith(".csv")
}
OWN = HERE / ".dvc" / "plots"


def committed(path):
    with (HERE / path.replace("${item.variant}", "basic")).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", PLOTS)
def test_a_plot_has_columns_of_its_file_and_says_whose_it_is(path):
    shown = PLOTS[path]
    assert {shown["x"], shown["y"]} <= set(committed(path)[0])
    assert shown["title"].endswith("(${item.variant})")
    known = {template.DEFAULT_NAME for template in TEMPLATES}
    assert shown["template"] in known | {file.stem for file in OWN.iterdir()}


@pytest.mark.parametrize("path", PLOTS)
def test_a_plot_s_template_is_filled_with_all_rows(path):
    shown = {key: value for key, value in PLOTS[path].items() if key != "cache"}
    rows = [{**row, "rev": rev} for rev in ("workspace", "main") for row in committed(path)]
    anchors = {"revs_with_datapoints": ["workspace", "main"]}
    drawn = VegaRenderer(
        rows,
        Path(path).name,
        template_dir=str(OWN),
        anchors_y_definitions=[{"filename": path, "field": shown["y"]}],
        **anchors,
        **shown,
    )
    filled = drawn.get_filled_template()
    assert len(filled["data"]["values"]) == len(rows)
    text = json.dumps({**filled, "data": None})
    assert "<DVC_METRIC" not in text
    assert {shown["x"], shown["y"]} <= {
        value for value in _values(filled, "field") if isinstance(value, str)
    } or shown["template"] == "confusion"


def _values(content, key):
    """Yield what stands under `key`, however deep."""
    if isinstance(content, dict):
        if key in content:
            yield content[key]
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _values(one, key)


def test_curves_put_epochs_in_order_of_number_and_take_the_folds_together():
    """DVC hands cells over as text, in whose order 10 comes before 2."""
    template = json.loads((OWN / "mean_of_folds.json").read_text())
    assert template["transform"] == [{"calculate": "toNumber(datum.epoch)", "as": "epoch"}]
    aggregates = set(_values(template["layer"], "aggregate"))
    assert aggregates == {"min", "max", "mean"}
    users = [shown for shown in PLOTS.values() if shown["template"] == "mean_of_folds"]
    assert [shown["x"] for shown in users] == ["epoch"]
