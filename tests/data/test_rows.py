"""Rows of an array that are copied when they are read."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data import rows


@given(st.lists(st.integers(0, 9)), st.data())
def test_rows_of_rows_are_what_indexing_twice_gives(first, data):
    array = np.arange(40).reshape(10, 2, 2)
    second = data.draw(st.lists(st.integers(0, len(first) - 1))) if first else []
    first, second = np.array(first, int), np.array(second, int)
    once, twice = rows.take(array, first), rows.take(rows.take(array, first), second)
    for taken, wanted in ((once, array[first]), (twice, array[first][second])):
        assert (taken.shape, taken.dtype, len(taken)) == (wanted.shape, wanted.dtype, len(wanted))
        assert (np.asarray(taken) == wanted).all()
        assert [row.tolist() for row in taken[:]] == wanted.tolist()


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (7, 3), (7,), (7, 0)])
@pytest.mark.parametrize("size", [1, 25, 10**6])
def test_blocks_are_all_rows_in_order(monkeypatch, shape, size):
    monkeypatch.setattr(rows, "BLOCK", size)
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)[::-1]
    for given_as in (array, rows.take(array, np.arange(len(array)))):
        blocks = list(rows.blocks(given_as))
        assert b"".join(block.tobytes() for block in blocks) == array.tobytes()
        assert all(block.flags.c_contiguous for block in blocks)
        assert all(block.nbytes <= max(size, block[:1].nbytes) for block in blocks)


def test_reading_blocks_holds_one_of_them():
    array = np.zeros((100, 1 << 20), np.uint8)
    taken = rows.take(array, np.arange(99))
    tracemalloc.start()
    assert sum(len(block) for block in rows.blocks(taken)) == 99
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * rows.BLOCK
