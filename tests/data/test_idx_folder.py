"""A folder of IDX files of one's own."""

import gzip

import numpy as np
import pytest

from stages.data import idx, paths
from stages.settings.sections import Data
from tests import drawn

IMAGES = np.stack([drawn.pixels(seed)[..., 0] for seed in range(6)])
FILES = {
    idx.TRAIN_IMAGES: drawn.idx(IMAGES[:4]),
    idx.TRAIN_LABELS: drawn.idx(np.array([3, 1, 3, 1])),
    idx.TEST_IMAGES: drawn.idx(IMAGES[4:]),
    idx.TEST_LABELS: drawn.idx(np.array([1, 1])),
}


def load(top, files):
    drawn.tree(top / "mine", files)
    return paths.load(top / "mine", Data(source="some/mine"))


@pytest.mark.parametrize(("compress", "ending"), [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize("dotted", [False, True])
def test_the_usual_names_are_read(tmp_path, compress, ending, dotted):
    named = {name.replace("-idx", ".idx") if dotted else name: raw for name, raw in FILES.items()}
    source = load(tmp_path, {f"{name}{ending}": compress(raw) for name, raw in named.items()})
    assert (source.train_images == IMAGES[:4, ..., np.newaxis]).all()
    assert (source.test_images == IMAGES[4:, ..., np.newaxis]).all()
    assert (source.name, source.classes) == ("mine", ("1", "3"))
    assert source.train_labels.tolist() == [1, 0, 1, 0]
    assert source.test_labels.tolist() == [0, 0]


def test_the_test_files_may_be_missing(tmp_path):
    names = (idx.TRAIN_IMAGES, idx.TRAIN_LABELS)
    assert load(tmp_path, {name: FILES[name] for name in names}).test_images is None


@pytest.mark.parametrize("missing", [*FILES])
def test_any_one_missing_file_is_named(tmp_path, missing):
    with pytest.raises(ValueError, match=f"mine has no {missing}"):
        load(tmp_path, {name: raw for name, raw in FILES.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (idx.TRAIN_IMAGES, b"\x89PNG", f"{idx.TRAIN_IMAGES} is not an IDX file"),
        (idx.TRAIN_IMAGES, FILES[idx.TRAIN_IMAGES][:-1], "its header requires"),
        (idx.TRAIN_LABELS, drawn.idx(np.arange(5)), "5 labels for 4 images"),
        (idx.TRAIN_LABELS, drawn.idx(IMAGES[0]), "one class per image"),
        (idx.TRAIN_IMAGES, drawn.idx(np.arange(4)), r"have the shape \(4,\)"),
        (idx.TEST_IMAGES, drawn.idx(IMAGES[4:, :, :8]), "give both the same shape"),
        (idx.TEST_LABELS, drawn.idx(np.array([1, 2])), "class '2' has no training image"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, name, content, expected):
    with pytest.raises(ValueError, match=expected):
        load(tmp_path, {**FILES, name: content})
