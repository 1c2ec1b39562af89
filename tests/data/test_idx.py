"""IDX files: what is read, and what is refused."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from stages import data
from stages.data import idx
from stages.errors import UserError
from stages.settings.sections import Data
from tests import drawn

GOOD = bytes.fromhex("00000803 00000002 00000001 00000003 000102 fdfeff")  # 2 images of 1 x 3
IMAGES = np.stack([drawn.pixels(seed)[..., 0] for seed in range(6)])
FILES = {
    idx.TRAIN_IMAGES: drawn.idx(IMAGES[:4]),
    idx.TRAIN_LABELS: drawn.idx(np.array([3, 1, 3, 1])),
    idx.TEST_IMAGES: drawn.idx(IMAGES[4:]),
    idx.TEST_LABELS: drawn.idx(np.array([1, 1])),
}


@given(npst.arrays(np.uint8, npst.array_shapes(max_dims=4, max_side=5)))
def test_any_array_is_read_again(array):
    np.testing.assert_array_equal(idx.parse(drawn.idx(array), "x"), array)
    assert idx.parse(GOOD, "x").tolist() == [[[0, 1, 2]], [[253, 254, 255]]]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "is empty"),
        (b"\x89PNG" + GOOD, "begins with 89 50 4e 47"),
        (GOOD[:3] + b"\0" + GOOD[4:], "header"),
        (GOOD[:2] + b"\x0d" + GOOD[3:], "begins with 00 00 0d"),
        (GOOD + b"\0", "23 bytes, but its header requires 22"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 0), r"\[0\]"),
        (struct.pack(">BBBBIII", 0, 0, 8, 3, *[2**32 - 1] * 3), str(16 + (2**32 - 1) ** 3)),
    ],
)
def test_other_content_is_refused_by_name(raw, expected):
    with pytest.raises(UserError, match=f"train-images.*{expected}"):
        idx.parse(raw, "train-images")


@given(st.integers(0, 200), st.booleans())
def test_a_truncated_or_damaged_gzip_file_is_refused(tmp_path_factory, at, cut):
    raw = gzip.compress(drawn.idx(np.arange(200)), mtime=0)
    path = tmp_path_factory.mktemp("gzip") / "damaged"
    # the last bytes are checksum and length; the first ten are the header, not all of which matters
    at = 2 + at % (len(raw) - 2) if cut else 10 + at % (len(raw) - 10)
    path.write_bytes(raw[:at] if cut else raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
    with pytest.raises(UserError, match="damaged"):
        idx.content(path)


def load(top, files):
    drawn.tree(top / "mine", files)
    return data.load(Data(source="mine"))


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("infix", ["-idx", ".idx"])
def test_a_folder_with_the_usual_names_is_read(tmp_path, ending, infix):
    pack = gzip.compress if ending else bytes
    files = {f"{name.replace('-idx', infix)}{ending}": pack(raw) for name, raw in FILES.items()}
    source = load(tmp_path, files)
    assert (source.train.images == IMAGES[:4, ..., np.newaxis]).all()
    assert (source.test.images == IMAGES[4:, ..., np.newaxis]).all()
    assert source.classes == ("1", "3")
    assert source.train.labels.tolist() == [1, 0, 1, 0]
    assert source.test.labels.tolist() == [0, 0]


def test_the_test_files_may_be_missing(tmp_path):
    assert load(tmp_path, dict(list(FILES.items())[:2])).test is None


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        *((name, None, name) for name in FILES),
        (idx.TRAIN_LABELS, drawn.idx(np.arange(5)), "4 images"),
        (idx.TRAIN_LABELS, drawn.idx(IMAGES[0]), "one-hot"),
        (idx.TRAIN_IMAGES, drawn.idx(np.arange(4)), r"\(4,\)"),
        (idx.TEST_LABELS, drawn.idx(np.array([1, 2])), "'2'"),
    ],
)
def test_a_missing_or_wrong_file_is_refused(tmp_path, name, content, expected):
    files = {**FILES, name: content}
    with pytest.raises(UserError, match=f"mine.*{expected}"):
        load(tmp_path, {name: raw for name, raw in files.items() if raw is not None})
