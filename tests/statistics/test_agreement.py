import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays

from stages.statistics.agreement import agreement, hardest, only_one

WRONG = np.array([[1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0]], bool)


def test_agreement_by_hand():
    found = agreement(np.array([[0, 1, 2, 2], [0, 1, 1, 2], [5, 5, 5, 5]]))
    np.testing.assert_allclose(found, [[1, 0.75, 0], [0.75, 1, 0], [0, 0, 1]])


def test_hardest_first_and_those_all_get_right_left_out():
    p_true = np.array([0.2, 0.3, 0.9, 0.1, 0.05, 0.0])
    assert hardest(WRONG, p_true, 10) == [0, 1, 4, 3]
    assert hardest(WRONG, p_true, 2) == [0, 1]
    assert hardest(WRONG, np.zeros(6), 10) == [0, 1, 3, 4]  # equals in the order of the images


def test_only_one_by_hand():
    assert [one.tolist() for one in only_one(WRONG)] == [[4], [], [3]]


@given(arrays(bool, (3, 12)))
def test_a_mistake_of_one_alone_is_no_mistake_of_another(wrong):
    for name, own in enumerate(only_one(wrong)):
        assert wrong[name, own].all()
        assert not np.delete(wrong, name, axis=0)[:, own].any()
