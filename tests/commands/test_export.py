import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.inputs import ROOT
from stages import publish
from stages.commands import export
from stages.engine import onnx_file, tflite_file
from stages.errors import UserError
from stages.files import read_json, read_table, sha256
from stages.settings import params
from stages.training.export import scorer
from tests.command import status
from tests.engine import exported
from tests.prepared import edit
from tests.refusals import command_refusal
from tests.tracking.made_results import dead_address, everything, score

pytestmark = pytest.mark.slow
SHAPE, CLASSES = (28, 28, 1), ("zero", "one")
MODEL, FOLDER = Path("results/basic/model.keras"), Path("results/basic/export")
IMAGES = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), np.uint8)
LABEL = np.arange(20) % 2


@pytest.fixture
def trained(repository):
    """Return a repository with prepared data, and a variant whose model can be loaded."""
    exported.write(MODEL, shape=SHAPE, classes=CLASSES)
    score(MODEL.parent)
    with Path("params.yaml").open("a") as settings:
        settings.write("parallel: {jobs: 1}\n")
    for split in ("train", "test"):
        np.save(f"data/prepared/{split}_images.npy", IMAGES)
        np.save(f"data/prepared/{split}_labels.npy", LABEL)
    return repository


def snippet(package):
    """Return the code of docs/export.md that imports a package."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(), re.S)
    (code,) = [block for block in blocks if package in block]
    return re.sub("results/resnet", "results/basic", code)


def run(code):
    """Return the words that code prints in a process that cannot import this repository."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_model_of_mlflow_needs_a_folder_before_it_is_downloaded(monkeypatch):
    monkeypatch.setattr(export.models, "find", None)  # calling it would fail
    with pytest.raises(UserError, match="--output"):
        export.export("models:/foldlab@champion", "onnx")


def test_a_model_that_is_no_row_needs_a_format():
    for model in ("models:/foldlab@champion", "my models/new.keras"):
        with pytest.raises(UserError, match="give --format"):
            export.export(model)


def name_formats(names):
    edit(Path(), {"variants": {"basic": {"export": names}}})


def test_formats_in_a_row_are_written_again_only_when_something_changed(
    trained, monkeypatch, capsys
):
    exported.importable(onnx_file)
    name_formats("onnx")
    written = []
    write = export._write
    monkeypatch.setattr(export, "_write", lambda *args: written.append(args[0]) or write(*args))
    file = FOLDER / "model.onnx"

    def update():
        export.check_rows(params.load())
        export.update_rows(params.load())
        assert read_json(FOLDER / "model.onnx.json")["sha256"]["exported"] == sha256(file)
        return len(written)

    assert update() == 1
    assert update() == 1
    file.unlink()
    assert update() == 2
    file.write_bytes(b"edited")
    assert update() == 3
    exported.write(MODEL, members=1, shape=SHAPE, classes=CLASSES)
    assert update() == 4
    assert status("export") == status("export", "basic") == 0
    assert written == [file] * 6
    name_formats([])
    update()
    assert capsys.readouterr().err == ""
    exported.write(MODEL, members=2, shape=SHAPE, classes=CLASSES)
    export.update_rows(params.load())
    assert f"from an earlier model: {file};" in capsys.readouterr().err
    file.unlink()  # its proof stays
    export.update_rows(params.load())
    assert capsys.readouterr().err == ""


def test_without_a_format_in_a_row_one_must_be_given(trained):
    for arguments in ([], ["basic"]):
        assert "--format" in command_refusal("export", *arguments)
    name_formats(["onnx"])
    for option in (["--int8"], ["--output", "elsewhere"]):
        assert "--format" in command_refusal("export", "basic", *option)
    name_formats(["onyx"])
    assert "variants.basic.export" in command_refusal("export")


def test_an_onnx_file_has_a_proof_also_in_mlflow_and_the_documented_code_reads_it(trained, capsys):
    exported.importable(onnx_file)
    publish.publish("basic")
    assert status("export", "basic", "--format", "onnx") == 0
    file = FOLDER / "model.onnx"
    proof = read_json(FOLDER / "model.onnx.json")
    expected, _ = scorer(MODEL, "portable")(IMAGES)
    found = onnx_file.scorer(file)(IMAGES)
    assert proof["largest_difference"] == pytest.approx(np.abs(found - expected).max(), abs=1e-7)
    assert proof["largest_difference"] < proof["tolerance"]
    assert proof["changed_predictions"] == 0
    accuracy = proof["accuracy"]
    assert accuracy["keras"] == accuracy["exported"] == (expected.argmax(1) == LABEL).mean()
    assert accuracy["n"] == 20
    assert accuracy["ci_low"] < accuracy["difference"] == 0 < accuracy["ci_high"]
    assert proof["sha256"] == {"keras": sha256(MODEL), "exported": sha256(file)}
    assert min(proof["one_image_ms"].values()) > 0
    assert f"proof: {file}.json" in capsys.readouterr().out
    (logged,) = [
        content
        for path, content in everything(trained)["artifacts"].items()
        if path.endswith("export/model.onnx.json")
    ]
    assert logged == (FOLDER / "model.onnx.json").read_bytes()

    Image.fromarray(IMAGES[0, ..., 0]).save("digit.png")
    name, probability = run(snippet("onnxruntime"))
    assert name == CLASSES[expected[0].argmax()]
    assert float(probability) == pytest.approx(expected[0].max(), abs=1e-5)


def test_a_scored_model_is_counted_and_named_whatever_its_path(trained):
    exported.importable(onnx_file)
    copied = Path("my models/new,one.keras")
    copied.parent.mkdir()
    copied.write_bytes(MODEL.read_bytes())
    export.export(str(copied), "onnx")
    assert read_json(copied.parent / "export/model.onnx.json")["model"] == str(copied)
    (row,) = read_table(Path("results/test_set_uses.csv"), text=("variant", "model_sha256"))
    assert (row["variant"], row["model_sha256"]) == ("new_one.keras", sha256(MODEL))
    export.export("basic", "onnx")
    assert len(read_table(Path("results/test_set_uses.csv"))) == 1  # the same model


def test_int8_has_a_proof_of_its_cost_without_mlflow_and_the_documented_code_reads_it(
    trained, monkeypatch, capsys
):
    exported.importable(tflite_file)
    from ai_edge_litert.interpreter import Interpreter

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{dead_address()}")
    publish.publish("basic")
    export.export(str(MODEL), "tflite", int8=True)
    assert "proof of basic's export to MLflow" in capsys.readouterr().err
    proof = read_json(FOLDER / "model_int8.tflite.json")
    expected, _ = scorer(MODEL, "portable")(IMAGES)
    found = tflite_file.scorer(FOLDER / "model_int8.tflite")(IMAGES)
    before, after = (one.argmax(1) == LABEL for one in (expected, found))
    accuracy = proof["accuracy"]
    assert (accuracy["keras"], accuracy["exported"]) == (before.mean(), after.mean())
    assert accuracy["only_exported_correct"] == (after & ~before).sum()
    assert accuracy["only_keras_correct"] == (before & ~after).sum()
    assert (proof["tolerance"], proof["calibration_images"]) == (None, 20)
    assert 0 < proof["largest_difference"] < 0.05
    tensors = Interpreter(str(FOLDER / "model_int8.tflite")).get_tensor_details()
    # the pixels before quantization, and the probabilities after it
    assert len([one for one in tensors if one["dtype"] == np.float32]) == 2

    Image.fromarray(IMAGES[0, ..., 0]).save("digit.png")
    name, probability = run(snippet("ai_edge_litert").replace("model.tflite", "model_int8.tflite"))
    assert name == CLASSES[found[0].argmax()]
    assert float(probability) == pytest.approx(found[0].max(), abs=1e-5)


def test_a_file_that_differs_is_refused_and_leaves_nothing(trained, monkeypatch):
    exported.importable(onnx_file)
    FOLDER.mkdir()
    for earlier in ("model.onnx", "model.onnx.json"):
        (FOLDER / earlier).write_text("{}")
    monkeypatch.setattr(export, "TOLERANCE", -1)
    assert "would differ" in command_refusal("export", "basic", "--format", "onnx")
    assert not [*FOLDER.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["basik"], "basic"),
        (["other"], "dvc repro train@other"),
        (["results/none.keras"], "not a model file"),
        (["basic", "--int8"], "--format tflite"),
    ],
)
def test_bad_arguments_are_refused_before_scoring(arguments, message, trained, monkeypatch):
    exported.importable(onnx_file)
    monkeypatch.setattr(export, "score", None)
    assert message in command_refusal("export", *arguments, "--format", "onnx")


@pytest.mark.parametrize("name", ["onnx", "tflite"])
def test_missing_packages_are_named_with_the_command(name, trained, monkeypatch):
    for package in ("onnx", "ai_edge_litert"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(export, "score", None)
    with pytest.raises(UserError, match=r"pip install -r requirements-export\.txt -c constr"):
        export.export("basic", name)
    name_formats(name)
    with pytest.raises(UserError, match=rf"variants\.basic\.export: {name} needs"):
        export.check_rows(params.load())
