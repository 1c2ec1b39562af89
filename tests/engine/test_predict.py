import numpy as np
import pytest

from stages.engine import predict as module
from stages.engine.predict import predict
from stages.settings.sections import Parallel

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), dtype="uint8")
ONE = Parallel(jobs=1)


@pytest.fixture(autouse=True)
def scored(folder, monkeypatch):
    """Score by the images' means instead of a model, and record what was scored."""
    calls = []

    def probabilities(path, images, kernels):
        calls.append(len(images))
        mean = images.mean((1, 2)).astype("f4")
        return mean, mean[None]

    monkeypatch.setattr(module, "probabilities", probabilities)
    (folder / "model.keras").write_bytes(b"a model")
    return calls


def test_chunks_are_joined_in_order(tmp_path, scored, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    vote, members = predict(tmp_path / "model.keras", IMAGES, ONE, "portable")
    assert scored == [3, 3, 1]
    np.testing.assert_array_equal(vote, IMAGES.mean((1, 2)).astype("f4"))
    np.testing.assert_array_equal(members[0], vote)
    np.testing.assert_equal(
        predict(tmp_path / "model.keras", IMAGES, ONE, "portable"), (vote, members)
    )
    assert scored == [3, 3, 1]


def test_another_model_other_images_or_other_code_are_scored_again(tmp_path, scored, monkeypatch):
    model = tmp_path / "model.keras"
    predict(model, IMAGES, ONE, "portable")
    predict(model, 255 - IMAGES, ONE, "portable")
    model.write_bytes(b"another model")
    predict(model, IMAGES, ONE, "portable")
    monkeypatch.setattr(module, "code", lambda: [("training/export.py", "another digest")])
    predict(model, IMAGES, ONE, "portable")
    assert scored == [7] * 4


@pytest.mark.parametrize(("wrong", "size", "explained"), [(7, 2**24, 7), (7, 0, 4), (0, 2**24, 0)])
def test_the_first_mistakes_are_explained(tmp_path, monkeypatch, wrong, size, explained):
    monkeypatch.setattr(module, "EXPLAINED_BYTES", size)
    label = (np.arange(7) < wrong).astype(int)  # the only class is 0
    found = module.score(tmp_path / "model.keras", IMAGES, label, ONE, "portable")
    assert len(found.mistakes) == wrong
    assert found.drops.shape == (explained, 8, 8)
    assert (found.drops != 0).any() == (explained > 0)
