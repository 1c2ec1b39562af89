import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import files
from stages.errors import UserError
from stages.plot import plot
from tests.report import made

FIGURES = [
    "augmentation", "calibration", "confusion_matrix", "confusion_matrix_normalized", "curves",
    "data_card", "mistakes", "occlusion", "samples",
]  # fmt: skip
READ = {  # file -> the stage that writes it
    "results/basic/history.csv": "train@basic",
    "results/basic/folds.csv": "train@basic",
    "results/basic/training.json": "train@basic",
    "results/basic/augmentation.npz": "train@basic",
    "results/basic/metrics.json": "evaluate@basic",
    "results/basic/occlusion.npz": "evaluate@basic",
    "results/basic/predictions.npz": "evaluate@basic",
    "data/prepared/dataset.json": "prepare",
    "data/prepared/test_images.npy": "prepare",
    "data/prepared/train_images.npy": "prepare",
    "data/prepared/train_labels.npy": "prepare",
}


@pytest.fixture
def evaluated(folder) -> Path:
    """Create a repository with a trained and evaluated variant, and change to it."""
    random = np.random.default_rng(0)
    prepared, results = Path("data/prepared"), Path("results/basic")
    classes = ["01", "02", "a longer name"]
    made.make(folder, ["basic"], classes=classes, train=60, tests=60, folds=2, shape=(9, 9, 1))
    shutil.rmtree(results / "plots")
    training = files.read_json(results / "training.json")
    training["settings"]["augmentation"] = [{"name": "zoom", "arguments": {"factor": 0.1}}]
    files.write_json(results / "training.json", training)
    np.save(prepared / "train_images.npy", random.integers(0, 256, (60, 9, 9, 1), dtype=np.uint8))
    np.save(prepared / "train_labels.npy", np.arange(60) % 3)
    np.savez(
        results / "augmentation.npz",
        original=random.integers(0, 256, (8, 9, 9, 1), dtype=np.uint8),
        changed=random.integers(0, 256, (1, 2, 8, 9, 9, 1), dtype=np.uint8),
    )
    return folder


@pytest.mark.slow
def test_writes_figures_a_card_and_nothing_else_the_same_bytes_each_time(evaluated):
    def contents():
        return {path: path.read_bytes() for path in evaluated.rglob("*") if path.is_file()}

    before = contents()
    plot("basic")
    after = contents()
    written = {path: after[path] for path in after.keys() - before.keys()}
    plots = evaluated / "results/basic/plots"
    card = evaluated / "results/basic/model_card.md"
    assert sorted(written) == [card, *(plots / f"{name}.png" for name in FIGURES)]
    assert {path: after[path] for path in before} == before
    for path in written.keys() - {card}:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300
            assert not image.text  # no version, no date
    (plots / "augmentation.png").unlink()
    none = np.zeros((0, 2, 8, 9, 9, 1), np.uint8)
    np.savez("results/basic/augmentation.npz", original=none.reshape(0, 9, 9, 1), changed=none)
    plot("basic")
    again = {path: path.read_bytes() for path in [card, *plots.iterdir()]}
    del written[plots / "augmentation.png"]
    assert again == written


@pytest.mark.parametrize(("file", "stage"), READ.items())
def test_a_missing_or_damaged_file_is_refused_before_anything_is_drawn(evaluated, file, stage):
    if "train_" not in file:
        (evaluated / file).write_bytes(b"PK\x03\x04 cut short")
        with pytest.raises(UserError, match=f"{file} .*`dvc repro"):
            plot("basic")
    (evaluated / file).unlink()
    with pytest.raises(UserError, match=f"{file} .*`dvc repro {stage}`"):
        plot("basic")
    assert not (evaluated / "results/basic/plots").exists()
