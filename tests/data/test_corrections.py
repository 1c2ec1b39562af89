"""Corrections of labels by a user's CSV file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.data import corrections
from stages.data.source import Source, Split
from stages.errors import UserError

NAMES = ("a.png", "b.png", "c.png", "d.png", "t.png")


def source(named=True) -> Source:
    """Return four training images and a test image, whose pixels are their rows."""
    images = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2) + 100
    labels = np.array([0, 0, 1, 1, 0])
    train, test = (
        Split(images[part], labels[part], NAMES[part] if named else None)
        for part in (slice(4), slice(4, 5))
    )
    return Source("photos", "none", ("cat", "dog"), train, test)


def write(*lines) -> str:
    Path("fix.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "fix.csv"


@pytest.mark.parametrize("named", [True, False])
def test_labels_change_and_images_go(named):
    names = NAMES if named else range(5)
    column = "file" if named else "row"
    lines = [f"{names[0]},dog", f"{names[2]},", f"{names[4]},dog"]
    given = source(named)
    given.train.images.flags.writeable = False
    found = corrections.apply(write(f"{column},label", *lines), given)
    assert found.train.labels.tolist() == [1, 0, 1]
    assert found.train.rows.tolist() == [0, 1, 3]
    assert found.train.images[:, 0, 0, 0].tolist() == [100, 101, 103]
    assert found.test.labels.tolist() == [1]
    assert found.test.rows.tolist() == [4]
    assert [*found.unreadable] == [str(names[2])]
    assert "changed: 2, images dropped: 1, test images among them: 1" in found.notes[0]
    assert given.train.labels.tolist() == [0, 0, 1, 1]


def test_no_second_copy_of_images_in_a_file_is_made():
    given = source()
    found = corrections.apply(write("file,label", "a.png,remove"), given)
    assert np.shares_memory(found.train.images, given.train.images)
    assert found.train.images[:, 0, 0, 0].tolist() == [101, 102, 103]


def test_the_word_remove_drops_an_image():
    assert len(corrections.apply(write("file,label", "a.png,remove"), source()).train.labels) == 3


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["file,label", "z.png,dog"], "z.png"),
        (["file,label", "a.png,cow"], "cow"),
        (["file,label", "a.png,dog", "a.png,cat"], "a.png"),
        (["row,label", "0,dog"], "file"),
        (["file,label", "a.png,", "b.png,"], "cat"),
        (["file,label", "t.png,remove"], "split"),
    ],
)
def test_what_does_not_fit_is_refused(lines, named):
    with pytest.raises(UserError, match=named):
        corrections.apply(write(*lines), source())


def test_a_missing_file_is_refused():
    with pytest.raises(UserError, match=r"none\.csv"):
        corrections.apply("none.csv", source())


def test_names_may_have_another_unicode_form():
    given = source()
    given = replace(given, train=given.train._replace(files=("é.png", *NAMES[1:4])))
    found = corrections.apply(write("file,label", "e\N{COMBINING ACUTE ACCENT}.png,dog"), given)
    assert found.train.labels.tolist() == [1, 0, 1, 1]
