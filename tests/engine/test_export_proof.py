import numpy as np
import pytest

from stages.engine import export_proof
from stages.engine.export_proof import Exported
from stages.files import sha256
from stages.training.export import scorer
from tests.engine import exported

LABEL = np.array([0, 0, 1, 1, 0] * 8)


@pytest.mark.slow
def test_a_file_with_other_answers_is_compared_image_by_image(tmp_path):
    model = exported.write(tmp_path / "model.keras")
    expected, _ = scorer(model, "portable")(exported.IMAGES)
    found = expected.copy()
    found[:3] = np.roll(expected[:3], 1, axis=1)
    rows = iter(found)

    def score(images):
        return np.array([next(rows, found[0]) for _ in images])

    file = tmp_path / "model.onnx"
    file.write_bytes(b"1234")
    proof = export_proof.comparison(
        Exported(file, score, ["scipy"]), model, "portable", exported.IMAGES, LABEL, expected
    )
    before, after = expected.argmax(1) == LABEL, found.argmax(1) == LABEL
    accuracy = proof["accuracy"]
    assert proof["largest_difference"] == np.abs(found - expected).max()
    assert proof["changed_predictions"] == 3
    assert (accuracy["n"], accuracy["keras"]) == (40, before.mean())
    assert accuracy["only_keras_correct"] == (before & ~after).sum()
    assert accuracy["only_exported_correct"] == (after & ~before).sum()
    assert accuracy["difference"] == pytest.approx(accuracy["exported"] - accuracy["keras"])
    assert accuracy["ci_low"] < accuracy["difference"] < accuracy["ci_high"]
    assert proof["sha256"] == {"keras": sha256(model), "exported": sha256(file)}
    assert {"tensorflow", "scipy"} <= set(proof["versions"])
    assert min(proof["one_image_ms"].values()) >= 0


def test_cells_show_both_models():
    proof = {
        "largest_difference": 0.25,
        "changed_predictions": 2,
        "accuracy": {"n": 1000, "exported": 0.975, "difference": -0.002, "ci_low": -0.005},
        "megabytes": {"keras": 2.0, "exported": 0.5},
        "one_image_ms": {"keras": 1.5, "exported": 0.25},
    }
    proof["accuracy"]["ci_high"] = 0.001
    cells = export_proof.cells(proof)
    assert cells["changed predictions"] == "2 of 1,000"
    assert cells["test accuracy, %"] == "97.50"
    assert cells["MB"] == "0.50 (Keras: 2.00)"
