"""What is said beside the verdict."""

import pytest

from stages.report import verdict
from stages.scoring.power import Sight

SIGHT = Sight(detectable=0.004, floor=0.002, repeats=3)
BLIND = Sight(detectable=0.02, floor=0.01, repeats=None)
ROW = {"variant": "big", "outcome": "better", "cv_mean": 0.99, "cv_std": 0.001, "n": 10}
BASELINE = ROW | {"variant": "basic", "outcome": "baseline", "cv_mean": 0.98}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [ROW, BASELINE],
            "It rests on n = 10 folds (5 folds x 2 repeats), the same for all variants. The "
            "highest mean is that of `big` (better): 99.00 ± 0.10 %. One comparison was made, so "
            "nothing is corrected for.",
        ),
        (
            [BASELINE, ROW, ROW],
            "It rests on n = 10 folds (5 folds x 2 repeats), the same for all variants. The "
            "highest mean is that of `basic` (which is the baseline): 98.00 ± 0.10 %; as the best "
            "of 3 on the same folds it is biased upward. Better and worse hold for all 2 "
            "comparisons together (Holm); a 95 % interval speaks for its own comparison only.",
        ),
    ],
)
def test_grounds_say_n_mean_spread_comparisons_and_bias(rows, said):
    assert verdict.grounds(rows, "basic", 5, 2) == said


@pytest.mark.parametrize(
    ("seen", "rope", "said"),
    [
        (
            {"a": SIGHT},
            0.003,
            "With 5 folds x 1 repeat a true difference of 0.40 points is seen in 80 % of "
            "experiments (each test alone at 5 %). To see 0.3 points, what `compare.rope` calls "
            "none, 3 repeats of 5 folds would do.",
        ),
        (
            {"a": BLIND, "b": SIGHT},
            0.003,
            "3 repeats of 5 folds would do for `b`; for the other 1 no number would.",
        ),
        (
            {"a": BLIND},
            0.0005,
            "To see 0.05 points, what `compare.rope` calls none, no number of repeats of 5 folds "
            "would do. Repeats share their images, which leaves a floor of up to 1.00 points; only "
            "more images lower it: about 1,600 times as many, if the spread falls with the root of "
            "their number.",
        ),
        ({"a": SIGHT}, 0.0, "`compare.rope` is 0, and no experiment sees a difference of nothing."),
        ({"a": None}, 0.0005, "No difference varies over the 5 folds x 1 repeat"),
    ],
)
def test_outlook_says_what_more_repeats_would_bring(seen, rope, said):
    assert said in verdict.outlook(seen, 5, 1, rope)
