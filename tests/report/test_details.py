"""Tables beside the verdict."""

from types import SimpleNamespace

import numpy as np
import pytest

from stages.report import details
from stages.statistics.power import MinimumDetectable
from tests.report.made import comparison, row

POSSIBLE = MinimumDetectable(effect=0.004, limit=0.002, repeats=3)
IMPOSSIBLE = MinimumDetectable(effect=0.02, limit=0.01, repeats=None)


def result(wrong, test_wrong):
    """Return what the tables read of one variant with so many of 100 images wrong."""
    label = np.zeros(100, int)
    predicted, test_predicted = (
        np.isin(np.arange(100), one).astype(int) for one in (wrong, test_wrong)
    )
    return SimpleNamespace(
        label=label,
        predicted=predicted,
        correct=predicted == 0,
        test_label=label,
        test_predicted=test_predicted,
        test_correct=test_predicted == 0,
        scores={key: 0.1234 for key, *_ in details.SCORES},
    )


RESULTS = {"basic": result(range(10), range(8)), "other": result(range(10, 11), range(4, 8))}


def found(detectable=POSSIBLE):
    rows = row("basic", "baseline", cv_mean=0.9), row("other", "better")
    return comparison(*rows, results=RESULTS, detectable={"other": detectable})


def test_tests_on_images_by_hand():
    columns, (other, basic) = details.tests(found())
    assert [title for title, _ in columns][1:3] == ["out-of-fold accuracy, %", "test accuracy, %"]
    assert columns[-1] == ("repeats needed", "to detect 0.05 points")
    assert len(basic) == len(other) == len(columns)
    assert basic[3:] == [("", None)] * 5
    assert other[1][0].startswith("99.00 (94.55 to 99.8")  # Wilson, 99 of 100
    assert other[2][0].startswith("96.00 (")
    assert other[3][0].startswith("+4.00 (")
    # only basic wrong: 10, only other wrong: 1; on test 4 and none
    assert other[4] == ("0.012", pytest.approx(2 * 12 / 2**11))
    assert other[5] == ("0.125", pytest.approx(2 / 2**4))
    assert other[6:] == [("0.40", 0.004), ("3", 3)]


@pytest.mark.parametrize(
    ("detectable", "cells"),
    [
        (IMPOSSIBLE, [("2.00", 0.02), ("no number", float("inf"))]),
        (None, [("constant", None), ("", None)]),
    ],
)
def test_what_cannot_be_detected(detectable, cells):
    assert details.tests(found(detectable))[1][0][-2:] == cells


def test_one_variant_has_intervals_only():
    columns, (cells,) = details.tests(comparison(row("basic", "baseline"), results=RESULTS))
    assert len(columns) == len(cells) == 3


def test_scores_are_those_of_the_file():
    columns, (cells, _) = details.scores(found())
    assert [title for title, _ in columns][-2:] == ["Brier score", "calibration error"]
    assert [text for text, _ in cells[:3]] == ["other", "0.1234", "12.34"]


def test_agreement_has_test_above_and_out_of_fold_below_the_diagonal():
    first, second = details.agreements(["basic", "other"], RESULTS)
    assert first == [("", 0), ("96.0", details.SHADES)]
    assert second == [("89.0", 1), ("", 0)]


def test_agreement_that_is_not_whole_does_not_look_whole():
    assert details._percent(0.9999) == ">99.9"
    assert details._percent(1.0) == "100.0"
