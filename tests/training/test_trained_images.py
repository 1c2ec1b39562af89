import hashlib
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.training.trained_images import NAME, Listed, digests, merged, read, write

IMAGES = arrays("uint8", st.tuples(st.integers(1, 12), st.just(2), st.just(2), st.just(1)))


def archived(listed=None):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", b"{}")
        if listed:
            write(archive, listed)
    return content.getvalue()


@given(IMAGES)
def test_equal_images_and_only_they_have_the_same_digest(images):
    found = digests(images)
    assert (found.dtype, found.shape) == (np.uint64, (len(images),))
    equal = (images[:, None] == images[None]).all(axis=(2, 3, 4))
    assert np.array_equal(found[:, None] == found[None], equal)


def test_a_digest_is_that_of_the_pixels_wherever_they_lie():
    images = np.arange(48, dtype="uint8").reshape(3, 4, 4, 1)
    wide = np.repeat(images, 2, axis=2)[:, :, ::2]  # not contiguous
    assert np.array_equal(digests(wide), digests(images))
    assert digests(images)[0] == 16903989052985087732  # on machines of either byte order


def test_a_list_comes_back_from_the_file_and_is_the_same_bytes_each_time():
    listed = Listed(np.unique(digests(np.arange(64, dtype="uint8").reshape(4, 4, 4, 1))), False)
    content = archived(listed)
    assert content == archived(listed)
    back = read(content)
    assert np.array_equal(back.digests, listed.digests)
    assert back.complete is False
    assert len(content) < 8 * 4 + 1100
    assert read(archived()) is None


@pytest.mark.parametrize("member", [b"", b"some bytes", archived()])
def test_a_member_of_another_program_is_no_list(member):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(NAME, member)
    assert read(content.getvalue()) is None


def test_lists_are_merged_and_complete_when_all_are():
    one, two = Listed(np.array([1, 3], "<u8"), True), Listed(np.array([2, 3], "<u8"), True)
    assert merged([one, two]).digests.tolist() == [1, 2, 3]
    assert merged([one, two]).complete
    assert not merged([one, None]).complete
    assert not merged([one, two._replace(complete=False)]).complete
    assert merged([None]).digests.tolist() == []


def test_a_list_has_the_same_bytes_with_every_release_of_python():
    """The digest was the same with Python 3.11.2 and 3.11.7, whose zipfile modules differ."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        write(archive, Listed(np.arange(5, dtype=np.uint64), True))
    assert hashlib.sha256(content.getvalue()).hexdigest().startswith("6e530a776f2e")
