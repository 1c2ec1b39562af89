"""The stage `prepare`, in a folder of its own."""

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
from stages.data import rows
from stages.data.card import card
from stages.data.checks import check
from stages.data.source import Source
from stages.data.splits import make_splits
from stages.errors import UserError
from stages.prepare import content_hash, prepare, select, write
from stages.settings import params
from tests import drawn
from tests.prepared import TRAIN

ROOT = Path(__file__).parents[1]
REAL = ROOT / "../shared/data/mnist"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels", "folds")
SETTINGS = {"train": TRAIN, "variants": {"basic": {"architecture": "basic"}}}
SETTINGS["compare"] = {"variants": ["basic"], "baseline": "basic"}


def drawings(settings) -> Source:
    """Return 60 grey images of 4 x 5 pixels in two classes, none alike, in no order of class."""
    images = np.arange(60 * 20, dtype=np.uint16).reshape(60, 4, 5, 1) // 5
    labels = np.tile([0, 1, 1], 20)
    return Source("drawings", "none", ("cat", "dog"), images.astype(np.uint8), labels)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("FOLDLAB_DATA", raising=False)
    monkeypatch.setitem(data.SOURCES, "drawings", drawings)


def write_params(**sections) -> params.Params:
    content = {"data": {"source": "drawings"}, **SETTINGS, **sections}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    return params.load()


def prepared() -> dict[str, np.ndarray]:
    return {name: np.load(f"data/prepared/{name}.npy") for name in ARRAYS}


def digests() -> dict[str, str]:
    files = Path("data/prepared").iterdir()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


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
    source, arrays = drawings(None), prepared()
    assert sorted(digests()) == sorted([*(f"{name}.npy" for name in ARRAYS), "dataset.json"])
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "train_images": ("uint8", (48, 4, 5, 1)),
        "train_labels": ("int64", (48,)),
        "test_images": ("uint8", (12, 4, 5, 1)),
        "test_labels": ("int64", (12,)),
        "folds": ("int16", (2, 48)),
    }
    # each image is in one split, with its own label, and in the source's order
    order = {image.tobytes(): row for row, image in enumerate(source.train_images)}
    rows = {}
    for split in ("train", "test"):
        rows[split] = [order[image.tobytes()] for image in arrays[f"{split}_images"]]
        assert rows[split] == sorted(rows[split])
        assert (source.train_labels[rows[split]] == arrays[f"{split}_labels"]).all()
    assert sorted(rows["train"] + rows["test"]) == list(range(60))
    described = json.loads(Path("data/prepared/dataset.json").read_text())
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
        **card(source, make_splits(source, settings), arrays["train_images"]),
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


def test_a_test_set_that_the_source_brings_is_kept():
    settings, source = write_params(), drawings(None)
    brought = replace(source, test_images=source.train_images[:7], test_labels=np.arange(7) % 2)
    brought = replace(brought, test_images=255 - brought.test_images)
    arrays = select(brought, make_splits(brought, settings))
    assert arrays["train_images"].array is source.train_images
    assert arrays["test_images"].shape[0] == 7


def test_limit_is_per_split_and_stratified():
    settings = write_params(data={"source": "drawings", "limit": 9}, folds={"count": 3})
    arrays = select(drawings(None), make_splits(drawings(None), settings))
    assert np.bincount(arrays["train_labels"]).tolist() == [3, 6]
    assert np.bincount(arrays["test_labels"]).tolist() == [3, 6]
    assert arrays["folds"].shape == (1, 9)


@pytest.mark.parametrize("name", ARRAYS)
def test_the_hash_covers_every_array(name):
    arrays = select(drawings(None), make_splits(drawings(None), write_params()))
    before = content_hash(arrays, ("cat", "dog"))
    one_off, same = np.array(arrays[name]), np.array(arrays[name])
    assert content_hash({**arrays, name: same}, ("cat", "dog")) == before
    one_off.flat[-1] += 1
    for other in (one_off, same.astype(np.uint16), same[np.newaxis]):
        assert content_hash({**arrays, name: other}, ("cat", "dog")) != before
    assert content_hash(arrays, ("cat", "owl")) != before


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"source": "drawing"}}, "Did you mean 'drawings'"),
        ({"folds": {"count": 17}}, "folds.count is 17, but class 'cat' has only 16 different"),
        ({"data": {"source": "drawings", "limit": 1}}, "data.limit is 1"),
        ({"data": {"source": "mnist", "folder": "absent"}}, "absent is not a folder"),
        ({"variants": {"basic": {"architecture": "basick"}}}, "variants.basic.architecture"),
    ],
)
def test_a_refusal_leaves_nothing_behind(sections, message):
    write_params(**sections)
    with pytest.raises(ValueError, match=message):
        prepare()
    assert not Path("data").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence():
    write_params()
    Path("data").write_text("a file where the folder belongs")
    with pytest.raises(UserError, match=r"^data/prepared/train_images.npy cannot be written"):
        prepare()


def test_the_default_source_through_the_command():
    write_params(data={"source": "mnist-5k"})
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mnist-5k: 4000 training and 1000 test images of 28x28x1")
    arrays = prepared()
    assert np.bincount(arrays["test_labels"]).tolist() == [100] * 10
    assert (np.diff(arrays["train_labels"]) >= 0).all()  # class order, as in the source


def test_a_refusal_through_the_command_is_one_line_and_status_1():
    write_params(data={"source": "mnist"})
    done = run(FOLDLAB_DATA=str(Path.cwd()))
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: ")
    assert done.stderr.count("\n") == 1
    assert "has no train-images-idx3-ubyte" in done.stderr


def test_a_folder_of_images_through_the_command(tmp_path):
    """The path is absolute, and no file that DVC knows may hold it."""
    files = drawn.classes("a cat", "Ωmega", each=10)
    tree = drawn.tree(tmp_path / "my pets", files | {"a cat/x.png": b"", "Ωmega/y.jpg": b"text"})
    write_params(data={"source": str(tree), "image_size": 16})
    done = run()
    assert done.returncode == 0
    assert done.stderr == (
        "foldlab: 2 files of my pets are left out: a cat/x.png is empty, Ωmega/y.jpg is not an "
        "image of the formats BMP, GIF, JPEG, PNG, TIFF, WEBP\n"
        "foldlab: my pets: 20 of 20 images were resized to 16 x 16 pixels (pad).\n"
    )
    assert done.stdout == (
        "my pets: 16 training and 4 test images of 16x16x1 in 2 classes, 5 folds, 1 repeat\n"
    )
    described = json.loads(Path("data/prepared/dataset.json").read_text())
    assert (described["source"], described["licence"]) == ("my pets", "not stated")
    assert described["classes"] == ["a cat", "Ωmega"]
    for path in Path("data/prepared").iterdir():
        assert os.fsencode(tmp_path) not in path.read_bytes()


def test_images_of_0_to_16_are_prepared_with_a_note(tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 17, (40, 8, 8), np.uint8)
    np.savez("digits.npz", images=images, labels=np.arange(40) % 2)
    write_params(data={"source": "digits.npz"})
    prepare()
    assert "foldlab: digits.npz: The greatest pixel of all images is 16" in capsys.readouterr().err
    (note,) = json.loads(Path("data/prepared/dataset.json").read_text())["notes"]
    assert "bring them to 0 to 255" in note


def test_the_prepared_data_name_the_digest_of_what_was_read(tmp_path):
    top, mark = drawn.tree(tmp_path / "pets", drawn.classes("cat", "dog", each=10)), set()
    write_params(data={"source": "pets"})
    for seed in (1, 1, 2):
        (top / "cat/0.png").write_bytes(drawn.encoded(drawn.pixels(99 + seed)))
        prepare()
        mark.add(json.loads(Path("data/prepared/dataset.json").read_text())["source_sha256"])
    assert len(mark) == 2
    assert {len(digest) for digest in mark} == {64}


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
    assert not Path("data/prepared/dataset.json").exists()


def test_the_files_are_those_that_numpy_writes():
    settings, source = write_params(), drawings(None)
    splits = make_splits(source, settings)
    arrays = select(source, splits)
    write(source, splits, arrays, Path("data/prepared"))
    for name in ARRAYS:
        np.save("expected.npy", np.array(arrays[name]))
        assert Path(f"data/prepared/{name}.npy").read_bytes() == Path("expected.npy").read_bytes()


@pytest.mark.parametrize("limit", [None, 500])
def test_no_second_copy_of_the_images_is_made(monkeypatch, limit):
    monkeypatch.setattr(rows, "BLOCK", 1 << 20)
    images = np.zeros((1000, 128, 128, 1), np.uint8)
    images[:, 0, :2, 0] = np.array(np.divmod(np.arange(1000), 256)).T  # no two are equal
    source = Source("drawings", "none", ("cat", "dog"), images, np.arange(1000) % 2)
    settings = write_params(data={"source": "drawings", "limit": limit})
    tracemalloc.start()
    splits = make_splits(check(source), settings)
    write(source, splits, select(source, splits), Path("data/prepared"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 3


def test_a_full_disk_is_one_sentence_and_leaves_no_part(monkeypatch):
    def full(*ignored):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_params()
    monkeypatch.setattr(rows, "blocks", full)
    message = r"^data/prepared/train_images.npy cannot be written \(No space left on device\)"
    with pytest.raises(UserError, match=message):
        prepare()
    assert list(Path("data/prepared").iterdir()) == []


@pytest.mark.skipif(not REAL.is_dir(), reason="the MNIST files are not here")
def test_the_real_mnist_is_prepared_whole():
    write_params(data={"source": "mnist", "folder": str(REAL)})
    prepare()
    arrays = prepared()
    assert arrays["train_images"].shape == (60000, 28, 28, 1)
    assert arrays["test_images"].shape == (10000, 28, 28, 1)
    assert np.bincount(arrays["folds"][0]).tolist() == [12000] * 5
