"""`python -m stages new`: settings for a user's own images."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks import inputs
from stages import data
from stages.commands import estimate, new, new_settings
from stages.data import look
from stages.errors import UserError
from stages.settings import params
from tests import drawn


@pytest.fixture
def folder(folder, monkeypatch):
    """Return a repository's folder with the shipped settings, where no network is timed."""
    monkeypatch.setattr(estimate, "network_minutes", lambda images, shape: 7.0)
    monkeypatch.setattr(estimate, "features_minutes", lambda name, images, shape: images / 22)
    shutil.copy(inputs.ROOT / "params.yaml", folder)
    return folder


def test_settings_are_chosen_and_comments_kept(folder, capsys):
    files = drawn.classes("cat", "dog", each=20, height=90, width=70)
    drawn.tree(folder / "data/pets", files | drawn.classes("owl", each=4, height=90, width=100))
    before = Path("params.yaml").read_text()
    new.new("data/pets")
    settings = params.load()
    assert (settings.data.source, settings.data.watch) == ("data/pets", "data/pets")
    assert settings.data.image_size == (64, 64)
    assert (settings.folds.count, settings.folds.repeats) == (3, 1)
    assert settings.train.class_weight == "balanced"
    assert settings.compare.metric == "balanced_accuracy"
    assert settings.compare.variants == [
        "pretrained", "cnn_augmented", "cnn", "logistic", "majority"
    ]  # fmt: skip
    assert Path("params.yaml.old").read_text() == before
    after = Path("params.yaml").read_text()
    comments = [line.partition("#")[2] for line in before.splitlines()]
    assert [line.partition("#")[2] for line in after.splitlines() if "#" in line] == [
        comment for comment in comments if comment
    ]
    gone = {*before.splitlines()} - {*after.splitlines()}
    assert {line.split(":")[0].strip() for line in gone} == {
        "source", "image_size", "watch", "count", "epochs", "batch_size",
        "learning_rate", "class_weight", "variants", "baseline", "metric", "rope",
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert "44 images in 3 classes" in printed
    assert "class owl has only 4 different images" in printed
    assert "about 9 min" in printed  # two of them for features of the 44 images


@pytest.mark.parametrize(
    ("side", "many", "expected", "factor"),
    [(300, False, 224, 4), (300, True, 128, 2), (130, False, 128, 2), (100, False, 64, 1)],
)
def test_large_images_keep_the_size_that_pretrained_networks_need(
    folder, monkeypatch, side, many, expected, factor
):
    drawn.tree(folder / "photos", drawn.classes("cat", "dog", each=5, height=side, width=40))
    monkeypatch.setattr(new_settings, "MANY", 9 if many else 10)
    for _ in range(2):  # the second call finds the rows of the first
        new.new("photos")
        settings = params.load()
        assert settings.data.image_size == (expected, expected)
        shrink = {name: settings.variants[name].shrink for name in settings.compare.variants}
        assert shrink == dict.fromkeys(new_settings.ROWS, factor) | {"pretrained": 1}


def test_rows_of_an_earlier_call_fit_images_of_another_size(folder):
    drawn.tree(folder / "large", drawn.classes("cat", "dog", each=5, height=300, width=300))
    drawn.tree(folder / "small", drawn.classes("cat", "dog", each=5, height=80, width=80))
    new.new("large")
    new.new("small")
    assert {params.load().variants[name].shrink for name in new_settings.ROWS} == {1}


def changed(**sections):
    content = inputs.merged(yaml.safe_load(Path("params.yaml").read_text()), sections)
    Path("params.yaml").write_text(yaml.safe_dump(content))


def test_settings_that_stay_apply_to_the_new_images(folder, capsys):
    """Those of the previous images, such as their corrections, do not stay."""
    drawn.tree(folder / "other", drawn.classes("cat", "dog", each=12))
    drawn.tree(folder / "photos", {"cat/0.png": b"no image"} | drawn.classes("dog", each=12))
    Path("photos/cat").rename("cats")
    drawn.tree(folder / "cats", drawn.classes("a", each=12))
    Path("photos/cat").symlink_to(folder / "cats/a")
    kept = {"test_fraction": 0.5, "follow_links": True, "corrections": "other/wrong.csv"}
    changed(data=kept)
    new.new("photos")
    settings = params.load()
    assert (settings.data.test_fraction, settings.data.corrections) == (0.5, None)
    assert "data.corrections was 'other/wrong.csv'" in capsys.readouterr().out
    assert settings.folds.count == 5
    changed(data={"test_fraction": 0.75})
    new.new("photos")
    assert params.load().folds.count == 3


def test_digits_are_not_mirrored_by_a_row_of_an_earlier_call(folder):
    drawn.tree(folder / "photos", drawn.classes("cat", "dog", each=9))
    drawn.tree(folder / "digits", drawn.classes(*map(str, range(10)), each=6))
    new.new("digits")
    ops = [op.name for op in params.load().variants["cnn_augmented"].augmentation]
    assert ops == ["rotate", "zoom", "shift", "brightness"]
    shutil.copy("params.yaml.old", "params.yaml")
    new.new("photos")
    with pytest.raises(UserError, match=r"variants\.cnn_augmented\.augmentation\[0\] is flip"):
        new.new("digits")
    assert params.load().data.source == "photos"


def test_a_row_of_ones_own_is_not_replaced(folder):
    drawn.tree(folder / "photos", drawn.classes("cat", "dog", each=9))
    changed(variants={"cnn": {"architecture": "basic"}})
    before = Path("params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"variants\.cnn "):
        new.new("photos")
    assert Path("params.yaml").read_bytes() == before
    assert not Path("params.yaml.old").exists()


def test_missing_sections_are_added(folder):
    drawn.tree(folder / "data/pets", drawn.classes("cat", "dog", each=20, height=90, width=70))
    path = Path("params.yaml")
    content = yaml.safe_load(path.read_text())
    del content["data"], content["folds"]
    path.write_text(yaml.safe_dump(content))
    new.new("data/pets")
    assert params.load().data.watch == "data/pets"
    assert "count" in yaml.safe_load(path.read_text())["folds"]


def test_the_same_call_again_keeps_the_copy_of_the_first_file(folder):
    drawn.tree(folder / "photos", drawn.classes("cat", "dog", each=9))
    before = Path("params.yaml").read_text()
    new.new("photos")
    once = Path("params.yaml").read_text()
    new.new("photos")
    assert Path("params.yaml").read_text() == once
    assert Path("params.yaml.old").read_text() == before


def test_damaged_images_are_left_out_and_do_not_count(folder, capsys):
    files = drawn.classes("cat", "dog", each=6, height=48, width=48)
    files["cat/5.png"] = drawn.encoded(files["cat/5.png"])[:-60]
    drawn.tree(folder / "pets", files)
    new.new("pets")
    printed = capsys.readouterr().out
    assert "11 images in 2 classes" in printed
    assert "files left out: 1: " in printed
    assert "cat/5.png" in printed


def test_near_duplicates_are_named_or_left_to_the_pipeline(folder, monkeypatch, capsys):
    files = drawn.classes("cat", "dog", each=6, height=48, width=48)
    files["dog/copy.jpg"] = drawn.encoded(files["cat/0.png"], "JPEG", quality=80)
    drawn.tree(folder / "pets", files)
    new.new("pets")
    printed = capsys.readouterr().out
    assert "of these, in two classes: 1, such as cat/0.png and dog/copy.jpg" in printed
    monkeypatch.setattr(look, "NEAR_IMAGES", 12)
    new.new("pets")
    printed = capsys.readouterr().out
    assert "cat/0.png" not in printed
    assert "`make repro` looks for them" in printed


def test_a_second_call_replaces_the_choice(folder):
    drawn.tree(folder / "pets", drawn.classes("cat", "dog", each=9))
    new.new("pets")
    assert params.load().data.image_size is None  # all have one small size
    assert "pretrained" not in params.load().compare.variants  # too small for it
    (folder / "table").mkdir()
    table = ["file,label", *(f"{row}.png,{'ab'[row % 2]}" for row in range(12))]
    pictures = {f"{row}.png": drawn.pixels(row, 80, 80) for row in range(12)}
    drawn.tree(folder / "table", {"labels.csv": "\n".join(table).encode(), **pictures})
    new.new(str(folder / "table/labels.csv"), "labels")
    data = params.load().data
    assert (data.source, data.watch) == ("table/labels.csv", "table")
    assert (data.format, data.image_size) == ("labels", (64, 64))
    assert params.load().train.class_weight is None


@pytest.mark.parametrize(
    ("files", "source", "expected"),
    [
        ({}, "nowhere", "nowhere"),
        (drawn.classes("cat", "dog", each=9), "", "DATA is missing"),
        ({}, "mnist-5k", "data.source"),
        ({"pets/cat/1.png": drawn.pixels()}, "pets", "only the class 'cat'"),
        ({**drawn.classes("pets/cat"), "pets/dog/1.png": drawn.pixels()}, "pets", "'dog'"),
        (drawn.classes("data/cat", "data/dog"), "data", "DVC cannot watch"),
        ({"data/a.csv": b"file,label\na.png,cat\n"}, "data/a.csv", "DVC cannot watch"),
    ],
)
def test_what_cannot_be_used_changes_nothing(folder, files, source, expected):
    drawn.tree(folder, files)
    before = Path("params.yaml").read_bytes()
    with pytest.raises(UserError, match=expected):
        new.new(source)
    assert Path("params.yaml").read_bytes() == before


def test_a_file_of_arrays_is_watched_alone(folder):
    (folder / "data").mkdir()
    images = np.stack([drawn.pixels(seed) for seed in range(12)])
    np.savez(folder / "data/mine.npz", images=images, labels=np.arange(12) % 2)
    new.new("data/mine.npz")
    assert params.load().data.watch == "data/mine.npz"


def test_arrays_keep_their_size(folder):
    images = np.stack([drawn.pixels(seed, 230, 226) for seed in range(12)])
    np.savez(folder / "mine.npz", images=images, labels=np.arange(12) % 2)
    new.new("mine.npz")
    settings = params.load()
    assert settings.data.image_size is None
    assert settings.variants["cnn"].shrink == 2
    assert data.load(settings.data).train.images.shape[1:3] == (230, 226)


def test_images_of_several_sizes_in_parquet_files_are_resized(folder):
    images = [drawn.encoded(drawn.pixels(seed, 90 + seed, 80)) for seed in range(12)]
    pq.write_table(pa.table({"image": images, "label": [0, 1] * 6}), "mine.parquet")
    new.new("mine.parquet")
    assert params.load().data.image_size == (64, 64)


def test_a_home_folder_and_a_path_outside(folder, monkeypatch, tmp_path_factory):
    home = drawn.tree(
        tmp_path_factory.mktemp("home"), drawn.classes("pets/cat", "pets/dog", each=9)
    )
    monkeypatch.setenv("HOME", str(home))
    new.new("~/pets")
    assert params.load().data.source == str(home / "pets")
