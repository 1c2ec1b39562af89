import shutil
from pathlib import Path

import pytest

from stages import publish
from stages.commands.champion import champion
from stages.errors import UserError
from stages.files import read_json, read_table, write_json, write_table
from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import marker, published, store
from tests.command import status
from tests.prepared import edit
from tests.refusals import command_refusal
from tests.tracking import logged
from tests.tracking.made_results import (
    dead_address,
    everything,
    identity,
    make_comparison,
    make_repository,
    make_results,
)

pytestmark = pytest.mark.slow


def aliases():
    with store.opened(Tracking()) as client:
        return logged.aliases(client)


def test_a_better_mean_alone_does_not_move_the_champion_but_the_test_does(two_published, capsys):
    """The made folds of `other` are all one point better, so the test's p is 0."""
    make_comparison(two_published, basic=0.93, other=0.92)
    champion()
    assert aliases() == {"champion": "basic", "challenger": "other"}
    make_comparison(two_published, basic=0.91, other=0.92)
    champion()
    assert aliases() == {"champion": "other", "challenger": "basic"}
    make_results(Path("results/third"), "third", 5, 2, better=0.0)
    marker.write("third", identity("third"))  # as if the store had failed
    # the folds of `basic` are still the worse ones
    make_comparison(two_published, basic=0.93, other=0.92, third=0.91)
    champion()
    assert aliases()["champion"] == "other"
    reason = capsys.readouterr().out
    assert "does not replace" in reason
    assert "best of 2" in reason


def test_the_compared_metric_decides(repository):
    """`other` has the better accuracies, and `basic` the better macro F1 of every fold."""
    make_repository(repository, "basic", "other", folds=5)
    for variant, f1 in (("basic", 0.95), ("other", 0.92)):
        path = Path("results", variant, "fold_scores.csv")
        rows = [row | {"macro_f1": f1 + row["fold"] / 1000} for row in read_table(path)]
        write_table(path, list(rows[0]), [list(row.values()) for row in rows])
        publish.publish(variant)
    for basic, other, expected in ((0.93, 0.94, "other"), (0.95, 0.94, "basic")):
        make_comparison(repository, basic=basic, other=other)
        path = Path("results/comparison.csv")
        more = {"metric": "macro_f1", "cv_std": 0.01, "n": 5}
        rows = [row | more for row in read_table(path)]
        write_table(path, list(rows[0]), [list(row.values()) for row in rows])
        champion()
        assert aliases()["champion"] == expected


def test_variants_missing_from_another_store_are_named(
    two_published, empty_store, monkeypatch, capsys, tmp_path
):
    make_comparison(two_published, basic=0.91, other=0.92)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{dead_address()}")
    champion()  # a dead server costs one sentence
    stderr = capsys.readouterr().err
    assert stderr.startswith("foldlab: publishing the comparison to MLflow at http://127")
    assert stderr.count("\n") == 1
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    champion()
    assert capsys.readouterr().err.startswith("foldlab: other, basic missing from MLflow")
    publish.publish("basic")  # not the best one, so nobody is crowned yet
    champion()
    assert "foldlab: other missing" in capsys.readouterr().err
    assert publish.publish_all() is True
    champion()
    assert capsys.readouterr().err == ""
    assert aliases() == {"champion": "other", "challenger": "basic"}


def test_a_variant_without_a_marker_or_a_comparison_is_refused(two_published):
    with pytest.raises(UserError, match=r"comparison\.csv is missing"):
        champion()
    make_comparison(two_published, basic=0.91, other=0.92)
    (two_published / "results/published/other.json").unlink()
    with pytest.raises(UserError, match=r"published/other\.json"):
        champion()


def test_publish_all_fails_with_the_comparison(two_published):
    make_comparison(two_published, basic=0.902, other=0.912)  # the means of the made folds
    assert status("publish", "--all") == 0
    assert aliases() == {"champion": "other", "challenger": "basic"}
    make_comparison(two_published, basic=0.901, other=0.912)
    assert "of other results than results/basic/fold_scores.csv" in command_refusal(
        "publish", "--all"
    )
    make_comparison(two_published, basic=0.902, third=0.912)
    missing = "third/fold_scores.csv is missing; run `dvc repro`."
    assert missing in command_refusal("publish", "--all")
    (two_published / "results/comparison.csv").unlink()
    assert status("publish", "--all") == 0


def test_a_run_with_data_limit_has_verdicts_but_no_version(repository, capsys):
    make_repository(repository, "basic", "other", folds=5)
    make_comparison(repository, basic=0.902, other=0.912)
    prepared = repository / "data/prepared/dataset.json"
    write_json(prepared, read_json(prepared) | {"limit": 800_000})
    assert status("publish", "--all") == 0
    assert "data.limit = 800000" in capsys.readouterr().out
    assert published.missing(params.load()) == []
    assert "data.limit = 800000" in command_refusal("promote", "other")
    rows = everything(repository)
    assert not rows["model_versions"] + rows["registered_models"]
    verdicts = [row["value"] for row in rows["tags"] if row["key"] == "foldlab.verdict"]
    assert len(verdicts) == 2


@pytest.mark.parametrize("limit", [1000, 400_000, 800_000])
def test_a_limit_that_was_edited_after_the_training_does_not_count(two_published, limit):
    edit(two_published, {"data": {"limit": limit}})
    make_comparison(two_published, basic=0.902, other=0.912)
    assert status("publish", "--all") == 0
    assert aliases()["champion"] == "other"
