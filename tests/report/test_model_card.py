"""The model card of one variant."""

import re

import numpy as np
import pytest

from stages.report.model_card import model_card, plain

HOSTILE = "a | <script>alert(1)</script> `code` *all*\n# head"


def card(*, wrong=True, early_stopping=None, reduce_on_plateau=None, **training):
    label = np.array([0] * 5 + [1] * 10)
    predicted = np.array([1, 1, 0, 0, 0, *[1] * 10]) if wrong else label
    probability = np.eye(3, dtype=np.float32)[predicted] * 0.7 + 0.1
    probability[0] = [0.04, 0.92, 0.04]
    if not wrong:
        probability[0] = [1, 0, 0]
    settings = {
        "architecture": {"name": "basic", "arguments": {"dense": 8}},
        "augmentation": [],
        "train": {
            "epochs": 5,
            "early_stopping": early_stopping,
            "reduce_on_plateau": reduce_on_plateau,
        },
    }
    return model_card(
        "plain",
        dataset={
            "source": "pets",
            "licence": "CC0",
            "classes": ["cat", "a|b", "never seen"],
            "image_shape": [4, 6, 1],
            "train": {"images": 40, "per_class": [10, 29, 1]},
            "test": {"images": 15, "per_class": [5, 10, 0]},
            "folds": {"count": 5, "repeats": 2},
            "sha256": "ab" * 32,
        },
        training={
            "fingerprint": "cd" * 32,
            "parameters": 1234,
            "final": "soft_vote",
            "description": HOSTILE,
            "settings": settings,
        }
        | training,
        metrics={
            "cv": {"accuracy": {"mean": 0.9, "std": 0.0123, "n": 10}},
            "test": {
                "accuracy": 13 / 15,
                "top_2_accuracy": 1.0,
                "macro_f1": 0.84,
                "loss": 0.41,
                "expected_calibration_error": 0.025,
            },
        },
        probability=probability,
        label=label,
    )


@pytest.mark.parametrize(
    "line",
    [
        "# Model card: `plain`",
        r"a \| \<script\>alert(1)\</script\> \`code\` \*all\* \# head",
        r"Architecture: basic (dense=8); 1,234 parameters a model.",
        "- Training: 40 images, 1 to 29 a class, in 5 stratified folds, 2 times with other "
        "shuffles.",
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
    ],
)
def test_says_what_the_files_say(line):
    assert line in card().splitlines()


@pytest.mark.parametrize(
    ("final", "markdown"),
    [
        ("soft_vote", "the mean of the probabilities of its 10 fold models"),
        ("refit", "one model, trained on all training images"),
        ("best_fold", "best validation accuracy, of 10"),
    ],
)
def test_says_what_is_shipped(final, markdown):
    assert markdown in " ".join(card(final=final).split())


def test_early_stopping_is_a_limit():
    stopped = card(early_stopping={"monitor": "val_loss", "patience": 2})
    assert "Early stopping chose" in stopped
    assert "| early_stopping | monitor=val\\_loss, patience=2 |" in stopped
    assert "Early stopping chose" not in card()


def test_plateaus_are_a_limit():
    markdown = card(reduce_on_plateau={"monitor": "val_loss", "patience": 1})
    assert (
        "- Plateaus chose the learning rates of each fold on the images that score it" in markdown
    )
    assert "lateaus chose" not in card()
    both = card(early_stopping={"patience": 2}, reduce_on_plateau={"patience": 1})
    assert "- Early stopping chose the epochs and plateaus chose the learning rates of" in both


def test_says_what_it_was_trained_with_where_that_is_known():
    markdown = card(environment={"python": "3.11", "kernels": "avx512_bf16"})
    assert r"Trained with python 3.11, kernels avx512\_bf16." in markdown.splitlines()
    assert "Trained with versions that were not recorded." in card().splitlines()


def test_claims_nothing_of_how_often_the_test_set_was_used():
    assert "once" not in card()
    assert "test_set_uses.csv" in card()


def test_an_ensemble_names_its_members_and_shares_their_limits():
    row = {"architecture": {"name": "basic", "arguments": {}}, "train": {"early_stopping": None}}
    stopped = row | {"train": {"early_stopping": {"monitor": "val_loss", "patience": 2}}}
    markdown = card(final="ensemble", settings={"ensemble": {"a_1": row, "b": row}})
    assert "Members: a\\_1, b; 1,234 parameters in one fold model of each together." in markdown
    assert "Shipped is the mean of the probabilities of other variants' models" in markdown
    assert "| ensemble | a\\_1, b |" in markdown
    assert "Early stopping chose" not in markdown
    assert "Early stopping chose" in card(settings={"ensemble": {"a": row, "b": stopped}})


def test_no_mistake_and_no_description():
    markdown = card(wrong=False, description="")
    assert "No mistake on 15 test images." in markdown
    assert "No description." in markdown


def test_same_text_twice_without_trailing_spaces():
    assert card() == card()
    assert not re.search(r" $", card(), re.M)


def test_plain_is_one_line():
    assert plain(" a\n\n## b  c ") == r"a \#\# b c"


def test_the_code_loads_and_predicts(tmp_path, monkeypatch, capsys):
    import keras

    (code,) = re.findall(r"```python\n(.*?)```", card(), re.S)
    pixels = keras.Input((4, 6, 1))
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(pixels))
    (tmp_path / "results/plain").mkdir(parents=True)
    keras.Model(pixels, scores).save(tmp_path / "results/plain/model.keras")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert found["probability"].shape == (1, 3)
    assert capsys.readouterr().out.strip() in ("[0]", "[1]", "[2]")
