import pytest

from benchmarks import result_tables, table

MACHINE = {"environment": {"cores": 2, "processor": "some", "commit": "0a1b"}}


def row(found, name):
    (line,) = [line for line in table.goals(found).splitlines() if f"`{name}`" in line][:1]
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("ratio", "points", "met"),
    [(0.5, 0.0, "yes"), (0.51, 0.0, "no"), (0.4, -0.06, "no"), (0.4, -0.05, "yes")],
)
def test_a_ratio_is_met_only_at_the_same_accuracy(ratio, points, met):
    record = {"ratio": {"seconds": {"of_medians": ratio}}, "accuracy_difference_points": points}
    record |= {"epochs": 2}
    found = {"kfold-basic-float32": record | MACHINE}
    cells = row(found, "basic")
    assert cells[1:4] == ["<= 0.5", f"{ratio:.3g}", met]
    assert cells[4] == "`python -m benchmarks.kfold --variant basic --epochs 2`"
    assert cells[5] == "2 cores of some, 0a1b"


def test_a_row_without_its_record_says_so():
    assert row({}, "batchnorm")[2:4] == [table.MISSING, ""]
    assert result_tables.accuracies({}).count(table.MISSING) == len(result_tables.ROWS)


@pytest.mark.parametrize(
    ("differences", "met"),
    [
        ([0.08, 0.12, 0.03, 0.10, 0.06], "yes: +7.80 points, p = 0.029"),
        ([-0.08, -0.12, -0.03, -0.10, -0.06], "no: -7.80 points, p = 0.029"),
        ([0.08, -0.07, 0.03, 0.0, 0.06], "no: +2.00 points, p = 0.638"),
    ],
)
def test_better_is_what_the_corrected_test_says(differences, met):
    basic = {"cv_folds": [0.5] * 5}
    other = {"cv_folds": [0.5 + d for d in differences], "cv": {"mean": 0.5}}
    goal = {"score": "cv", "better_than": "basic"}
    assert result_tables._met(other, goal, {"accuracy-basic": basic}) == met


def test_the_score_on_which_an_ensemble_was_chosen_says_so(monkeypatch):
    monkeypatch.setattr(result_tables, "ROWS", {"some": {"goals": []}})
    score = {"mean": 0.996, "std": 0.0004, "n": 5}
    record = {"cv": score, "members_test": score, "parameters": 1000} | MACHINE
    assert "chosen" not in result_tables.accuracies({"accuracy-some": record})
    found = result_tables.accuracies({"accuracy-some": record | {"chosen": [{"added": "basic"}]}})
    assert "| 99.60 ± 0.04 (n = 5), its members chosen on it |" in found
