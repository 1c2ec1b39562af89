import statistics

import numpy as np
import pytest

from benchmarks import kfold, plain_keras
from benchmarks.fit import flops
from stages.engine import resolve
from stages.settings import params
from stages.statistics.paired import mean_std
from stages.training.fold import network
from tests.benchmarks import quick


def test_both_sides_train_the_same_folds_and_the_ratio_is_that_of_the_medians(tmp_path):
    found = quick.record("kfold", tmp_path)
    pipeline, plain = found["pipeline"], found["plain"]
    for side in (pipeline, plain):
        assert len(side["accuracies"]) == found["folds"] == 2
        assert side["accuracy"] == pytest.approx(mean_std(side["accuracies"]))
        assert side["peak_mib"]["median"] > 100
        assert side["processor_seconds"]["median"] > 1
        for accuracy in side["accuracies"]:  # of 100 validation images
            assert np.isclose(100 * accuracy, round(100 * accuracy), atol=1e-4)
    for name in kfold.MEASURES:
        medians = [statistics.median(side[name]["all"]) for side in (pipeline, plain)]
        assert found["ratio"][name]["of_medians"] == pytest.approx(medians[0] / medians[1])
    difference = 100 * (pipeline["accuracy"]["mean"] - plain["accuracy"]["mean"])
    assert found["accuracy_difference_points"] == pytest.approx(difference)


@pytest.mark.parametrize("variant", kfold.VARIANTS)
def test_the_script_trains_the_network_of_the_row(variant):
    settings = params.parse(kfold.chosen_settings(variant, 3))
    ours = network(resolve.recipe(settings, variant), (28, 28, 1), 10)
    theirs = plain_keras.network(variant, (28, 28, 1), 10)
    assert ours.count_params() == theirs.count_params()
    assert flops(ours) == flops(theirs)
    assert [w.shape for w in ours.weights] == [
        w.shape for w in theirs.weights if w.shape and "seed" not in w.path
    ]
    chosen = settings.train_settings(variant)
    assert (chosen.epochs, chosen.early_stopping) == (3, None)


def test_the_script_gets_the_numbers_of_the_row():
    settings = kfold.chosen_settings("double_conv", 4, train={"precision": "mixed_bfloat16"})
    command = " ".join(kfold.script("double_conv", settings))
    row = settings["variants"]["double_conv"]["train"]
    assert f"--batch-size {row['batch_size']} --learning-rate {row['learning_rate']}" in command
    assert "--epochs 4" in command
    plateau = row["reduce_on_plateau"]
    assert f"--factor {plateau['factor']} --patience {plateau['patience']}" in command
    assert "precision" not in command  # nobody has tuned it


def test_there_is_a_network_for_every_variant():
    assert tuple(plain_keras.NETWORKS) == kfold.VARIANTS
