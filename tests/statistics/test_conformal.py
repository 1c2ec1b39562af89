import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.statistics import conformal


def drawn(seed, count, classes=4):
    """Return probabilities, and labels drawn from them."""
    random = np.random.default_rng(seed)
    probability = random.dirichlet(np.full(classes, 0.5), count)
    label = (probability.cumsum(axis=1) < random.random((count, 1))).sum(axis=1)
    return probability, label.clip(max=classes - 1)


@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.9, 0.95]))
def test_sets_contain_the_class_as_often_as_required_on_new_images(seed, wanted):
    one, other = drawn(seed, 4000), drawn(seed + 1, 4000)
    found = conformal.coverage(*one, *other, wanted)
    assert found.covered / found.images == pytest.approx(wanted, abs=0.035)
    assert found.sure_and_correct <= min(found.sure, found.covered)


@given(st.integers(0, 10**6), st.integers(1, 60), st.floats(0.5, 0.99))
def test_on_its_own_images_a_threshold_leaves_out_no_more_than_it_may(seed, count, wanted):
    probability, label = drawn(seed, count)
    lowest = conformal.threshold(probability, label, wanted)
    held = conformal.sets(probability, lowest)[np.arange(count), label]
    assert held.mean() >= wanted


def test_by_hand():
    probability = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.45, 0.55]])
    label = np.array([0, 1, 1, 1])  # with 0.9, 0.4, 0.7 and 0.55
    assert conformal.threshold(probability, label, 0.6) == 0.55  # 3 of 4
    assert conformal.threshold(probability, label, 0.8) == 0.4  # all 4
    assert conformal.threshold(probability, label, 0.81) == 0.0  # too few images to tell
    found = conformal.coverage(probability, label, probability, label, 0.6)
    assert found == conformal.Coverage(0.6, 3, 4, 3, 4)
