"""Image files through a model that is really trained, on a sliver of the digits."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from stages.commands import predict
from stages.files import read_json, write_table
from stages.prepare import prepare
from stages.train import train
from stages.training.export import probabilities
from tests.prepared import TRAIN

ROOT = Path(__file__).parents[2]
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
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("DVC_ROOT", raising=False)
        prepare()
        train("basic")
    rows = [("basic", 0.93), ("other", 0.91)]
    write_table(root / "results/comparison.csv", ("variant", "cv_mean"), rows)
    return root


@pytest.fixture
def repository(trained, monkeypatch, tmp_path):
    monkeypatch.chdir(trained)
    return tmp_path


@pytest.fixture(scope="module")
def digits(trained):
    """Return 40 test digits, four a class, and what the model says of them as they are."""
    images = np.load(trained / "data/prepared/test_images.npy")
    labels = np.load(trained / "data/prepared/test_labels.npy")
    chosen = np.concatenate([np.flatnonzero(labels == label)[:4] for label in range(10)])
    vote, _ = probabilities(trained / "results/basic/model.keras", images[chosen])
    assert (vote.argmax(axis=1) == labels[chosen]).mean() > 0.8
    return images[chosen], vote


def plain(digit):
    return Image.fromarray(digit[..., 0])


def large(digit):
    return plain(digit).resize((224, 224), Image.Resampling.BICUBIC)


def on_paper(digit):
    page = Image.new("RGB", (500, 380), (250, 245, 230))
    page.paste(Image.new("RGB", (224, 224), (20, 30, 120)), (190, 40), large(digit))
    return page


KINDS = {  # how a person's file differs from MNIST's image
    "png": plain,
    "bmp": large,
    "webp": lambda digit: ImageOps.invert(large(digit)),
    "jpg": on_paper,
}


def answers(text):
    """Return file name -> class, of the lines that were printed."""
    lines = [line for line in text.splitlines() if "%), then " in line]
    return {Path(line.split(": ")[0]).name: line.split(": ")[1][0] for line in lines}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_a_digit_gets_the_class_of_the_digit(digits, repository, kind, capsys):
    images, vote = digits
    for number, digit in enumerate(images):
        KINDS[kind](digit).save(repository / f"{number:02}.{kind}")
    assert predict.predict([str(repository)], output=repository / "seen.png")
    found = answers(capsys.readouterr().out)
    same = [found[f"{number:02}.{kind}"] == str(row.argmax()) for number, row in enumerate(vote)]
    assert len(found) == len(images)
    assert np.mean(same) >= 0.9


def test_it_says_which_model_answered_and_how_sure_it_is(digits, repository, capsys):
    images, vote = digits
    page = repository / "page.png"
    plain(images[0]).save(page)
    assert predict.predict([str(page)], output=repository / "seen.png")
    model, answer, picture = capsys.readouterr().out.splitlines()
    assert model == "model: basic (results/basic/model.keras), the best of comparison.csv"
    assert answer.startswith(f"{page}: {vote[0].argmax()} (")
    assert picture == f"picture: {repository / 'seen.png'}"
    with Image.open(repository / "seen.png") as seen:
        assert seen.format == "PNG"
        assert np.asarray(seen.convert("L")).std() > 10

    predict.predict([str(page)], "results/basic/model.keras", repository / "seen.png")
    assert capsys.readouterr().out.splitlines()[1:] == [answer, picture]


def test_the_command_classifies_what_it_can_and_ends_with_status_1(digits, repository, trained):
    plain(digits[0][0]).save(repository / "good.png")
    (repository / "bad.png").write_bytes(b"no image")
    Image.new("L", (50, 50), 200).save(repository / "empty.png")
    names = [str(repository / name) for name in ("bad.png", "good.png", "empty.png", "absent.png")]
    done = subprocess.run(
        [sys.executable, "-m", "stages", "predict", *names, "--output", repository / "o.png"],
        cwd=trained,
        env={"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert list(answers(done.stdout)) == ["good.png"]
    stderr = [line for line in done.stderr.splitlines() if line.startswith("foldlab: ")]
    assert [line.split()[1] for line in stderr] == [names[0], names[2], names[3]]
    assert (repository / "o.png").exists()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("basik", "'basik' is no row of variants.*Did you mean 'basic'"),
        ("../basic", "is no row of variants"),
        ("/etc", "is no row of variants"),
        ("other", r"other/model\.keras is missing; run `dvc pull`"),
        ("data.keras", r"data\.keras is not a model file of this pipeline"),
        ("absent.keras", r"^absent\.keras is not a file; give an existing \.keras file, a row"),
        (
            "models:/foldlab@champion",
            "could not fetch models:/foldlab@champion from http://127.0.0.1:9:",
        ),
    ],
)
def test_a_model_that_cannot_answer_is_refused_before_tensorflow(
    digits, repository, trained, model, message, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:hunter2@127.0.0.1:9")
    (trained / "data.keras").write_bytes(b"PK")
    monkeypatch.setattr("stages.training.export.probabilities", None)
    with pytest.raises((ValueError, OSError), match=message) as refused:
        predict.predict(["any.png"], model)
    assert "hunter2" not in str(refused.value)


def test_a_model_of_another_shape_or_data_set_is_refused(repository, trained, monkeypatch):
    path = trained / "results/basic/model.keras"
    with pytest.raises(ValueError, match=r"\[28, 28, 1\] .*has \[32, 32, 3\]"):
        predict.check(path, (32, 32, 3))
    dataset = read_json(trained / "data/prepared/dataset.json") | {"sha256": "0"}
    with pytest.raises(ValueError, match="other data than"):
        predict.find("basic", dataset, repository)


def test_a_model_of_other_classes_is_refused(digits, repository, trained, monkeypatch):
    dataset = read_json(trained / "data/prepared/dataset.json")
    monkeypatch.setattr(
        predict, "read_dataset", lambda prepared: dataset | {"classes": ["cat", "dog"]}
    )
    plain(digits[0][0]).save(repository / "page.png")
    with pytest.raises(ValueError, match="has 10 classes, data/prepared has 2"):
        predict.predict([str(repository)], "results/basic/model.keras", repository / "o.png")


def test_nothing_to_classify_is_refused(repository):
    with pytest.raises(ValueError, match="none of these files"):
        predict.predict([str(repository)])


def test_a_missing_table_or_data_set_says_what_to_run(repository, monkeypatch):
    monkeypatch.chdir(repository)
    with pytest.raises(ValueError, match=r"dataset\.json is missing.*`dvc repro prepare`"):
        predict.predict(["any.png"])
    with pytest.raises(ValueError, match=r"comparison\.csv is missing; run `dvc repro`"):
        predict._best()


def test_importing_the_command_imports_neither_tensorflow_nor_mlflow():
    code = "import sys, stages.commands.predict as p; "
    code += "print({'tensorflow', 'keras', 'mlflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
