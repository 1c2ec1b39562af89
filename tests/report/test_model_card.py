"""The model card of one variant."""

import re

import numpy as np
import pytest

from stages.report.model_card import model_card
from stages.statistics.classification import confusion_matrix
from stages.statistics.uses import Use
from tests import prepared
from tests.report import made

HOSTILE = "a | <script>alert(1)</script> `code` *all*\n# head"
LABEL = np.array([0] * 5 + [1] * 10)
PROBABILITY = np.eye(3, dtype=np.float32)[[1, 1, 0, 0, 0, *[1] * 10]] * 0.7 + 0.1
PROBABILITY[0] = [0.04, 0.92, 0.04]
ROW = {"architecture": {"name": "basic", "arguments": {"dense": 8}}, "augmentation": []}


CLASSES = ["cat", "a|b", "never seen"]
DATASET = prepared.dataset("pets", CLASSES, (4, 6, 1), [10, 29, 1], [5, 10, 0], 5, 2)
SCORES = {"accuracy": 13 / 15, "top_2_accuracy": 1.0, "macro_f1": 0.84, "loss": 0.41}
SCORES |= {"expected_calibration_error": 0.025}


def card(probability=PROBABILITY, train=(), dataset=DATASET, **changed):
    training = {"fingerprint": "cd" * 32, "final": "soft_vote", "description": HOSTILE}
    training |= {"environment": {}, "settings": ROW | {"train": {"epochs": 5} | dict(train)}}
    cv = {"accuracy": {"mean": 0.9, "std": 0.0123, "n": 10}}
    result = made.result(
        training=training | changed,
        metrics={"cv": cv, "test": SCORES, "parameters": 1234},
        counts=confusion_matrix(probability, LABEL),
        test_label=LABEL,
        test_predicted=probability.argmax(axis=1),
        confidence=probability.max(axis=1),
        use=Use("ab" * 32, "plain", "ef" * 32),
    )
    return model_card("plain", dataset, result)


def test_says_what_the_files_say():
    for line in (
        "# Model card: `plain`",
        f"Its SHA-256 is `{'ef' * 32}`.",
        r"a \| \<script\>alert(1)\</script\> \`code\` \*all\* \# head",
        "Architecture: basic (dense=8); 1,234 parameters per model.",
        "- Training: 40 images, 1 to 29 per class, in 5 stratified folds, 2 times with "
        "different shuffles.",
        r"- Classes: cat, a\|b, never seen.",
        "| epochs | 5 |",
        # Wilson: 13 of 15
        "| test accuracy | 86.67 % (95 %: 62.1 to 96.3 %; n = 15) |",
        "| cross-validated accuracy | 90.00 ± 1.23 % (mean ± sd, n = 10 folds) |",
        "| expected calibration error | 2.50 points |",
        "- 2 of 15 test images are wrong, 1 of them with a confidence of 90 % or more.",
        # Wilson: 3 of 5; a class without test images is not the hardest
        "- The hardest class is cat: 3 of 5 found (95 %: 23.1 to 88.2 %).",
        r"- Most often confused: cat taken for a\|b (2).",
    ):
        assert line in card().splitlines()


@pytest.mark.parametrize(
    ("training", "part"),
    [
        ({}, "`model.keras` is one Keras model that averages the probabilities of 10 fold models"),
        ({"final": "refit"}, "`model.keras` is one model, trained on all training images"),
        ({"final": "best_fold"}, "best validation accuracy, of 10"),
        ({"final": "refit", "temperature": 1.31}, "divided by a temperature of 1.31"),
        ({"final": "ensemble"}, "averages the probabilities of other variants'"),
        ({"description": ""}, "No description."),
        ({"settings": ROW | {"train": {"predict_views": 4}}}, "over 4 views of an image"),
        ({"environment": {"kernels": "avx512_bf16"}}, r"Trained with kernels avx512\_bf16."),
    ],
)
def test_says_what_is_shipped_and_how_it_was_trained(training, part):
    assert part in " ".join(card(**training).split())


def test_groups_stay_in_one_fold():
    sentence = "images of one group stay in one fold."
    assert sentence in card(dataset=DATASET | {"groups": {"train": 9, "test": 4}})
    assert sentence not in card()


@pytest.mark.parametrize(
    ("key", "limit"),
    [
        ("early_stopping", "- Early stopping chose the epochs of each fold"),
        ("reduce_on_plateau", "- Reduction on plateau chose the learning rates of each fold"),
    ],
)
def test_what_validation_images_chose_is_a_limit_even_in_a_member_of_an_ensemble(key, limit):
    chosen = {key: {"monitor": "val_loss", "patience": 2}}
    assert limit in card(train=chosen)
    assert f"| {key} | monitor=val\\_loss, patience=2 |" in card(train=chosen)
    assert limit in card(settings={"ensemble": {"a": ROW, "b": ROW | {"train": chosen}}})
    assert limit not in card(train={key: None})


def test_an_ensemble_names_its_members():
    markdown = card(settings={"ensemble": {"a_1": ROW, "b": ROW}})
    assert (
        "Members: a\\_1, b; 1,234 parameters in one fold model of each member together." in markdown
    )
    assert "| ensemble | a\\_1, b |" in markdown


def test_no_mistake():
    assert "No mistake on 15 test images." in card(np.eye(3)[LABEL])


@pytest.mark.slow
def test_the_code_loads_and_predicts(folder, capsys):
    import keras

    (code,) = re.findall(r"```python\n(.*?)```", card(), re.S)
    pixels = keras.Input((4, 6, 1))
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(pixels))
    (folder / "results/plain").mkdir(parents=True)
    keras.Model(pixels, scores).save(folder / "results/plain/model.keras")
    found = {}
    exec(code, found)
    assert found["probability"].shape == (1, 3)
    assert capsys.readouterr().out.strip() in ("[0]", "[1]", "[2]")
