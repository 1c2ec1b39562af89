"""Image files through a model that is really trained, on a few digits."""

import json
import shutil
import zipfile
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow.models import Model
from PIL import Image, ImageOps

from stages.commands import models, predict, predict_inputs
from stages.errors import UserError
from stages.figures import gallery
from stages.files import read_json, read_table, sha256, write_table
from stages.prepare import prepare
from stages.settings.params import load
from stages.tracking import model
from stages.train import train
from stages.training.export import scorer
from tests.command import status
from tests.engine.keras_files import archive, part
from tests.prepared import TRAIN
from tests.refusals import command_refusal

pytestmark = pytest.mark.slow
SETTINGS = {
    "data": {"limit": 1000},
    "folds": {"count": 2},
    "train": TRAIN | {"epochs": 4, "batch_size": 32, "learning_rate": 0.004},
    "variants": {
        "basic": {"architecture": {"basic": {"dense": 32}}},
        "other": {"architecture": "basic"},
    },
    "compare": {"variants": ["basic", "other"], "baseline": "basic"},
    "parallel": {"jobs": 1},
    "tracking": {"live_after": None},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    (root / "params.yaml").write_text(yaml.safe_dump(SETTINGS))
    with chdir(root):
        prepare()
        train("basic")
    rows = [("basic", 0.93), ("other", 0.91)]
    write_table(root / "results/comparison.csv", ("variant", "cv_mean"), rows)
    return root


@pytest.fixture
def folder(trained, monkeypatch, tmp_path):
    monkeypatch.chdir(trained)
    return tmp_path


@pytest.fixture(scope="module")
def digits(trained):
    """Return 40 test digits, four per class, and the model's probabilities for them."""
    images = np.load(trained / "data/prepared/test_images.npy")
    labels = np.load(trained / "data/prepared/test_labels.npy")
    chosen = np.concatenate([np.flatnonzero(labels == label)[:4] for label in range(10)])
    vote, _ = scorer(trained / "results/basic/model.keras", "portable")(images[chosen])
    assert (vote.argmax(axis=1) == labels[chosen]).mean() > 0.8
    return images[chosen], vote


@pytest.fixture
def evaluated(trained):
    """Write out-of-fold predictions in which a coverage of 80 % takes a probability of 60 %."""
    label = np.zeros(99, int)
    probability = np.zeros((99, 10))
    probability[:, 0] = np.r_[np.full(19, 0.1), np.full(80, 0.6)]
    file = trained / "results/basic/predictions.npz"
    digest = np.array(sha256(file.with_name("model.keras")))
    np.savez(file, oof_probability=probability, oof_label=label, model_sha256=digest)
    yield
    file.unlink()


def test_answers_below_the_threshold_of_a_coverage_are_unsure(folder, digits, evaluated, capsys):
    images, vote = digits
    for number, digit in enumerate(images):
        plain(digit).save(folder / f"{number:02d}.png")
    output, csv = folder / "../out.png", folder / "out.csv"
    assert predict.predict([str(folder)], "basic", output, coverage=0.8)
    lines = [line for line in capsys.readouterr().out.splitlines() if ".png: " in line]
    assert predict.predict([str(folder)], "basic", output, csv, coverage=0.8)
    rows = read_table(csv)
    sure = [row["probability"] >= 0.6 for row in rows]
    assert [row["sure"] == "yes" for row in rows] == sure
    assert [": unsure: " not in line for line in lines] == sure
    assert 0 < sum(sure) < len(sure) == len(vote)


def test_a_coverage_that_needs_more_images_leaves_all_unsure(folder, digits, evaluated):
    plain(digits[0][0]).save(folder / "0.png")
    csv = folder / "out.csv"
    predict.predict([str(folder)], "basic", folder / "../out.png", csv, coverage=0.9999)
    assert [row["sure"] for row in read_table(csv)] == ["no"]


def test_the_coverage_of_the_settings_applies_if_the_command_has_none(
    folder, trained, digits, evaluated, monkeypatch
):
    plain(digits[0][0]).save(folder / "0.png")
    text = (trained / "params.yaml").read_text()
    for coverage, parts in ((0.8, 4), (None, 3)):
        settings = yaml.safe_load(text) | {"predict": {"coverage": coverage}}
        (folder / "params.yaml").write_text(yaml.safe_dump(settings))
        loaded = load(folder / "params.yaml")
        monkeypatch.setattr("stages.settings.params.load", lambda loaded=loaded: loaded)
        predict.predict([str(folder / "0.png")], "basic", folder / "out.png", folder / "out.csv")
        assert len(read_table(folder / "out.csv")[0]) == parts


def test_a_file_to_classify_is_not_overwritten(folder, digits):
    plain(digits[0][0]).save(folder / "0.png")
    before = (folder / "0.png").read_bytes()
    with pytest.raises(UserError, match="--output"):
        predict.predict([str(folder / "0.png")], "basic", folder / "0.png")
    with pytest.raises(UserError, match="--csv"):
        predict.predict([str(folder / "a.csv")], "basic", folder / "o.png", folder / "a.csv")
    assert (folder / "0.png").read_bytes() == before


def test_a_coverage_without_predictions_is_refused(folder, digits):
    plain(digits[0][0]).save(folder / "0.png")
    with pytest.raises(UserError, match=r"predictions\.npz"):
        predict.predict([str(folder)], "basic", folder / "out.png", coverage=0.8)


@pytest.mark.parametrize(("option", "name"), [("--output", "seen.txt"), ("--csv", "told.png")])
def test_a_file_to_write_needs_its_own_suffix(folder, digits, monkeypatch, option, name):
    monkeypatch.setattr(predict.models, "find", None)  # calling it would fail
    plain(digits[0][0]).save(folder / "0.png")
    message = command_refusal("predict", str(folder / "0.png"), option, str(folder / name))
    assert message.startswith(f"{option} is ")
    assert not (folder / name).exists()


def plain(digit):
    return Image.fromarray(digit[..., 0])


def large(digit):
    return plain(digit).resize((224, 224), Image.Resampling.BICUBIC)


def on_paper(digit):
    page = Image.new("RGB", (500, 380), (250, 245, 230))
    page.paste(Image.new("RGB", (224, 224), (20, 30, 120)), (190, 40), large(digit))
    return page


def transparent(digit):
    nothing = Image.new("L", (224, 224), 0)  # black, of which only the digit is opaque
    return Image.merge("RGBA", [nothing, nothing, nothing, large(digit)])


KINDS = {  # how a person's file differs from MNIST's image
    "png": plain,
    "bmp": large,
    "tiff": transparent,
    "webp": lambda digit: ImageOps.invert(large(digit)),
    "jpg": on_paper,
}


def test_more_images_than_the_figure_explains_are_classified(folder, digits, capsys, monkeypatch):
    images, vote = digits
    shown, original = [], gallery.predictions

    def predictions(images, *given, **more):
        shown.append((images.shape, more["explained"]))
        return original(images, *given, **more)

    monkeypatch.setattr(gallery, "predictions", predictions)
    for number, digit in enumerate(images):
        plain(digit).save(folder / f"{number:02d}.png")
    assert predict.predict([str(folder)], "basic", folder / "../out.png", explain=True)
    assert len(answers(capsys.readouterr().out)) == len(vote) > gallery.COUNT
    ((count, _, width, _), explained) = shown[0]
    assert explained
    assert count == gallery.COUNT
    assert width > 28  # the explanation is beside the digit


def answers(text):
    """Return file name -> class from the printed lines."""
    lines = [line for line in text.splitlines() if "%), then " in line]
    return {Path(line.split(": ")[0]).name: line.split(": ")[1][0] for line in lines}


def test_a_picture_of_a_digit_gets_the_class_of_the_digit(digits, folder, capsys):
    images, vote = digits
    for kind, drawn in KINDS.items():
        for number, digit in enumerate(images):
            drawn(digit).save(folder / f"{number:02}.{kind}")
    (folder / ".hidden").write_bytes(b"no image")
    assert predict.predict([str(folder)], output=folder / "seen.png")
    found = answers(capsys.readouterr().out)
    assert len(found) == len(images) * len(KINDS)
    for kind in KINDS:
        classes = [found[f"{number:02}.{kind}"] for number in range(len(images))]
        assert np.mean(np.array(classes, int) == vote.argmax(axis=1)) >= 0.9, kind


@pytest.mark.parametrize("first", ["", "id", "label"])
def test_rows_of_a_csv_file_of_pixels_are_classified_as_they_are(digits, folder, first):
    images, vote = digits
    header = [*filter(None, [first]), *(f"pixel{number}" for number in range(784))]
    rows = images.reshape(len(images), -1).tolist()
    rows = [[number, *row] if first else row for number, row in enumerate(rows)]
    write_table(folder / "test.csv", header, rows)
    table = folder / "table.csv"
    assert predict.predict([str(folder / "test.csv")], output=folder / "seen.png", csv=table)
    found = read_table(table)
    assert [row["predicted"] for row in found] == vote.argmax(axis=1).tolist()
    assert found[1]["file"] == f"{folder / 'test.csv'} row 2"


def test_a_csv_file_of_other_images_is_refused_and_the_others_are_classified(
    digits, folder, capsys
):
    plain(digits[0][0]).save(folder / "good.png")
    write_table(folder / "small.csv", ["a", "b", "c", "d"], [[1, 2, 3, 4]])
    given = [str(folder / name) for name in ("small.csv", "good.png")]
    assert not predict.predict(given, output=folder / "seen.png")
    printed = capsys.readouterr()
    assert "good.png: " in printed.out
    assert "small.csv" in printed.err


def test_the_command_classifies_what_it_can_and_ends_with_status_1(digits, folder, capsys):
    images, vote = digits
    plain(images[0]).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"no image")
    Image.new("L", (50, 50), 200).save(folder / "empty.png")
    names = [str(folder / name) for name in ("bad.png", "good.png", "empty.png", "absent.png")]
    seen = folder / "seen.png"
    assert status("predict", *names, "--output", str(seen)) == 1
    stdout, stderr = capsys.readouterr()
    model, answer, figure = stdout.splitlines()
    assert model.startswith("model: basic (results/basic/model.keras), ")
    assert answer.startswith(f"{names[1]}: {vote[0].argmax()} (")
    assert figure.endswith(str(seen))
    errors = [line for line in stderr.splitlines() if line.startswith("foldlab: ")]
    assert [line.split()[1] for line in errors] == [names[0], names[2], names[3]]
    with Image.open(seen) as image:
        assert np.asarray(image.convert("L")).std() > 10

    assert status("predict", names[1], "--model", "results/basic/model.keras") == 0
    assert answer in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("basik", "'basik'.* 'basic'"),
        ("../basic", "'../basic'"),
        ("/etc", "'/etc'"),
        ("other", r"other/model\.keras .*train@other"),
        ("data.keras", r"^data\.keras: "),
        ("foreign.keras", r"^foreign\.keras: .*\.keras file"),
        ("bare.keras", r"^bare\.keras is not a model file of this pipeline"),
        ("absent.keras", r"^absent\.keras "),
        ("models:/foldlab@champion", r"models:/foldlab@champion .*http://127\.0\.0\.1:9"),
    ],
)
def test_a_model_that_cannot_answer_is_refused_before_tensorflow(
    folder, trained, model, message, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:hunter2@127.0.0.1:9")
    (trained / "data.keras").write_bytes(b"PK")
    pixels = {"class_name": "InputLayer", "config": {"batch_shape": [None, 28, 28, 1]}}
    with zipfile.ZipFile(trained / "foreign.keras", "w") as written:
        written.writestr("config.json", json.dumps({"config": {"layers": [pixels]}}))
    vote = part("keras.layers", "Softmax", {"name": "vote_0"})
    (trained / "bare.keras").write_bytes(
        archive(config=part("keras", "Sequential", {"layers": [vote]}))
    )
    monkeypatch.setattr("stages.training.export.scorer", None)
    with pytest.raises(UserError, match=message) as refused:
        predict.predict(["any.png"], model)
    assert "hunter2" not in str(refused.value)


def test_a_model_of_other_data_is_refused(digits, folder, trained, monkeypatch):
    path = trained / "results/basic/model.keras"
    with pytest.raises(UserError, match=r"\[28, 28, 1\] .*\[32, 32, 3\]"):
        models.check(path, {"image_shape": (32, 32, 3)})
    dataset = read_json(trained / "data/prepared/dataset.json")
    with pytest.raises(UserError, match="train@basic"):
        models.find("basic", dataset | {"sha256": "0"}, folder)
    dataset |= {"classes": ["cat", "dog"]}
    monkeypatch.setattr(predict, "read_dataset", lambda prepared: dataset)
    plain(digits[0][0]).save(folder / "page.png")
    with pytest.raises(UserError, match=r"10 classes.* 2"):
        predict.predict([str(folder)], "results/basic/model.keras", folder / "o.png")


def test_a_model_whose_classes_have_other_names_is_refused(folder, trained, monkeypatch):
    dataset = read_json(trained / "data/prepared/dataset.json")
    source = trained / "results/basic/model.keras"
    renamed = ["zero", *dataset["classes"][1:]]
    saved = folder / "saved"  # as downloaded from MLflow
    model.save(saved, source, dataset | {"classes": renamed}, Model())
    copied = Path(shutil.copy(source, folder))  # beside the results of its evaluation
    write_table(folder / "per_class.csv", ("class",), [(name,) for name in renamed])
    for path in (saved / "data/model.keras", copied):
        models.check(path, dataset | {"classes": renamed})
        with pytest.raises(UserError, match=r"classes zero, 1, .*has 0, 1, "):
            models.check(path, dataset)
    shutil.copy(source.with_name("training.json"), folder)  # retrained, not yet evaluated
    models.check(copied, dataset)
    monkeypatch.chdir(folder)
    (folder / "per_class.csv").unlink()
    (folder / "training.json").unlink()
    models.check(Path(shutil.copy(source, "other.keras")), dataset | {"classes": renamed})


def test_a_whole_folder_becomes_a_table(digits, folder, capsys, monkeypatch):
    """It contains subfolders, documents and a damaged image; blocks are small."""
    monkeypatch.setattr(predict_inputs, "BYTES", 2 * 28 * 28)
    images, vote = digits
    names = ["1.png", "a/2.png", "a/b/3.png", "a/b/4.png", "z.png"]
    for name, digit in zip(names, images, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        plain(digit).save(folder / name)
    (folder / "a/bad.png").write_bytes(b"no image")
    for skipped in ("a/notes.txt", "a/.hidden.png"):
        (folder / skipped).write_bytes(b"no image")
    arguments = [str(folder), "--output", str(folder / "o.png"), "--csv", str(folder / "o.csv")]
    assert status("predict", *arguments) == 1
    stdout, stderr = capsys.readouterr()
    assert answers(stdout) == {}
    assert [line.split()[1] for line in stderr.splitlines() if line.startswith("foldlab: ")] == [
        str(folder / "a/bad.png")
    ]
    rows = read_table(folder / "o.csv", ("file", "predicted", "probability"))
    assert [row["file"] for row in rows] == names
    assert [row["predicted"] for row in rows] == vote[:5].argmax(axis=1).tolist()
    assert all(0 < row["probability"] <= 1 for row in rows)

    (folder / "o.csv").unlink()
    (folder / "a/bad.png").unlink()
    given = [str(folder / "a"), str(folder / "1.png")]
    assert predict.predict(given, output=folder / "o.png", csv=folder / "o.csv")
    table = read_table(folder / "o.csv")
    assert [row["file"] for row in table] == [str(folder / name) for name in (*names[1:4], "1.png")]


def test_nothing_to_classify_or_to_classify_with_is_refused(folder, monkeypatch):
    with pytest.raises(UserError, match="files"):
        predict.predict([str(folder)])
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=r"dataset\.json .*`dvc repro prepare`"):
        predict.predict(["any.png"])
    (folder / "params.yaml").write_text(yaml.safe_dump(SETTINGS))
    with pytest.raises(UserError, match=r"comparison\.csv .*`dvc repro compare`"):
        models.find("", {}, folder)
