import pytest

from stages.search.trial import Trial, best


def made(number, accuracies, state="complete", reason=""):
    return Trial(number, {"train.epochs": 3}, accuracies, state, reason, 1000, 2000)


@pytest.mark.parametrize(
    ("trial", "outcome"),
    [
        (made(0, [0.9, 0.92, 0.94]), "92.00% (sd 2.00%, n = 3 folds)"),
        (made(0, [0.5, 0.5], "pruned"), "pruned after 2 folds, 50.00% (sd 0.00%, n = 2 folds)"),
        (made(0, [], "failed", "it diverged"), "failed: it diverged"),
        (made(0, [0.9], "failed", "it diverged"), "failed: it diverged"),
        (made(0, [0.9]), "90.00% (sd nan%, n = 1 folds)"),
    ],
)
def test_the_outcome_of_a_trial(trial, outcome):
    assert trial.outcome() == outcome


def test_the_best_trial_is_complete_and_the_first_of_equals():
    trials = [
        made(0, [0.8, 0.8]),
        made(1, [0.9, 0.9]),
        made(2, [0.9, 0.9]),
        made(3, [0.99, 0.99], "pruned"),
        made(4, [0.99], "failed"),
    ]
    assert best(trials).number == 1
    assert best(trials[3:]) is None
    assert best([]) is None


def test_an_outcome_is_written_as_its_metric():
    assert made(0, [0.9, 0.8]).outcome().startswith("85.00% (sd 7.07%")
    assert (
        made(0, [-0.2, -0.1])._replace(metric="log_loss").outcome().startswith("-0.1500 (sd 0.07")
    )
