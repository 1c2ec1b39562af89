"""IDX files: what is read, and what is refused with which words."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from stages.data import idx

# two images of 1 x 3 pixels, written by hand
GOOD = bytes.fromhex("00000803 00000002 00000001 00000003 000102 fdfeff")


def encoded(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_read_gives_the_array_compressed_or_not(tmp_path, compress):
    path = tmp_path / "images"
    path.write_bytes(compress(GOOD))
    array = idx.read(path)
    assert array.dtype == np.uint8
    assert array.tolist() == [[[0, 1, 2]], [[253, 254, 255]]]


@given(
    npst.arrays(np.uint8, npst.array_shapes(max_dims=4, max_side=5)), st.sampled_from([0, 1, None])
)
def test_what_is_written_is_read_again(array, level):
    raw = encoded(array)
    read = idx.parse(raw if level is None else gzip.decompress(gzip.compress(raw, level)), "x")
    assert read.shape == array.shape
    assert (read == array).all()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "is empty"),
        (b"\0", "begins with 00"),
        (b"\x89PNG" + GOOD, "begins with 89 50 4e 47"),
        (GOOD[:3] + b"\0" + GOOD[4:], "begins with 00 00 08 00"),
        (GOOD[:2] + b"\x0d" + GOOD[3:], "IDX type 0d"),
        (GOOD[:7], "7 bytes, but its header requires 16"),
        (GOOD[:-1], "21 bytes, but its header requires 22"),
        (GOOD + b"\0", "23 bytes, but its header requires 22"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 0), "is empty"),
        (
            struct.pack(">BBBBIII", 0, 0, 8, 3, *[2**32 - 1] * 3),
            f"requires {16 + (2**32 - 1) ** 3}",
        ),
    ],
)
def test_refused_by_name(tmp_path, raw, expected):
    path = tmp_path / "train-images"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="train-images") as refusal:
        idx.read(path)
    assert expected in str(refusal.value)


@given(st.integers(0, len(gzip.compress(GOOD, mtime=0)) - 1))
def test_a_gzip_file_cut_anywhere_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "cut.gz"
    path.write_bytes(gzip.compress(GOOD, mtime=0)[:length])
    with pytest.raises(ValueError, match=r"cut\.gz"):
        idx.read(path)


def test_a_damaged_gzip_file_is_refused(tmp_path):
    raw = bytearray(gzip.compress(encoded(np.arange(200, dtype=np.uint8)), mtime=0))
    raw[len(raw) // 2] ^= 0xFF
    path = tmp_path / "damaged"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="truncated or damaged"):
        idx.read(path)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        idx.read(tmp_path / "absent")
