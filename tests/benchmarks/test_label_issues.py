import numpy as np
import pytest

from benchmarks import label_issues


def test_the_share_counts_the_changed_labels_in_the_first_part_of_the_list():
    order = np.arange(100)
    assert label_issues.found(order, np.array([0, 5, 11, 12, 99])) == pytest.approx(2 / 5)
    assert label_issues.found(order, np.arange(10)) == 1


def test_planted_labels_are_found_by_two_models(tmp_path):
    random = np.random.default_rng(0)
    true = np.arange(400) % 4
    each = 0.02 + random.random((2, 400, 4)) / 20
    each[:, np.arange(400), true] += 0.9
    each /= each.sum(axis=2, keepdims=True)
    given, changed = true.copy(), random.permutation(400)[:20]
    given[changed] = (true[changed] + 1) % 4
    found = label_issues.scored(tmp_path, each, given, changed, "")
    assert found["found"] == 1
    assert found["changed"] == found["changed_in_list"] == 20
    assert found["listed"] >= 20


def test_means_are_of_each_number():
    one, other = {"a": 1, "b": {"c": 0.5}, "v": "2.9"}, {"a": 2, "b": {"c": 1}, "v": "2.9"}
    assert label_issues.means([one, other]) == {"a": 1.5, "b": {"c": 0.75}, "v": "2.9"}
