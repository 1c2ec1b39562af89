import json

import pytest

from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import record, store, summary, view


def tags():
    with store.opened(Tracking()) as client:
        return client.get_experiment(client.experiment_id).tags


def test_the_view_has_parents_best_first_and_their_texts_in_order(repository):
    state = json.loads(json.loads(tags()[view.TAG])["state"])
    assert state["searchFilter"] == "tags.`foldlab.kind` = 'parent'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`compared_score`", False)
    assert state["columnOrder"] == [*view.PINNED, *state["selectedColumns"]]
    shown = [column[6:-1] for column in state["selectedColumns"]]
    row = {"outcome": "better", "difference": 0.01, "ci_low": 0.001, "ci_high": 0.02}
    scores = summary.score_tags(record.read("basic", params.load()))
    assert shown[:5] == ["verdict", "compared score", "CV accuracy", "difference", "test"]
    texts = {*summary.verdict_tags(row, ["compared score"]), *scores, summary.STATE, "latency"}
    assert {*shown} == texts - {summary.CHECKS}


def test_all_columns_fit_into_1300_pixels_where_accuracy_is_compared():
    widths = {**view.PINNED, **view.COLUMNS}
    shown = [width for name, width in widths.items() if name not in ("compared score", "latency")]
    assert 73 + sum(shown) <= 1046  # the checkboxes, and the table, with the menu at the left open


@pytest.mark.parametrize(
    ("created", "kept"), [(view.VERSION - 1, False), (1_700_000_000_000, True)]
)
def test_an_older_view_of_ours_is_replaced_and_one_that_people_saved_stays(
    repository, created, kept
):
    own = json.dumps({"name": "Variants", "createdAt": created, "state": "{}"})
    with store.opened(Tracking()) as client:
        client.set_experiment_tag(client.experiment_id, view.TAG, own)
    assert tags()[view.TAG] == (own if kept else view.VIEW)
