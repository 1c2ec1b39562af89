"""Tables beside the verdict."""

import numpy as np
import pytest

from stages.report import details
from stages.report.results import TEST_SCORES
from tests.report import made
from tests.report.made import IMPOSSIBLE, POSSIBLE, comparison, row


def result(wrong, test_wrong):
    """Return the results of a variant with these of 100 images wrong."""
    label, number = np.zeros(100, int), np.arange(100)
    return made.result(
        label=label,
        test_label=label,
        predicted=np.isin(number, wrong) * 1,
        test_predicted=np.isin(number, test_wrong),
        metrics={"test": dict.fromkeys(TEST_SCORES, 0.1234), "model_bytes": 1_000_000},
    )


RESULTS = {"basic": result(range(10), range(8)), "other": result(range(10, 11), range(4, 8))}


def found(detectable=POSSIBLE):
    rows = row("basic", "baseline", cv_mean=0.9), row("other", "better")
    return comparison(*rows, results=RESULTS, detectable={"other": detectable})


def test_results_have_columns_of_tests_that_are_empty_for_the_baseline():
    other, basic = details.results(found())
    assert list(other) == list(basic)
    assert [title for title, _ in other][1:4] == ["verdict", "CV accuracy, %", "difference, points"]
    assert [text for text, _ in other.values()] == [
        "other", "better", "99.00 ± 0.12", "+0.31 (0.12 to 0.50)", "0.988", "0.700", "0.021",
        "99.12 (98.9 to 99.3)", "225,034",
    ]  # fmt: skip
    assert [text for text, _ in basic.values()][3:7] == ["", "", "0.700", ""]
    (only,) = details.results(comparison(row("basic", "baseline")))
    assert len(only) == 4


def test_tests_on_images_by_hand():
    other, basic = details.tests(found())
    assert [title for title, _ in other][1] == "out-of-fold accuracy, %"
    assert [*other][-1] == ("repeats needed", "to detect 0.05 points")
    assert list(basic) == list(other)
    assert [*basic.values()][2:] == [("", None)] * 5
    cells = [*other.values()]
    assert cells[1][0].startswith("99.00 (94.55 to 99.8")  # Wilson, 99 of 100
    assert cells[2][0].startswith("+4.00 (")
    # only basic wrong: 10, only other wrong: 1; on test 4 and none
    assert cells[3] == ("0.012", pytest.approx(2 * 12 / 2**11))
    assert cells[4] == ("0.125", pytest.approx(2 / 2**4))
    assert cells[5:] == [("0.40", 0.004), ("3", 3)]
    (only,) = details.tests(comparison(row("basic", "baseline"), results=RESULTS))
    assert len(only) == 2


def test_models_that_agree_on_all_test_images_may_differ_on_others():
    alike = dict.fromkeys(RESULTS, RESULTS["basic"])
    text, difference = [*details.tests(found()._replace(results=alike))[0].values()][2]
    assert difference == 0
    assert text == "+0.00 (-2.72 to 2.72)"  # Bonett and Price, n = 100


def test_a_class_without_test_images_has_no_recall():
    counts = np.array([[5, 1], [0, 0]])
    result = made.result(per_class=[(0, 1.0, 5 / 6, 0.9, 6), (1, 0.0, 0.0, 0.0, 0)], counts=counts)
    table = details.recalls(found()._replace(results={"basic": result}), ["basic"])
    assert [[*row.values()][1:] for row in table] == [
        [("6", 6), ("83.3", 5 / 6)],
        [("0", 0), ("", None)],
    ]


@pytest.mark.parametrize(
    ("detectable", "cells"),
    [
        (IMPOSSIBLE, [("2.00", 0.02), ("no number", None)]),
        (None, [("constant", None), ("", None)]),
    ],
)
def test_what_cannot_be_detected(detectable, cells):
    assert [*details.tests(found(detectable))[0].values()][-2:] == cells


def test_scores_are_those_of_the_file():
    cells, _ = details.scores(found())
    titles = [title for title, _ in cells]
    assert titles[-3:] == ["Brier score", "calibration error", "model file, MB"]
    assert [text for text, _ in cells.values()][:3] == ["other", "0.1234", "12.34"]


def test_agreement_has_test_above_and_out_of_fold_below_the_diagonal():
    (_, above), (below, _) = cells = details.agreements(["basic", "other"], RESULTS)
    assert (above, below) == (("96.0", details.SHADES, ""), ("89.0", 1, ""))
    assert [cells[i][i][1] for i in range(2)] == [0, 0]
