import numpy as np

from benchmarks import accuracy

LABELS = np.array([0, 0, 1, 1])


def voting(*for_one):
    """Return out-of-fold probabilities of two classes, one repeat, from those of the second."""
    one = np.array(for_one, np.float32)
    return np.stack([1 - one, one], axis=1)[np.newaxis]


def test_members_are_added_while_they_raise_the_out_of_fold_accuracy():
    made = {
        "weak": voting(0.9, 0.9, 0.1, 0.1),
        "good": voting(0.1, 0.1, 0.9, 0.4),
        "helps": voting(0.2, 0.6, 0.6, 0.9),
    }
    steps = accuracy.chosen(made, LABELS)
    assert [step["added"] for step in steps] == ["good", "helps"]
    assert [step["out_of_fold_accuracy"] for step in steps] == [0.75, 1.0]
    assert steps[0]["others"] == {"weak": 0.0, "good": 0.75, "helps": 0.75}


def test_two_members_are_chosen_even_if_one_alone_is_better():
    made = {"right": voting(0.4, 0.4, 0.6, 0.6), "wrong": voting(0.9, 0.1, 0.1, 0.1)}
    assert [step["added"] for step in accuracy.chosen(made, LABELS)] == ["right", "wrong"]
