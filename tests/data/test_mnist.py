"""MNIST and its kin: from a folder, downloaded, and each way in which the files can be wrong."""

import gzip
import hashlib
import json
import struct
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from stages.data import mnist
from stages.errors import UserError
from stages.settings.sections import Data

REAL = Path(__file__).parents[2] / "../shared/data/mnist"
needs_mnist = pytest.mark.skipif(not REAL.is_dir(), reason="the MNIST files are not here")


def encoded(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


FILES = {
    mnist.TRAIN_IMAGES: encoded(np.arange(24, dtype=np.uint8).reshape(4, 2, 3)),
    mnist.TRAIN_LABELS: encoded(np.array([0, 1, 1, 0], np.uint8)),
    mnist.TEST_IMAGES: encoded(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)),
    mnist.TEST_LABELS: encoded(np.array([1, 0], np.uint8)),
}
SMALL = mnist.Published(
    name="small",
    licence="none",
    classes=("no", "yes"),
    mirrors=(),
    digests={name: hashlib.sha256(raw).hexdigest() for name, raw in FILES.items()},
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(mnist.VARIABLE, raising=False)


def put(folder: Path, ending: str = "", dotted: bool = False) -> Path:
    """Write the four small files."""
    folder.mkdir(parents=True)
    for name, raw in FILES.items():
        name = name.replace("-idx", ".idx") if dotted else name
        content = gzip.compress(raw) if ending == ".gz" else raw
        (folder / f"{name}{ending}").write_bytes(content)
    return folder


def is_small(source) -> bool:
    assert source.train_images.shape == (4, 2, 3, 1)
    assert source.train_images[1, 1, :, 0].tolist() == [9, 10, 11]
    assert source.test_images.shape == (2, 2, 3, 1)
    assert source.train_labels.tolist() == [0, 1, 1, 0]
    assert source.test_labels.tolist() == [1, 0]
    assert source.train_labels.dtype == source.test_labels.dtype == np.int64
    return True


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_a_folder_is_read_with_any_of_the_usual_names(ending, dotted):
    put(Path("here"), ending, dotted)
    source = mnist.load(SMALL, Data(folder="here"))
    assert is_small(source)
    known = json.dumps(SMALL.digests).encode()  # of the content, however it is compressed
    assert source.sha256 == hashlib.sha256(known).hexdigest()


def test_the_environment_names_a_folder_and_the_setting_goes_before_it(monkeypatch, tmp_path):
    monkeypatch.setenv(mnist.VARIABLE, str(put(tmp_path / "here")))
    assert is_small(mnist.load(SMALL, Data()))
    with pytest.raises(ValueError, match="absent is not a folder"):
        mnist.load(SMALL, Data(folder="absent"))


def test_a_folder_may_hold_one_folder_for_each_source():
    put(Path("here/small"))
    assert is_small(mnist.load(SMALL, Data(folder="here")))


def test_a_relative_folder_starts_at_the_root_also_in_a_temporary_experiment(tmp_path, monkeypatch):
    put(tmp_path / "here")
    temporary = tmp_path / "experiment"
    temporary.mkdir()
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert is_small(mnist.load(SMALL, Data(folder="here")))


@pytest.mark.parametrize(
    ("from_environment", "expected"),
    [
        (False, f"here has no {mnist.TEST_IMAGES}, with or without .gz; put the four files of "
         "small there, or set data.folder to null"),
        (True, "or unset FOLDLAB_DATA"),
    ],
)  # fmt: skip
def test_a_missing_file_is_named_with_the_next_step(monkeypatch, from_environment, expected):
    (put(Path("here")) / mnist.TEST_IMAGES).unlink()
    if from_environment:
        monkeypatch.setenv(mnist.VARIABLE, "here")
    with pytest.raises(ValueError, match="here") as refusal:
        mnist.load(SMALL, Data(folder=None if from_environment else "here"))
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda raw: raw[:-1], "39 bytes, .* 40"),
        (lambda raw: gzip.compress(raw)[:-9], "truncated or damaged"),
        (lambda raw: raw[:-1] + b"\0", "begins with [0-9a-f]{12} instead of [0-9a-f]{12}; copy"),
        (lambda raw: b"<html>", "begins with 3c 68 74 6d"),
    ],
)
def test_a_file_that_is_truncated_or_altered_is_refused(change, expected):
    path = put(Path("here")) / mnist.TRAIN_IMAGES
    path.write_bytes(change(FILES[mnist.TRAIN_IMAGES]))
    with pytest.raises(ValueError, match=rf"here/{mnist.TRAIN_IMAGES}.*{expected}"):
        mnist.load(SMALL, Data(folder="here"))


def test_without_a_folder_the_files_are_downloaded_once(tmp_path):
    handler = partial(SimpleHTTPRequestHandler, directory=put(tmp_path / "mirror", ".gz"))
    handler.func.log_message = lambda *ignored: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        small = replace(SMALL, mirrors=(f"http://127.0.0.1:{server.server_port}/",))
        assert is_small(mnist.load(small, Data()))
        server.shutdown()
    assert is_small(mnist.load(small, Data()))  # the server is gone
    kept = sorted(path.name for path in Path("data/downloads/small").iterdir())
    assert kept == sorted(FILES)


def test_when_no_mirror_answers_the_folder_is_offered():
    with pytest.raises(UserError, match=r"data\.folder or in the environment .* FOLDLAB_DA"):
        mnist.load(replace(SMALL, mirrors=("http://127.0.0.1:1/",)), Data())


@pytest.mark.parametrize("published", [mnist.MNIST, mnist.FASHION_MNIST])
def test_the_published_sets_are_stated_whole(published):
    assert list(published.digests) == list(FILES)
    assert all(len(bytes.fromhex(digest)) == 32 for digest in published.digests.values())
    assert len(set(published.classes)) == 10
    assert len({mirror.split("/")[2] for mirror in published.mirrors}) >= 2
    assert all(mirror.endswith("/") for mirror in published.mirrors)


@needs_mnist
def test_the_real_mnist():
    source = mnist.load_mnist(Data(source="mnist", folder=str(REAL)))
    assert source.train_images.shape == (60000, 28, 28, 1)
    assert source.test_images.shape == (10000, 28, 28, 1)
    assert source.train_images.dtype == source.test_images.dtype == np.uint8
    assert source.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert source.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(source.test_labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip


@needs_mnist
def test_the_files_of_another_set_are_called_by_their_name():
    with pytest.raises(ValueError, match=f"is {mnist.TRAIN_IMAGES} of mnist, not"):
        mnist.load_fashion_mnist(Data(source="fashion-mnist", folder=str(REAL)))
