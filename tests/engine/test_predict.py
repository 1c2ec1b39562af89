import numpy as np
import pytest

from stages.engine import predict as module
from stages.engine.predict import predict
from stages.settings.sections import Parallel

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 1), dtype="uint8")
ONE = Parallel(jobs=1)


@pytest.fixture(autouse=True)
def scored(tmp_path, monkeypatch):
    """Score by the images' means instead of a model, and record what was scored."""
    calls = []

    def probabilities(path, images):
        calls.append(len(images))
        mean = images.mean((1, 2)).astype("f4")
        return mean, mean[None]

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(module, "probabilities", probabilities)
    (tmp_path / "model.keras").write_bytes(b"a model")
    return calls


def test_chunks_come_back_in_order(tmp_path, scored, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    vote, members = predict(tmp_path / "model.keras", IMAGES, ONE)
    assert scored == [3, 3, 1]
    np.testing.assert_array_equal(vote, IMAGES.mean((1, 2)).astype("f4"))
    np.testing.assert_array_equal(members[0], vote)


def test_the_same_model_and_images_are_scored_once(tmp_path, scored):
    first = predict(tmp_path / "model.keras", IMAGES, ONE)
    again = predict(tmp_path / "model.keras", IMAGES, ONE)
    assert scored == [7]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_model_or_other_images_are_scored_anew(tmp_path, scored):
    predict(tmp_path / "model.keras", IMAGES, ONE)
    predict(tmp_path / "model.keras", 255 - IMAGES, ONE)
    (tmp_path / "model.keras").write_bytes(b"another model")
    predict(tmp_path / "model.keras", IMAGES, ONE)
    assert scored == [7, 7, 7]


def test_after_a_change_of_the_code_it_is_scored_anew(tmp_path, scored, monkeypatch):
    predict(tmp_path / "model.keras", IMAGES, ONE)
    monkeypatch.setattr(module, "code", lambda: [("training/export.py", "another digest")])
    predict(tmp_path / "model.keras", IMAGES, ONE)
    assert scored == [7, 7]


def test_a_damaged_answer_is_scored_anew(tmp_path, scored):
    predict(tmp_path / "model.keras", IMAGES, ONE)
    (kept,) = (tmp_path / ".foldlab" / "scores").iterdir()
    kept.write_bytes(b"cut")
    predict(tmp_path / "model.keras", IMAGES, ONE)
    assert scored == [7, 7]
