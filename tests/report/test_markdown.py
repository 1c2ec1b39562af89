"""The comparison in Markdown."""

import pytest

from stages.report import markdown
from tests.report.made import IMPOSSIBLE, POSSIBLE, comparison, row

BASELINE = row("basic", "baseline", cv_mean=0.9876)
BETTER = row("big", "better", "better by 0.31 points (95 % 0.12 to 0.50)", cv_mean=0.99072)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [BASELINE],
            "`basic` is the only variant, so nothing is tested; its cross-validated accuracy is "
            "98.76 ± 0.12 % (mean ± sd, n = 10).",
        ),
        (
            [BETTER, BASELINE],
            "`big` against the baseline `basic`: better by 0.31 points (95 % 0.12 to 0.50).",
        ),
        (
            [row("luck", "undecided", cv_mean=0.999), BETTER, row("a", "better"), BASELINE],
            "`big` is better than the baseline `basic` by 0.31 points (95 % 0.12 to 0.50); "
            "of 3 variants tested, 2 are better, 1 is undecided.",
        ),
        (
            [row("luck", "undecided"), BASELINE, row("a", "worse"), row("b", "no difference")],
            "No variant is shown to be better than the baseline `basic`: "
            "of 3 variants tested, 1 is worse, 1 makes no difference, 1 is undecided.",
        ),
    ],
)
def test_headline_is_the_verdict_in_one_sentence(rows, expected):
    found = comparison(*rows)
    assert markdown.headline(found.best_first, found.baseline) == expected
    lines = markdown.report(found, []).splitlines()
    assert lines[2] == expected
    if len(rows) == 1:  # no columns of tests
        assert "| `basic` | 98.76 ± 0.12 | 99.12 | 225,034 |" in lines


def test_table_has_the_best_first():
    lines = markdown.report(comparison(BASELINE, BETTER), []).splitlines()
    assert lines[4:8] == [
        "| variant | CV accuracy, % (n = 10) | difference, points (95 %) | P(better) | P(best) "
        "| Holm p | test accuracy, % (n = 10,000) | parameters | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `big` | 99.07 ± 0.12 | +0.31 (0.12 to 0.50) | 0.988 | 0.700 | 0.021 | 99.12 | 225,034 "
        "| better |",
        "| `basic` | 98.76 ± 0.12 |  |  | 0.700 |  | 99.12 | 225,034 | baseline |",
    ]


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0, "<0.001"), (1e-9, "<0.001"), (0.5, "0.500"), (0.9999, ">0.999"), (1.0, "1"), (None, "")],
)
def test_probabilities_are_never_rounded_to_impossible_or_certain(p, expected):
    assert markdown.probability(p) == expected


def test_a_difference_is_never_minus_zero():
    assert markdown.difference(BETTER | {"difference": -1e-9}) == "+0.00 (0.12 to 0.50)"
    assert markdown.difference(BASELINE) == ""


def test_notes_say_what_must_not_be_forgotten():
    early = row("early", "undecided", on_validation=["early_stopping", "reduce_on_plateau"])
    flat = row("flat", "worse", on_validation=["reduce_on_plateau"])
    text = "\n".join(markdown.notes(comparison(early, flat, BASELINE)))
    for part in (
        "5 folds x 2 repeats",
        "95 % interval of 98.92 to 99.29 %",  # Wilson, 9,912 of 10,000
        "1,234 trained models have been scored on this test set",
        "Early stopping chose the epochs of `early` on the images that score the fold",
        "Reduction on plateau chose the learning rates of `early`, `flat` on the images",
        "prediction averages the 2 models, one per repeat",
        "Holm p is corrected for 2 tests;",
        "within 0.05 points",
        "The best of 3 variants on the same folds is biased upward",
    ):
        assert part in text


def test_notes_leave_out_what_does_not_apply():
    text = "\n".join(markdown.notes(comparison(BETTER, BASELINE, repeats=1, uses=1)))
    assert "1 trained model has been scored" in text
    assert "Holm p is corrected for 1 test;" in text
    for part in ("Early stopping", "plateau", "repeat"):
        assert part not in text


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
    note = markdown.power_note(comparison(detectable=detectable, rope=rope, repeats=1))
    assert [part for part in parts if part not in note] == []
