"""Files changed at random: every reader quickly gives a source or refuses it in one sentence.

The changes are drawn by fixed seeds, so the same files are read in every run.
"""

import io
import random
import time
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from stages import data
from stages.data import decode, idx
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn

TRIES = 100  # of each kind of file
LONGEST = 10  # seconds that one file may take, on a busy machine
IMAGES = np.stack([drawn.pixels(seed, width=8) for seed in range(4)])
LABELS = np.arange(4) % 2


def npz(save):
    file = io.BytesIO()
    save(file, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:1], y_test=np.array([1.0]))
    return file.getvalue()


def parquet():
    images, file = [drawn.encoded(image) for image in IMAGES], io.BytesIO()
    pq.write_table(pa.table({"image": images, "label": LABELS}), file)
    return file.getvalue()


def photo(kind, mode="RGB", **options):
    image = Image.fromarray(drawn.pixels(1, 8, 8, 3)).convert(mode)
    exif = Image.Exif()
    exif[decode.ORIENTATION] = 6
    return drawn.encoded(image, kind, exif=exif, **options)


FOLDER = {f"{name}/{row}.png": IMAGES[row] for row, name in enumerate(("a", "a", "b", "b"))}
IDX = {idx.TRAIN_IMAGES: drawn.idx(IMAGES[..., 0]), idx.TRAIN_LABELS: drawn.idx(LABELS)}
# name -> (data.source, all files, the one that is changed)
CASES = {
    "idx images": (".", IDX, idx.TRAIN_IMAGES),
    "idx labels": (".", IDX, idx.TRAIN_LABELS),
    "npz": ("a.npz", {"a.npz": npz(np.savez)}, "a.npz"),
    "compressed npz": ("a.npz", {"a.npz": npz(np.savez_compressed)}, "a.npz"),
    "parquet": ("a.parquet", {"a.parquet": parquet()}, "a.parquet"),
    "csv": ("a.csv", {"a.csv": drawn.table(IMAGES, LABELS).encode()}, "a.csv"),
} | {
    name: (".", {**FOLDER, "a/x.png": content}, "a/x.png")
    for name, content in {
        "png": photo("PNG"),
        "png with a palette": photo("PNG", "P"),
        "png of 16 bits": drawn.encoded(Image.new("I;16", (8, 8))),
        "jpeg": photo("JPEG"),
        "jpeg in CMYK": photo("JPEG", "CMYK"),
        "bmp": drawn.encoded(IMAGES[0], "BMP"),
        "gif": drawn.encoded(IMAGES[0], "GIF"),
        "tiff": photo("TIFF"),
        "compressed tiff": photo("TIFF", compression="tiff_lzw"),
        "webp": photo("WEBP"),
    }.items()
}


def changed(content, chance):
    """Return bytes with some of them replaced, removed, repeated or cut off."""
    content = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        # sizes are in the headers of files
        at = chance.randrange(max(1, len(content) if chance.random() < 0.5 else 64))
        kind = chance.randrange(5)
        if kind == 0:
            content[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del content[at:]
        elif kind == 2:
            del content[at : at + chance.choice([1, 4, 100])]
        elif kind == 3:
            content[at:at] = content[at : at + chance.choice([1, 4, 100])]
        else:
            content[at : at + 4] = chance.choice([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff"])
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_changed_file_is_read_or_refused_in_one_sentence(tmp_path, case):
    source, files, name = CASES[case]
    drawn.tree(tmp_path, files)
    is_folder = "/" in name
    settings = Data(source=source, image_size=8 if is_folder else None)
    assert data.load(settings).unreadable == {}  # unchanged it is good
    refusals, left_out = [], []
    for seed in range(TRIES):
        chance = random.Random(f"{case} {seed}")
        content = changed(files[name], chance) if seed % 10 else chance.randbytes(99)
        (tmp_path / name).write_bytes(content)
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nobody reads a library's warning
            try:
                found = data.load(settings)
            except UserError as refusal:  # any library's own kind would be a bug
                refusals.append(str(refusal))
            else:
                assert len(found.train.images) == len(found.train.labels)
                left_out += found.unreadable.values()
        assert time.monotonic() - begun < LONGEST
    assert len(left_out if is_folder else refusals) > TRIES // 20
    assert not any("\n" in sentence for sentence in (*refusals, *left_out))
