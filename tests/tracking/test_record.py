import json
from pathlib import Path

import pytest

from stages.errors import UserError
from stages.files import read_json, write_json
from stages.settings import params
from stages.tracking import record
from tests.prepared import edit
from tests.tracking.made_results import BEGAN, fingerprint, make_repository, score


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(make_repository(tmp_path))


def read(variant="basic"):
    return record.read(variant, params.load())


def test_settings_become_dotted_keys():
    settings = {"a": {"b": {"c": 1}}, "b": True, "c": "text", "d": {}, "e": [{"f": 0.001}]}
    pairs = [("a.b.c", "1"), ("b", "true"), ("c", "text"), ("e", '[{"f": 0.001}]')]
    assert list(record.flat(settings)) == pairs


def test_metrics_become_joined_keys_and_only_numbers():
    content = {"cv": {"accuracy": {"mean": 0.5, "n": 5}}, "note": "x", "list": [1], "flag": True}
    Path("results/basic/metrics.json").write_text(json.dumps(content))
    expected = {"cv_accuracy_mean": 0.5, "cv_accuracy_n": 5.0, "fit_seconds": 4.0}
    assert read().metrics == expected


def test_a_record_has_settings_data_and_folds_with_epochs_times_and_scores():
    found = read()
    assert found.params == {
        "architecture.name": "basic",
        "architecture.arguments.filters": "32",
        "augmentation": '[{"name": "rotate", "arguments": {"degrees": 10}}]',
        "train.epochs": "2",
        "train.learning_rate": "0.001",
        "train.early_stopping": "null",
        "data.source": "mnist-5k",
        "data.classes": "2",
        "data.image_shape": "28x28x1",
        "data.train_images": "800000",
        "data.test_images": "20",
        "folds.count": "2",
        "folds.repeats": "1",
    }
    first, second = found.folds
    sizes = {"train_images": "40", "val_images": "40"}
    assert second.params == {"fold": "1", "repeat": "0", **sizes}
    assert ("val_loss", 1.0, 2, BEGAN + 12_000) in second.points
    assert ("cv_accuracy", 0.901, 0, BEGAN + 12_000) in second.points
    assert len(second.points) == 5 * 2 + 4
    assert (first.start, first.end) == (BEGAN, BEGAN + 2000)
    assert (found.start, second.end) == (BEGAN, BEGAN + 12_000)


def test_the_limit_is_that_of_the_prepared_data():
    edit(Path(), {"data": {"limit": 10}})
    assert read().limit is None
    path = Path("data/prepared/dataset.json")
    write_json(path, read_json(path) | {"limit": 800_000})
    edit(Path(), {"data": {"limit": None}})
    assert read().limit == 800_000


HEADER = "fold,epoch,time,seconds,fingerprint\n"


@pytest.mark.parametrize(
    "timing",
    [
        None,
        "",
        HEADER,
        f"{HEADER}0,1,5,1.0,of another training\n",
        f"{HEADER}0,1,5,1.0,{fingerprint('basic')}\n0,1,7",
    ],
    ids=["missing", "empty", "header", "foreign", "torn"],
)
def test_useless_timing_is_ignored(timing):
    path = Path("results/basic/timing.csv")
    path.unlink() if timing is None else path.write_text(timing)
    found = read()
    assert "fit_seconds" not in found.metrics
    assert found.start is None
    assert {time for fold in found.folds for *_, time in fold.points} == {None}


@pytest.mark.parametrize(("final", "name"), [("refit", "basic"), ("soft_vote", "backbone")])
def test_trainings_that_are_more_than_their_epochs_have_no_seconds(final, name):
    path = Path("results/basic/training.json")
    training = json.loads(path.read_text()) | {"final": final}
    training["settings"]["architecture"]["name"] = name
    path.write_text(json.dumps(training))
    assert "fit_seconds" not in read().metrics
    assert record.fit_seconds("basic") is None


def test_the_seconds_are_those_of_all_epochs_or_none():
    path = Path("results/basic/timing.csv")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "fit_seconds" not in read().metrics


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="'basic'"):
        read("basik")
    dataset = Path("data/prepared/dataset.json")
    dataset.write_text(json.dumps(json.loads(dataset.read_text()) | {"sha256": "0" * 64}))
    with pytest.raises(UserError, match="dvc repro train@basic"):
        read()
    edit(Path.cwd(), {"compare": {"variants": ["other"], "baseline": "other"}})
    added = "; add basic to compare.variants and run `dvc repro`"
    with pytest.raises(UserError, match=f"other data .*{added}"):
        read()
    Path("results/basic/plots/curves.png").unlink()
    with pytest.raises(UserError, match=f"curves.png is missing{added}"):
        read()


def test_a_card_of_another_model_is_refused():
    """As after Ctrl-C between `evaluate` and `plot`."""
    card = Path("results/basic/model_card.md")
    old = card.read_text()
    Path("results/basic/model.keras").write_bytes(b"a new model")
    score(Path("results/basic"))
    assert read()
    card.write_text(old)
    with pytest.raises(UserError, match=r"card .* of another model .*`dvc repro publish@basic`"):
        read()


def test_scores_of_another_model_are_refused():
    """As after `dvc repro train@basic`, or Ctrl-C before `evaluate`."""
    Path("results/basic/model.keras").write_bytes(b"a new model")
    with pytest.raises(UserError, match=r"scores of another model .*`dvc repro publish@basic`"):
        read()
