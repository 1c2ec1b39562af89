import json
from pathlib import Path

import pytest

from stages.settings import params
from stages.tracking import record
from tests.tracking.made_results import BEGAN, fingerprint, make_repository


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(make_repository(tmp_path))
    return tmp_path


def read(variant="basic"):
    return record.read(variant, params.load())


@pytest.mark.parametrize(
    ("settings", "pairs"),
    [
        ({}, []),
        ({"a": {"b": {"c": 1}}}, [("a.b.c", "1")]),
        ({"a": None, "b": True, "c": 0.001}, [("a", "null"), ("b", "true"), ("c", "0.001")]),
        ({"a": [{"rotate": {"degrees": 10}}]}, [("a", '[{"rotate": {"degrees": 10}}]')]),
        ({"a": "text", "b": {}}, [("a", "text")]),
    ],
)
def test_settings_become_dotted_keys(settings, pairs):
    assert list(record.flat(settings)) == pairs


def test_metrics_become_joined_keys_and_only_numbers():
    content = {"cv": {"accuracy": {"mean": 0.5, "n": 5}}, "note": "x", "list": [1], "flag": True}
    assert dict(record.numbers(content)) == {"cv_accuracy_mean": 0.5, "cv_accuracy_n": 5.0}


def test_a_fold_has_its_epochs_times_and_scores(repository):
    first, second = read().folds
    assert second.number == 1
    assert second.params == {
        "fold": "1",
        "repeat": "0",
        "train_images": "40",
        "val_images": "40",
    }
    assert ("val_loss", 1.0, 2) in second.steps
    assert len(second.steps) == 5 * 2
    assert second.metrics == {
        "cv_accuracy": 0.901,
        "cv_loss": 0.25,
        "best_epoch": 2.0,
        "epochs": 2.0,
    }
    assert second.times == {1: BEGAN + 11_000, 2: BEGAN + 12_000}
    assert (first.start, first.end) == (BEGAN, BEGAN + 2000)


def test_a_variant_lasts_from_its_first_epoch_to_its_last(repository):
    found = read()
    assert (found.start, found.end) == (BEGAN, BEGAN + 12_000)
    assert found.metrics["fit_seconds"] == 4.0


@pytest.mark.parametrize(
    "timing",
    [
        None,
        "fold,epoch,time,seconds,fingerprint\n",
        "fold,epoch,time,seconds,fingerprint\n0,1,5,1.0,of another training\n",
        f"fold,epoch,time,seconds,fingerprint\n0,1,5,,{fingerprint('basic')}\n0,1,7",
    ],
    ids=["missing", "empty", "foreign", "torn"],
)
def test_timing_of_no_use_is_passed_over(repository, timing):
    path = Path("results/basic/timing.csv")
    path.unlink()
    if timing:
        path.write_text(timing)
    found = read()
    assert "fit_seconds" not in found.metrics
    assert found.start is None
    assert found.folds[0].times == {}


def test_seconds_are_those_of_all_epochs_or_none(repository):
    path = Path("results/basic/timing.csv")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    found = read()
    assert "fit_seconds" not in found.metrics
    assert found.folds[0].start == BEGAN


def test_a_fingerprint_of_digits_is_still_text(repository):
    digits = "0012345678"
    for name in ("training.json", "timing.csv"):
        path = Path("results/basic") / name
        path.write_text(path.read_text().replace(fingerprint("basic"), digits))
    assert read().fingerprint == digits
    assert read().metrics["fit_seconds"] == 4.0


@pytest.mark.parametrize("name", sorted(record.STAGE_OF))
def test_a_missing_file_names_the_stage_that_writes_it(repository, name):
    assert record.has_results("basic")
    Path("results/basic", name).unlink()
    assert not record.has_results("basic")
    with pytest.raises(ValueError, match=rf"{name} is missing; run `dvc repro \w+@basic`"):
        read()


def test_results_of_other_data_are_refused(repository):
    path = Path("data/prepared/dataset.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    with pytest.raises(ValueError, match=r"trained on other data.*dvc repro train@basic"):
        read()


def test_a_fingerprint_is_a_hash(repository):
    path = Path("results/basic/training.json")
    path.write_text(path.read_text().replace(fingerprint("basic"), "' or '1' = '1"))
    with pytest.raises(ValueError, match="hexadecimal"):
        read()


def test_an_unknown_variant_is_refused_by_name(repository):
    with pytest.raises(ValueError, match=r"Did you mean 'basic'"):
        read("basik")


@pytest.mark.parametrize("name", record.COMPARED)
def test_the_marker_follows_what_compare_reads(repository, name):
    before = record.marker(read())
    assert before == record.marker(read())
    path = Path("results/basic", name)
    content = path.read_bytes()
    path.write_bytes(content + b" " if name.endswith("json") else content + b"\n")
    after = record.marker(read())
    assert {key for key in record.COMPARED if after["sha256"][key] != before["sha256"][key]} == {
        name
    }


def test_the_marker_has_no_time_path_or_id(repository):
    before = record.marker(read())
    Path("results/basic/timing.csv").unlink()
    assert record.marker(read()) == before
    assert set(before) == {"variant", "fingerprint", "results_sha256", "sha256"}
