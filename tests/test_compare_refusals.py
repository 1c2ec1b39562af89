"""What the stage `compare` refuses: damaged files, and results that do not belong together."""

from pathlib import Path

import numpy as np
import pytest

from stages.compare import compare
from stages.errors import UserError
from tests.compared import KNOWN, LABEL, TABLE, TIED, update, write_four, write_variant

FILES = {"folds.csv": "train", "history.csv": "train", "training.json": "train"}
FILES |= dict.fromkeys(("fold_scores.csv", "metrics.json", "predictions.npz"), "evaluate")
LEANS = Path("results/leaning")
MIXED = {"train": {"precision": "mixed_bfloat16"}}


@pytest.fixture(autouse=True)
def _four(folder):
    write_four()


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_file_that_is_missing_or_not_what_the_stages_write(name):
    for content in (b"", b"{}", b"PK\x03\x04 cut short", b"\xff\xfe,\x00"):
        (LEANS / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro`"):
            compare()
    (LEANS / name).unlink()
    with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro {FILES[name]}@leaning`"):
        compare()
    assert not TABLE.exists()


def cut(path, key, end):
    """Leave out rows of an array of predictions.npz."""
    with np.load(path) as stored:
        content = dict(stored)
    np.savez(path, **content | {key: content[key][:end]})


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("folds.csv", lambda path: path.write_text(path.read_text().replace("0.", "O."))),
        ("history.csv", lambda path: path.write_text(path.read_text().replace("0.", "O."))),
        ("metrics.json", lambda path: path.write_text(path.read_text().replace(": 0.9", ': "x"'))),
        ("predictions.npz", lambda path: cut(path, "test_probability", -1)),
        ("predictions.npz", lambda path: cut(path, "oof_label", 5)),
    ],
)
def test_refuses_a_file_that_was_edited_by_hand(name, damage):
    damage(LEANS / name)
    with pytest.raises(UserError, match=f"{LEANS / name} .*`dvc repro`"):
        compare()
    assert not TABLE.exists()


def test_refuses_predictions_of_another_number_of_images():
    for name in ("worse_one", "basic", "better_one", "leaning"):
        for key in ("oof_probability", "oof_label"):
            cut(f"results/{name}/predictions.npz", key, -2)
    with pytest.raises(UserError, match=r"predictions of 38 .*`dvc repro -f train@"):
        compare()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sha256": "cd" * 32}, "cdcdcdcd.*abababab"),
        ({"accuracy": TIED[:4]}, "4 folds.* 5 x 1"),
        ({"accuracy": [*TIED[:4], np.nan]}, "accuracy"),
        ({"label": 1 - LABEL}, "'basic'.*labels"),
        ({"label": LABEL[:-1]}, "'basic'.*labels"),
    ],
)
def test_refuses_results_of_other_folds_or_data(changed, named):
    write_variant("leaning", **changed)
    with pytest.raises(UserError, match=rf"'leaning'.*{named}.*`dvc repro"):
        compare()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (
            {"environment": KNOWN | {"kernels": "avx512f", "keras": "3.16.0"}},
            r"keras 3\.16\.0, kernels avx512f.*'basic' .*keras 3\.15\.1, kernels avx2",
        ),
        ({}, "keras unknown"),
        # `auto` may mean another precision on another machine, with the same params.yaml
        ({"environment": KNOWN, "settings": MIXED}, "mixed_bfloat16.*'basic' .*float32"),
        (
            {"environment": KNOWN, "settings": {"ensemble": {"a": {"train": {}}, "b": MIXED}}},
            "precision float32 and mixed_bfloat16 .*'basic'",
        ),
    ],
)
def test_refuses_variants_of_two_environments_or_precisions(changed, named):
    for name in ("worse_one", "basic", "better_one"):
        update(name, environment=KNOWN)
    update("leaning", **changed)
    with pytest.raises(UserError, match=f"'leaning' .*{named}.*`make repro`"):
        compare()
    assert not TABLE.exists()


def test_a_bug_of_ours_is_not_taken_for_a_damaged_file(monkeypatch):
    def broken(*arguments):
        raise KeyError("a bug")

    monkeypatch.setattr("stages.report.results.classification.per_class", broken)
    with pytest.raises(KeyError, match="a bug"):
        compare()
