"""How metrics are written."""

import pytest

from stages.statistics.metrics import METRICS, metric_of


@pytest.mark.parametrize(
    ("name", "column", "unit", "scale"),
    [
        ("accuracy", "CV accuracy, %", "points", 100),
        ("balanced_accuracy", "CV balanced accuracy, %", "points", 100),
        ("log_loss", "CV negative log loss", "nats", 1),
    ],
)
def test_fractions_are_written_in_percent(name, column, unit, scale):
    metric = METRICS[name]
    assert (metric.column, metric.unit, metric.scale) == (column, unit, scale)


def test_a_row_of_an_older_table_is_of_accuracy():
    assert metric_of({}) is metric_of({"metric": ""}) is METRICS["accuracy"]
    assert metric_of({"metric": "roc_auc"}) is METRICS["roc_auc"]


@pytest.mark.parametrize(
    ("name", "value", "amount"),
    [
        ("accuracy", 0.0005, "0.05 points"),
        ("accuracy", 0.01, "1 point"),
        ("log_loss", 1, "1 nat"),
        ("log_loss", 0, "0 nats"),
    ],
)
def test_an_amount_has_its_unit(name, value, amount):
    assert METRICS[name].amount(value) == amount
