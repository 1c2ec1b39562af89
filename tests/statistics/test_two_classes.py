import numpy as np
import pytest

from stages.statistics.two_classes import FIXED, curves, thresholds


def probabilities(score):
    """Return probabilities, (n, 2), from those of the positive class."""
    score = np.array(score, np.float32)
    return np.stack([1 - score, score], axis=1)


OOF = probabilities([0.1, 0.2, 0.6, 0.7, 0.8]), np.array([0, 0, 1, 0, 1])
TEST = probabilities([0.05, 0.3, 0.45, 0.95]), np.array([0, 1, 0, 1])


def test_thresholds_are_chosen_out_of_fold_and_scored_on_the_test_set():
    rows = thresholds(*OOF, *TEST)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    chosen = {row[1]: row for row in rows if row[1]}
    assert set(chosen) == {"F1", "balanced accuracy"}
    # With 0.4, all positives and one of three others are found: the best by both scores.
    for name in chosen:
        threshold, _, precision, recall, specificity, f1 = chosen[name]
        assert threshold == pytest.approx(0.4)
        assert (precision, recall, specificity, f1) == (0.5, 0.5, 0.5, 0.5)
    assert {row[0] for row in rows} >= set(FIXED)


def test_the_test_set_chooses_nothing():
    other = probabilities([0.9, 0.6, 0.3, 0.2]), TEST[1]
    one, two = ([row[:2] for row in thresholds(*OOF, *test)] for test in (TEST, other))
    assert one == two


def test_a_chosen_threshold_lies_midway_between_separable_classes():
    separable = probabilities([0.1, 0.2, 0.9, 0.8]), np.array([0, 0, 1, 1])
    values = [row[0] for row in thresholds(*separable, *TEST) if row[1]]
    assert values == pytest.approx([0.5, 0.5])


def test_scores_at_a_threshold_are_those_of_images_at_least_as_probable():
    row = next(row for row in thresholds(*OOF, *TEST) if row[0] == 0.25)
    assert row[2:] == (pytest.approx(2 / 3), 1.0, 0.5, pytest.approx(0.8))
    (none,) = (row for row in thresholds(*OOF, *(TEST[0] * 0.5, TEST[1])) if row[0] == 0.9)
    assert none[2:] == (0, 0, 1, 0)


def test_areas_are_those_of_the_curves():
    found = curves(*TEST)
    assert found["roc_auc"] == pytest.approx(0.75)
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    area = np.trapezoid(found["true_positive_rate"], found["false_positive_rate"])
    assert area == pytest.approx(found["roc_auc"])
    steps = -np.diff(found["recall"]) @ found["precision"][:-1]
    assert steps == pytest.approx(found["average_precision"])


def test_more_classes_and_a_single_one_have_no_curves():
    three = np.full((3, 3), 1 / 3), np.arange(3)
    assert (curves(*three), thresholds(*three, *three)) == ({}, [])
    one_class = probabilities([0.2, 0.7]), np.array([0, 0])
    assert curves(*one_class) == {}
    assert all(row[2:4] == (0, 0) for row in thresholds(*OOF, *one_class))
