import numpy as np
import pytest

from stages.engine import predict as module
from stages.engine.predict import score
from stages.settings.sections import Parallel

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), dtype="uint8")
LABEL = np.zeros(7, int)  # there is one class
ONE = Parallel(jobs=1)


@pytest.fixture(autouse=True)
def scored(folder, monkeypatch):
    """Score by the images' means instead of a model, and record how many images were scored."""
    calls = []

    def scorer(path, kernels):
        def probabilities(images):
            calls.append(len(images))
            mean = images.mean((1, 2)).astype("f4")
            return mean, mean[None]

        return probabilities

    monkeypatch.setattr(module, "scorer", scorer)
    (folder / "model.keras").write_bytes(b"a model")
    return calls


def test_chunks_are_joined_in_order_and_cached(tmp_path, scored, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    found = score(tmp_path / "model.keras", IMAGES, LABEL, ONE, "portable")
    assert scored == [3, 3, 1]
    np.testing.assert_array_equal(found.probability, IMAGES.mean((1, 2)).astype("f4"))
    np.testing.assert_array_equal(found.by_member[0], found.probability)
    np.testing.assert_equal(score(tmp_path / "model.keras", IMAGES, LABEL, ONE, "portable"), found)
    assert scored == [3, 3, 1]


def test_whatever_changes_the_scores_is_scored_again(tmp_path, scored, monkeypatch):
    model = tmp_path / "model.keras"
    score(model, IMAGES, LABEL, ONE, "portable")
    score(model, 255 - IMAGES, LABEL, ONE, "portable")
    model.write_bytes(b"another model")
    score(model, IMAGES, LABEL, ONE, "portable")
    monkeypatch.setattr(module, "code", lambda: [("training/export.py", "another digest")])
    score(model, IMAGES, LABEL, ONE, "portable")
    score(model, IMAGES, LABEL + (np.arange(7) == 3), ONE, "portable")
    assert scored == [7] * 5 + [64]  # the last has a mistake, which is explained


@pytest.mark.parametrize("chunk", [3, 7])
@pytest.mark.parametrize(("wrong", "size", "explained"), [(7, 2**24, 7), (7, 0, 4), (0, 2**24, 0)])
def test_the_worst_mistakes_are_explained(tmp_path, monkeypatch, wrong, size, explained, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(module, "EXPLAINED_BYTES", size)
    label = (np.arange(7) < wrong).astype(int)
    found = score(tmp_path / "model.keras", IMAGES, label, ONE, "portable")
    assert len(found.mistakes) == wrong
    assert found.drops.shape == (explained, 8, 8)
    assert all(drops.any() for drops in found.drops)
