"""The stage `prepare`."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import data
from stages.data.card import card
from stages.data.source import Source, check
from stages.data.splits import make_splits
from stages.errors import UserError
from stages.prepare import PREPARED, content_hash, prepare, write
from stages.settings import params
from tests import drawn
from tests.prepared import TRAIN

ROOT = Path(__file__).parents[1]
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "folds")
SETTINGS = {"train": TRAIN, "variants": {"basic": {"architecture": "basic"}}}
SETTINGS["compare"] = {"variants": ["basic"], "baseline": "basic"}


def drawings(settings=None) -> Source:
    """Return 60 grey images of 4 x 5 pixels in two classes, all different, classes mixed."""
    images = np.arange(60 * 20, dtype=np.uint16).reshape(60, 4, 5, 1) // 5
    labels = np.tile([0, 1, 1], 20)
    return Source("drawings", "none", ("cat", "dog"), images.astype(np.uint8), labels)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("DVC_ROOT", "FOLDLAB_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setitem(data.SOURCES, "drawings", drawings)


def write_params(**sections) -> params.Params:
    content = {"data": {"source": "drawings"}, **SETTINGS, **sections}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    return params.load()


def prepared() -> dict[str, np.ndarray]:
    return {name: np.load(PREPARED / f"{name}.npy") for name in ARRAYS}


def dataset() -> dict:
    return json.loads((PREPARED / "dataset.json").read_text())


def digests() -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in PREPARED.iterdir()}


def run(**environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "stages", "prepare"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


def test_the_files_hold_what_the_contract_says(capsys):
    settings = write_params(folds={"count": 4, "repeats": 2})
    prepare()
    source, arrays = drawings(), prepared()
    assert sorted(digests()) == sorted([*(f"{name}.npy" for name in ARRAYS), "dataset.json"])
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "train_images": ("uint8", (48, 4, 5, 1)),
        "train_labels": ("int64", (48,)),
        "test_images": ("uint8", (12, 4, 5, 1)),
        "test_labels": ("int64", (12,)),
        "folds": ("int16", (2, 48)),
    }
    # each image is in one split, with its own label, and in the source's order
    splits = make_splits(source, settings)
    assert sorted([*splits.train, *splits.test]) == list(range(60))
    for split, rows in (("train", splits.train), ("test", splits.test)):
        assert rows.tolist() == sorted(rows)
        assert (arrays[f"{split}_images"] == source.train_images[rows]).all()
        assert (arrays[f"{split}_labels"] == source.train_labels[rows]).all()
    for name, array in arrays.items():
        np.save("expected.npy", array)
        assert (PREPARED / f"{name}.npy").read_bytes() == Path("expected.npy").read_bytes()
    described = dataset()
    assert described == {
        "source": "drawings",
        "licence": "none",
        "classes": ["cat", "dog"],
        "image_shape": [4, 5, 1],
        "train": {"images": 48, "per_class": [16, 32]},
        "test": {"images": 12, "per_class": [4, 8]},
        "folds": {"count": 4, "repeats": 2},
        "sha256": content_hash(arrays, ("cat", "dog")),
        "source_sha256": "",
        **card(source, splits, arrays["train_images"]),
    }
    assert described["imbalance"] == {"largest": "dog", "smallest": "cat", "ratio": 2.0}
    assert described["pixels"]["mean"] == [pytest.approx(arrays["train_images"].mean())]
    assert capsys.readouterr().out == (
        "drawings: 48 training and 12 test images of 4x5x1 in 2 classes, 4 folds, 2 repeats\n"
    )


def test_twice_gives_the_same_bytes_and_another_seed_others():
    write_params()
    prepare()
    first = digests()
    prepare()
    assert digests() == first
    write_params(folds={"seed": 2})
    prepare()
    changed = {name for name, digest in digests().items() if first[name] != digest}
    assert changed == {"folds.npy", "dataset.json"}
    write_params(data={"source": "drawings", "seed": 2})
    prepare()
    assert digests()["test_images.npy"] != first["test_images.npy"]


def test_a_test_set_of_the_source_is_kept_and_a_limit_is_per_split(monkeypatch):
    source = drawings()
    tests = {"test_images": 255 - source.train_images[:12], "test_labels": source.train_labels[:12]}
    monkeypatch.setitem(data.SOURCES, "drawings", lambda _: replace(source, **tests))
    write_params(data={"source": "drawings", "limit": 30})
    prepare()
    arrays = prepared()
    assert (arrays["test_images"] == tests["test_images"]).all()
    assert np.bincount(arrays["train_labels"]).tolist() == [10, 20]
    assert arrays["folds"].shape == (1, 30)


@pytest.mark.parametrize("name", ARRAYS)
def test_the_hash_covers_every_array(name):
    write_params()
    prepare()
    arrays = prepared()
    before = content_hash(arrays, ("cat", "dog"))
    one_off = arrays[name].copy()
    one_off.flat[-1] += 1
    for other in (one_off, arrays[name].astype(np.uint16), arrays[name][np.newaxis]):
        assert content_hash({**arrays, name: other}, ("cat", "dog")) != before
    assert content_hash(arrays, ("cat", "owl")) != before


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"data": {"source": "drawing"}}, "Did you mean 'drawings'"),
        ({"folds": {"count": 17}}, r"folds\.count is 17.*'cat'"),
        ({"data": {"source": "drawings", "limit": 1}}, r"data\.limit 1"),
        ({"data": {"source": "mnist", "folder": "absent"}}, "absent is not a folder"),
        ({"variants": {"basic": {"architecture": "basick"}}}, r"variants\.basic\.architecture"),
    ],
)
def test_a_refusal_leaves_nothing_behind(sections, expected):
    write_params(**sections)
    with pytest.raises(UserError, match=expected):
        prepare()
    assert not Path("data").exists()


@pytest.mark.slow
def test_the_default_source_and_a_refusal_through_the_command():
    write_params(data={"source": "mnist-5k"})
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mnist-5k: 4000 training and 1000 test images of 28x28x1")
    arrays = prepared()
    assert np.bincount(arrays["test_labels"]).tolist() == [100] * 10
    assert (np.diff(arrays["train_labels"]) >= 0).all()  # class order, as in the source
    write_params(data={"source": "mnist"})
    done = run(FOLDLAB_DATA=str(Path.cwd()))
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: ")
    assert done.stderr.count("\n") == 1
    assert "train-images-idx3-ubyte" in done.stderr


def test_a_folder_of_images_with_an_absolute_path(tmp_path, capsys):
    """No file that DVC tracks may contain the path."""
    files = drawn.classes("a cat", "Ωmega", each=10)
    tree = drawn.tree(tmp_path / "my pets", files | {"a cat/x.png": b"", "Ωmega/y.jpg": b"text"})
    write_params(data={"source": str(tree), "image_size": 16})
    prepare()
    out, err = capsys.readouterr()
    assert "2 files of my pets are left out: a cat/x.png" in err
    assert "20 of 20 images were resized" in err
    assert out.startswith("my pets: 16 training and 4 test images of 16x16x1 in 2 classes")
    described = dataset()
    assert (described["source"], described["licence"]) == ("my pets", "not stated")
    assert described["classes"] == ["a cat", "Ωmega"]
    for path in PREPARED.iterdir():
        assert os.fsencode(tmp_path) not in path.read_bytes()


def test_notes_about_the_images_are_printed_and_kept(capsys):
    images = np.random.default_rng(0).integers(0, 17, (40, 8, 8), np.uint8)
    np.savez("digits.npz", images=images, labels=np.arange(40) % 2)
    write_params(data={"source": "digits.npz"})
    prepare()
    (note,) = dataset()["notes"]
    assert f"foldlab: digits.npz: {note}" in capsys.readouterr().err


def test_the_prepared_data_name_the_digest_of_the_files_read(tmp_path):
    top, read = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog", each=10)), []
    write_params(data={"source": "pets"})
    for seed in (1, 1, 2):
        (top / "cat/0.png").write_bytes(drawn.encoded(drawn.pixels(99 + seed)))
        prepare()
        read.append(dataset()["source_sha256"])
    assert len(read[0]) == 64
    assert read[0] == read[1] != read[2]


@pytest.mark.parametrize("emptied", [False, True])
def test_a_folder_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, emptied):
    top = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog", each=10))
    write_params(data={"source": "pets"})

    def meanwhile(*given):
        for file in (top / "cat").iterdir():
            file.unlink() if emptied else file.write_bytes(drawn.encoded(drawn.pixels(99)))
        return make_splits(*given)

    monkeypatch.setattr("stages.prepare.make_splits", meanwhile)
    with pytest.raises(UserError, match=r"data\.source changed while"):
        prepare()
    assert not (PREPARED / "dataset.json").exists()


@pytest.mark.parametrize("limit", [None, 500])
def test_no_second_copy_of_the_images_is_made(limit):
    images = np.zeros((1000, 128, 128, 1), np.uint8)
    images[:, 0, :2, 0] = np.array(np.divmod(np.arange(1000), 256)).T  # no two are equal
    source = Source("drawings", "none", ("cat", "dog"), images, np.arange(1000) % 2)
    settings = write_params(data={"source": "drawings", "limit": limit})
    tracemalloc.start()
    write(source, make_splits(check(source), settings), PREPARED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 3


def test_a_full_disk_and_a_forbidden_folder_are_one_sentence_and_leave_no_part(monkeypatch):
    def full(*ignored):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_params()
    with monkeypatch.context() as patch:
        patch.setattr("stages.prepare._save", full)
        with pytest.raises(UserError, match=r"^data/prepared/train_images\.npy.*No space left"):
            prepare()
    assert list(PREPARED.iterdir()) == []
    PREPARED.rmdir()
    PREPARED.write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"^data/prepared/train_images\.npy"):
        prepare()
