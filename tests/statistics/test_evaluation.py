"""Tables and scores of predictions, by hand; tests/test_evaluate.py has those of a model."""

import numpy as np
import pytest

from stages.statistics import evaluation

LABEL = np.array([0, 1, 1, 1])
PROBABILITY = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
PREDICTIONS = evaluation.Predictions(PROBABILITY, LABEL, PROBABILITY, LABEL)


def test_tables_name_the_classes():
    tables = evaluation.tables(PREDICTIONS, ["cat", "dog"], [(2, 1, 0, 0.7)])
    assert {name: rows for name, (_, rows) in tables.items() if name != "thresholds.csv"} == {
        "per_class.csv": [("cat", 0.5, 1.0, 2 / 3, 1), ("dog", 1.0, 2 / 3, 0.8, 3)],
        "confusion.csv": [("cat", "cat"), ("dog", "dog"), ("dog", "cat"), ("dog", "dog")],
        "mistakes.csv": [(2, "dog", "cat", 0.7)],
    }
    assert len(tables["thresholds.csv"][1]) == 7


def test_scores_are_of_folds_members_and_the_final_model():
    folds = [{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 1.0, "loss": 3.0}]
    scores = [{"balanced_accuracy": 0.4, "macro_f1": 0.2, "roc_auc": area} for area in (0.7, 0.9)]
    members = np.stack([PROBABILITY, PROBABILITY[:, ::-1]])
    found = evaluation.metrics(PREDICTIONS, members, folds, scores)
    assert {name: score["mean"] for name, score in found["cv"].items()} == {
        "accuracy": 0.75,
        "loss": 2.0,
        "balanced_accuracy": 0.4,
        "macro_f1": 0.2,
        "roc_auc": 0.8,
    }
    undefined = [row | {"roc_auc": np.nan} for row in scores]
    assert "roc_auc" not in evaluation.metrics(PREDICTIONS, members, folds, undefined)["cv"]
    logs = [row | {"log_loss": -1.5} for row in scores]
    scaled = evaluation.metrics(PREDICTIONS, members, folds, logs, is_scaled=True)
    assert scaled["cv"]["loss"]["mean"] == 1.5  # that of the scaled probabilities
    assert found["test"]["accuracy"] == found["out_of_fold"]["accuracy"] == 0.75
    assert found["test"]["members_accuracy"]["mean"] == 0.5
    assert found["test"]["expected_calibration_error"] == pytest.approx((0.1 + 0.2 + 0.7 + 0.4) / 4)
    assert found["test"]["roc_auc"] == 1.0
