"""The comparison in Markdown."""

import pytest

from stages.report import markdown


def row(variant, outcome, verdict="", cv_mean=0.99, **cells):
    return {
        "variant": variant,
        "outcome": outcome,
        "verdict": verdict or outcome,
        "cv_mean": cv_mean,
        "cv_std": 0.00123,
        "n": 10,
        "difference": 0.0031,
        "ci_low": 0.0012,
        "ci_high": 0.005,
        "p_holm": 0.0213,
        "p_better": 0.98765,
        "test_accuracy": 0.9912,
        "parameters": 225034,
        "on_validation": [],
    } | cells


NO_REPEATS = ("basic", 5, 1, 9, 1, 0.1)
BASELINE = row("basic", "baseline", cv_mean=0.9876)
BETTER = row("big", "better", "better by 0.31 points (95 % 0.12 to 0.50)", cv_mean=0.99072)


def comparison(*rows):
    return markdown.comparison(
        rows, baseline="basic", folds=5, repeats=2, test_images=10_000, uses=1234, rope=0.0005
    )


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
            [BETTER, row("a", "better", "better by 0.2"), row("b", "undecided"), BASELINE],
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
    assert markdown.headline(rows, "basic") == expected
    assert comparison(*rows).splitlines()[2] == expected


def test_headline_names_the_best_that_is_shown_to_be_better():
    said = markdown.headline([row("luck", "undecided"), BETTER, BASELINE], "basic")
    assert said.startswith("`big` is better")


def test_table():
    lines = comparison(BETTER, BASELINE).splitlines()
    assert lines[4:8] == [
        "| variant | CV accuracy, % (n = 10) | difference, points (95 %) | P(better) | Holm p "
        "| test accuracy, % (n = 10,000) | parameters | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| `big` | 99.07 ± 0.12 | +0.31 (0.12 to 0.50) | 0.988 | 0.021 | 99.12 | 225,034 "
        "| better |",
        "| `basic` | 98.76 ± 0.12 |  |  |  | 99.12 | 225,034 | baseline |",
    ]


def test_one_variant_has_no_columns_of_tests():
    text = comparison(BASELINE)
    assert "| `basic` | 98.76 ± 0.12 | 99.12 | 225,034 |" in text.splitlines()
    assert "Holm" not in text
    assert "luck" not in text


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0, "0"), (1e-9, "<0.001"), (0.5, "0.500"), (0.9999, ">0.999"), (1.0, "1")],
)
def test_chances_are_never_rounded_to_impossible_or_certain(p, expected):
    line = comparison(row("big", "undecided", p_holm=p, difference=-1e-9), BASELINE).splitlines()[6]
    assert line.split(" | ")[4] == expected
    assert "+0.00 (0.12" in line  # never -0.00


def test_notes_name_the_variants_whose_epochs_were_chosen_on_their_own_folds():
    said = comparison(row("early", "undecided", on_validation=["early_stopping"]), BASELINE)
    assert "Early stopping chose the epochs of `early` on the images that score the fold" in said
    assert "Early stopping" not in comparison(row("late", "undecided"), BASELINE)


def test_notes_name_the_variants_whose_learning_rates_were_chosen_on_their_own_folds():
    flat = row("flat", "undecided", on_validation=["reduce_on_plateau"])
    both = row("both", "undecided", on_validation=["early_stopping", "reduce_on_plateau"])
    said = comparison(flat, BASELINE)
    assert "Plateaus chose the learning rates of `flat` on the images that score the fold" in said
    said = comparison(flat, both, BASELINE)
    assert "stopping chose the epochs of `both`, and plateaus chose the learning rates of " in said
    assert "`flat`, `both`, on the images that score the fold" in said
    assert "lateaus" not in comparison(row("late", "undecided"), BASELINE)


def test_notes_say_how_many_trainings_the_test_set_has_scored():
    assert "This test set was scored by 1,234 trainings in this repository" in comparison(BASELINE)
    assert "scored by 1 training in" in " ".join(markdown.notes([BASELINE], *NO_REPEATS))


def test_notes_speak_of_means_over_repeats_only_where_there_are_repeats():
    assert "one of each repeat" not in " ".join(markdown.notes([BASELINE], *NO_REPEATS))


def test_notes_say_what_must_not_be_forgotten():
    text = comparison(BETTER, row("b", "worse"), BASELINE)
    assert "5 folds x 2 repeats" in text
    assert "prediction is that of the mean of the 2 models, one of each repeat" in text
    assert "The best of 3 variants on the same folds is biased upward" in text
    assert "Holm p allows for 2 tests" in text
    assert "within 0.05 points" in text
    assert "standard error of 0.09 points" in text  # sqrt(.9912 * .0088 / 10,000)
