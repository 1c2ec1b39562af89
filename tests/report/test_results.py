"""What is read about a variant; refusals are tested in tests/test_compare_refusals.py."""

import numpy as np
import pytest

from stages.report.results import read
from tests.report import made


@pytest.mark.parametrize(
    ("scored", "shown"), [(None, None), (11, 11), (12, None)], ids=["ensemble", "some", "all"]
)
def test_the_number_of_images_behind_curves_is_shown_unless_it_is_all(tmp_path, scored, shown):
    made.make(tmp_path, ["basic"], classes=3, train=60, tests=30)
    found = read("basic", tmp_path / "results")
    training = found.training | {"curve_images": scored}
    found = found._replace(images=np.array([12.0, 11.0]), training=training)
    assert found.curve_images == shown


def test_predictions_become_what_the_report_needs(tmp_path):
    made.make(tmp_path, ["basic"], classes=3, train=60, tests=30)
    found = read("basic", tmp_path / "results")
    with np.load(tmp_path / "results" / "basic" / "predictions.npz") as stored:
        probability, label = stored["test_probability"], stored["test_label"]
        out_of_fold = stored["oof_probability"].argmax(axis=1) == stored["oof_label"]
    np.testing.assert_array_equal(found.correct, out_of_fold)
    np.testing.assert_array_equal(found.test_correct, probability.argmax(axis=1) == label)
    np.testing.assert_array_equal(found.confidence, probability.max(axis=1))
    np.testing.assert_array_equal(found.confidence == found.p_true, found.test_correct)
    assert found.counts.sum() == found.bins["count"].sum() == 30
    assert np.trace(found.counts) == found.test_correct.sum()
    assert found.metrics["test"]["accuracy"] == pytest.approx(found.test_correct.mean())
    assert [row[0] for row in found.per_class] == [0, 1, 2]
