"""The notes beside the verdict."""

import pytest

from stages.report.verdict import power_note, verdict_note
from stages.statistics.power import MinimumDetectable
from tests.report.made import comparison, row

POSSIBLE = MinimumDetectable(effect=0.004, limit=0.002, repeats=3)
IMPOSSIBLE = MinimumDetectable(effect=0.02, limit=0.01, repeats=None)
BIG, BASELINE = row("big", "better"), row("basic", "baseline", cv_mean=0.98)


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([BIG, BASELINE], ["n = 10 folds (5 folds x 2 repeats)", "`big` (better)", "99.00 ± 0.12"]),
        (
            [BASELINE | {"cv_mean": 0.995}, BIG, BIG],
            ["`basic` (the baseline)", "best of 3", "all 2 comparisons (Holm)"],
        ),
    ],
)
def test_verdict_note_names_n_the_best_and_the_bias(rows, parts):
    note = verdict_note(comparison(*rows))
    assert [part for part in parts if part not in note] == []
    assert ("(Holm)" in note) == (len(rows) > 2)


@pytest.mark.parametrize(
    ("detectable", "rope", "parts"),
    [
        (
            {"a": POSSIBLE},
            0.003,
            [
                "5 folds x 1 repeat ",
                "0.40 points (80 % power",
                "0.3 points",
                "3 repeats of 5 folds.",
            ],
        ),
        ({"a": IMPOSSIBLE, "b": POSSIBLE}, 0.003, ["0.40 to 2.00", "3 repeats", "`b`; for the"]),
        ({"a": IMPOSSIBLE}, 0.0005, ["No number of repeats", "1.00 points", "1,600 times as many"]),
        ({"a": POSSIBLE}, 0.0, ["`compare.rope` is 0"]),
        ({"a": None}, 0.0005, ["constant over the 5 folds x 1 repeat"]),
    ],
)
def test_power_note_names_effect_repeats_and_images(detectable, rope, parts):
    note = power_note(comparison(detectable=detectable, rope=rope, repeats=1))
    assert [part for part in parts if part not in note] == []
