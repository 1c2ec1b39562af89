"""The sources `mnist` and `fashion-mnist`: four IDX files each, read from a folder or downloaded.

Each file's decompressed content is checked by SHA-256, wherever it came from, because mirrors
compress differently and DVC does not watch the folder. MNIST's digests are those of the official
files. Fashion-MNIST's publisher states only MD5 digests of the compressed files; the SHA-256
digests here are those that several independent public loaders state.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages import files
from stages.data import download, idx
from stages.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

VARIABLE = "FOLDLAB_DATA"


@dataclass(frozen=True)
class Published:
    """A data set that is published as four IDX files.

    Attributes:
        name: the source's name.
        licence: the licence of the images, in words.
        classes: the class names, in the order of the labels.
        mirrors: addresses of folders that hold the compressed files, the first choice first.
        digests: file name -> SHA-256 of its decompressed content.
    """

    name: str
    licence: str
    classes: tuple[str, ...]
    mirrors: tuple[str, ...]
    digests: dict[str, str]


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
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
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
)


def load_mnist(data: Data) -> Source:
    """Read MNIST: 60,000 training and 10,000 test images of digits, 28 x 28; see `load`."""
    return load(MNIST, data)


def load_fashion_mnist(data: Data) -> Source:
    """Read Fashion-MNIST: 60,000 training and 10,000 test images of clothes; see `load`."""
    return load(FASHION_MNIST, data)


def load(published: Published, data: Data) -> Source:
    """Read the four files of a published data set.

    They are read from `data.folder`, else from the folder that the environment variable
    FOLDLAB_DATA names (or a subfolder named after the source), with or without .gz; else they are
    downloaded once to data/downloads/<source>/ of the repository. Only the published content is
    accepted, so the place and the compression do not matter.

    Raises:
        UserError: when a file is missing, truncated or altered, or no mirror has it.
        OSError: when a file cannot be read or written.
    """
    setting, given = "data.folder", data.folder
    if not given:
        setting, given = VARIABLE, os.environ.get(VARIABLE)
    arrays = {}
    for file, digest in published.digests.items():
        if given:
            path = find(file, published, given, setting)
        else:
            path = download.fetch(
                [f"{mirror}{file}.gz" for mirror in published.mirrors],
                files.root() / "data" / "downloads" / published.name / file,
                digest,
                f"connect to the internet, or put {', '.join(published.digests)} of "
                f"{published.name} in a folder, with or without .gz, and name the folder in "
                f"data.folder or in the environment variable {VARIABLE}",
            )
        arrays[file] = read(path, file, published)
    return Source(
        name=published.name,
        licence=published.licence,
        classes=published.classes,
        train_images=arrays[TRAIN_IMAGES][..., np.newaxis],
        train_labels=arrays[TRAIN_LABELS].astype(np.int64),
        test_images=arrays[TEST_IMAGES][..., np.newaxis],
        test_labels=arrays[TEST_LABELS].astype(np.int64),
        sha256=hashlib.sha256(json.dumps(published.digests).encode()).hexdigest(),
    )


def find(file: str, published: Published, given: str, setting: str) -> Path:
    """Return the path of one of the four files in the folder that the user gave.

    Args:
        file: the file's official name, without .gz.
        published: the data set.
        given: the folder; one of the data set's name inside it is preferred.
        setting: the setting or variable that names the folder, for the message.

    Raises:
        UserError: when the folder or the file is missing.
    """
    top = files.find(given)
    folder = top / published.name if (top / published.name).is_dir() else top
    if found := idx.find(folder, file):
        return found
    problem = f"has no {file}, with or without .gz" if folder.is_dir() else "is not a folder"
    remedy = f"unset {VARIABLE}" if setting == VARIABLE else f"set {setting} to null"
    raise UserError(
        f"{folder} {problem}; put the four files of {published.name} there, or {remedy} to "
        "download them."
    )


def read(path: Path, file: str, published: Published) -> np.ndarray:
    """Read one of the four files and check its content.

    Returns:
        uint8 (n, 28, 28) or (n,).

    Raises:
        UserError: when it is not a complete IDX file, or not the published one.
        OSError: when it cannot be read.
    """
    raw = idx.content(path)
    array = idx.parse(raw, str(path))
    digest = hashlib.sha256(raw).hexdigest()
    if digest != published.digests[file]:
        for other in (MNIST, FASHION_MNIST):
            if digest in other.digests.values():
                actual = next(name for name, known in other.digests.items() if known == digest)
                raise UserError(
                    f"{path} is {actual} of {other.name}, not {file} of {published.name}; "
                    "put the right file there."
                )
        raise UserError(
            f"{path} is not the published {file} of {published.name}: the SHA-256 of its content "
            f"begins with {digest[:12]} instead of {published.digests[file][:12]}; "
            "copy or download it again."
        )
    return array
