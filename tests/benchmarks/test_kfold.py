"""The plain script that the pipeline is measured against trains what the pipeline trains."""

import pytest

from benchmarks import kfold, plain_keras, plain_search
from benchmarks.fit import flops
from stages.engine import resolve
from stages.settings import params
from stages.training.fold import network

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("variant", kfold.VARIANTS)
def test_the_script_trains_the_network_of_the_row(variant):
    settings = params.parse(kfold.chosen_settings(variant, 3))
    ours = network(resolve.recipe(settings, variant), (28, 28, 1), 10)
    scripts = [plain_keras.network(variant, (28, 28, 1), 10)]
    scripts += [plain_search.network(0.5, 10)] if variant == "basic" else []
    for theirs in scripts:
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
    assert "precision" not in command  # the script is not tuned
