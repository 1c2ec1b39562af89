"""What is read of a variant; the refusals are tested with the stage, in tests/test_compare.py."""

import numpy as np
import pytest

from stages import files
from stages.report.results import check, read
from tests.report import made


@pytest.fixture
def root(tmp_path):
    made.make(tmp_path, ["basic", "other"], classes=3, train=60, tests=30)
    return tmp_path


def test_predictions_become_what_the_report_needs(root):
    found = read("basic", root / "results")
    with np.load(root / "results" / "basic" / "predictions.npz") as stored:
        probability, label = stored["test_probability"], stored["test_label"]
        out_of_fold = stored["oof_probability"].argmax(axis=1) == stored["oof_label"]
    predicted = probability.argmax(axis=1)
    np.testing.assert_array_equal(found.correct, out_of_fold)
    np.testing.assert_array_equal(found.test_correct, predicted == label)
    np.testing.assert_array_equal(found.confidence, probability.max(axis=1))
    for index in range(len(label)):
        assert found.p_true[index] == probability[index, label[index]]
        assert (found.confidence[index] == found.p_true[index]) == found.test_correct[index]
    assert found.counts.sum() == found.bins["count"].sum() == 30
    assert np.trace(found.counts) == found.test_correct.sum()
    assert found.scores["accuracy"] == pytest.approx(found.test_correct.mean())
    assert [row[0] for row in found.per_class] == [0, 1, 2]


def test_what_validation_images_choose_is_known_of_a_variant_and_of_any_member(root):
    path = root / "results" / "basic" / "training.json"
    training = files.read_json(path)
    plain = training["settings"]
    assert read("basic", root / "results").on_validation == []
    plateau = plain | {"train": {"reduce_on_plateau": {"patience": 1}, "early_stopping": None}}
    for settings in (plateau, {"ensemble": {"a": plain, "b": plateau}}):
        files.write_json(path, training | {"settings": settings})
        assert read("basic", root / "results").on_validation == ["reduce_on_plateau"]


def test_a_repeat_less_or_another_test_set_is_refused(root):
    dataset = files.read_json(root / "data" / "prepared" / "dataset.json")
    found = {name: read(name, root / "results") for name in ("basic", "other")}
    check(found, dataset, "basic")
    more = dataset | {"folds": {"count": 5, "repeats": 2}}
    with pytest.raises(ValueError, match=r"'basic' has results of 5 folds where .* has 5 x 2"):
        check(found, more, "basic")
    found["other"] = found["other"]._replace(test_label=found["other"].test_label[::-1])
    with pytest.raises(ValueError, match=r"'other' .* not scored on the same labels"):
        check(found, dataset, "basic")
