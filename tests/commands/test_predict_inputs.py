"""What `predict` reads, without a model."""

import os

import numpy as np
import pytest
from PIL import Image

from stages.commands import predict_inputs
from stages.commands.predict_inputs import blocks
from stages.files import write_table
from tests import prepared

DATASET = {"image_shape": [4, 4, 1], "classes": ["cat", "dog"]}
RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _inside(folder):
    prepared.write(folder)


def table(path, images, **labels):
    header = [*labels, *(f"pixel{number}" for number in range(images[0].size))]
    rows = images.reshape(len(images), -1).tolist()
    write_table(path, header, [[*labels.values(), *row] for row in rows])


@pytest.mark.parametrize("labels", [{}, {"id": 7}, {"label": "cat"}, {"label": ""}, {"Target": 1}])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_each_row_of_a_table_is_an_image(tmp_path, monkeypatch, labels, size):
    images = RANDOM.integers(2, 256, (5, 4, 4, 1), np.uint8)
    table(tmp_path / "new.csv", images, **labels)
    monkeypatch.setattr(predict_inputs, "BYTES", size * 16)
    failed = []
    found = [*blocks(["new.csv"], DATASET, failed)]
    assert {len(block) for block in found} <= {1, size, 5}
    read = {name: pixels for block in found for name, pixels in block.items()}
    assert [*read] == [f"new.csv row {row}" for row in range(1, 6)]
    np.testing.assert_array_equal(np.stack([*read.values()]), images)
    assert failed == []


def test_files_and_folders_come_before_tables_and_faults_are_named(tmp_path, capsys):
    pixels = RANDOM.integers(0, 256, (1, 4, 4, 1), np.uint8)
    (tmp_path / "below").mkdir()
    for name in ("below/b.png", "a.png"):
        Image.fromarray(pixels[0, ..., 0]).save(tmp_path / name)
    (tmp_path / "bad.png").write_bytes(b"no image")
    table(tmp_path / "rows.csv", pixels)
    write_table(tmp_path / "short.csv", ["a", "b"], [[1, 2]])
    failed = []
    given = ["rows.csv", "short.csv", "below", "a.png", "bad.png"]
    found = [name for block in blocks(given, DATASET, failed) for name in block]
    assert found == ["below/b.png", "a.png", "rows.csv row 1"]
    assert failed == ["bad.png", "short.csv"]
    err = capsys.readouterr().err
    assert all(name in err for name in failed)


def test_images_are_resized_as_those_of_training_were(tmp_path):
    Image.new("L", (8, 4), 100).save(tmp_path / "wide.png")
    prepared.edit(tmp_path, {"data": {"resize": "stretch", "background": "black"}})
    trained = DATASET | {"resize": "pad", "background": "white"}
    ((pixels,),) = [block.values() for block in blocks(["wide.png"], trained, [])]
    assert pixels[:, 0, 0].tolist() == [255, 100, 100, 255]


def test_only_pictures_for_a_model_of_mnist_take_its_form(tmp_path):
    page = np.full((28, 28), 255, np.uint8)
    page[4:9, 4:9] = 0
    Image.fromarray(page).save(tmp_path / "page.png")
    for source, is_as_drawn in (("my-digits", True), ("fashion", True), ("mnist-5k", False)):
        digits = {"source": source, "image_shape": [28, 28, 1], "classes": [*"0123456789"]}
        ((found,),) = [block.values() for block in blocks(["page.png"], digits, [])]
        assert (found[..., 0] == page).all() == is_as_drawn


def test_a_name_that_is_not_utf8_fails_at_the_start(tmp_path, capsys):
    (tmp_path / "below").mkdir()
    odd = os.fsdecode(b"below/caf\xe9.png")
    for name in (odd, "below/good.png"):
        Image.new("L", (4, 4), 100).save(name)
    failed = []
    (found,) = blocks(["below"], DATASET, failed)
    assert [*found] == ["below/good.png"]
    assert failed == ["below/caf\\xe9.png"]
    assert "not UTF-8" in capsys.readouterr().err


def test_the_model_and_not_the_settings_decides_the_shape(tmp_path):
    images = RANDOM.integers(2, 256, (3, 2, 5, 3), np.uint8)
    table(tmp_path / "new.csv", images)
    (block,) = blocks(["new.csv"], DATASET | {"image_shape": [2, 5, 3]}, [])
    np.testing.assert_array_equal(np.stack([*block.values()]), images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"a,b\n", "16"),
        ("caf\xe9,b\n1,2\n".encode("latin-1"), "UTF-8"),
        (",".join(map(str, range(16))).encode(), "no row"),
    ],
)
def test_a_table_without_images_is_refused_in_a_sentence(tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "new.csv").write_bytes(content)
    failed = []
    assert not any(blocks(["new.csv"], DATASET, failed))
    assert failed == ["new.csv"]
    assert message in capsys.readouterr().err


def test_pixels_from_0_to_1_are_scaled_with_a_note(tmp_path, capsys):
    images = RANDOM.integers(0, 256, (3, 4, 4, 1), np.uint8)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    table(tmp_path / "new.csv", images / 255)
    (block,) = blocks(["new.csv"], DATASET, [])
    np.testing.assert_array_equal(np.stack([*block.values()]), images)
    assert "new.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("known", "brightest", "factor"),
    [((0, 255), 1, 1), ((0, 16), 12, 255 / 16), ((-1, 1), 1, 127.5), ((0, 1), 1, 255)],
)
@pytest.mark.parametrize("kind", [int, float])
def test_a_dark_table_is_scaled_like_the_training_data(
    tmp_path, capsys, known, brightest, factor, kind
):
    """None of its pixels is as bright as the range allows, so the file alone misleads."""
    images = RANDOM.integers(0, brightest + 1, (3, 4, 4, 1)).astype(kind)
    table(tmp_path / "new.csv", images)
    (block,) = blocks(["new.csv"], DATASET | {"pixel_range": known}, [])
    expected = np.rint((images - known[0]) * factor)
    np.testing.assert_array_equal(np.stack([*block.values()]), expected)
    assert ("nearly black" in capsys.readouterr().err) == (expected.max() < 64)


@pytest.mark.parametrize("wrong", ["256", "-1", "nan"])
def test_other_pixels_are_refused(tmp_path, wrong):
    images = RANDOM.integers(2, 256, (3, 4, 4, 1)).astype(object)
    images[1, 2, 3, 0] = wrong
    table(tmp_path / "new.csv", images)
    failed = []
    assert not any(blocks(["new.csv"], DATASET | {"pixel_range": (0, 255)}, failed))
    assert failed == ["new.csv"]
