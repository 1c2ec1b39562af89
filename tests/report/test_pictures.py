import base64
import io

import numpy as np
import pytest
from PIL import Image

from stages import files
from stages.errors import UserError
from stages.report import pictures
from stages.report.comparison import compared
from stages.report.pictures import SIDE, hardest_images, thumbnail, unique_mistakes
from stages.report.results import read
from stages.settings.sections import Compare
from tests.report import made

NAMES = ("basic", "wide", "deep", "failed")


@pytest.fixture
def found(tmp_path, monkeypatch):
    """A comparison in which one variant diverged and one is an ensemble; draw no pixels."""
    made.make(tmp_path, NAMES, train=60, tests=30)
    results = {name: read(name, tmp_path / "results") for name in NAMES}
    for name, result in results.items():
        chance = 0.1 if name == "failed" else 1
        history = dict(result.history)
        for key in ("accuracy", "val_accuracy"):
            history[key] = chance * np.linspace(0.9, 1, len(history[key]))
        accuracy = chance * np.linspace(0.95, 0.96, 5)
        scores = {"accuracy": accuracy}
        results[name] = result._replace(accuracy=accuracy, scores=scores, history=history)
    empty = {key: column[:0] for key, column in results["deep"].history.items()}
    results["deep"] = results["deep"]._replace(history=empty)
    dataset = files.read_json(tmp_path / "data" / "prepared" / "dataset.json")
    monkeypatch.setattr(pictures, "embedded", lambda content: content)
    monkeypatch.setattr(pictures.style, "png", lambda figure: figure)
    return compared(results, dataset, Compare(variants=[*NAMES], baseline="basic"), 1)


def test_curves_have_one_scale_that_a_diverged_variant_does_not_set(found):
    drawn = pictures.training_curves(found, NAMES)
    assert list(drawn) == ["basic", "wide", "failed"]  # an ensemble has none
    limits = {tuple(axes.get_ylim() for axes in figure.axes) for figure in drawn.values()}
    assert len(limits) == 1
    ((_, (low, _)),) = limits
    assert low > found.results["failed"].history["val_accuracy"].max()
    assert pictures.training_curves(found, ["deep"]) == {}


def test_differences_are_of_all_but_the_baseline_in_the_same_shades(found):
    drawn = pictures.differences(found, NAMES)
    assert list(drawn) == ["wide", "deep", "failed"]
    counts = {name: found.results[name].counts - found.results["basic"].counts for name in drawn}
    shades = {}
    for name, figure in drawn.items():
        colours = figure.axes[0].collections[0].get_array()
        for at in zip(*np.nonzero(counts[name]), strict=True):
            worse = (counts[name][at] > 0) != (at[0] == at[1])
            shades.setdefault((abs(counts[name][at]), worse), set()).add(tuple(colours[at]))
    assert all(len(same) == 1 for same in shades.values())


def test_a_file_is_embedded_as_it_is_and_must_be_a_picture(tmp_path):
    path = tmp_path / "basic" / "plots" / "curves.png"
    with pytest.raises(UserError, match=r"curves\.png .*plot@basic"):
        pictures.of_file(tmp_path, "basic", "curves")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a picture")
    with pytest.raises(UserError, match=r"curves\.png"):
        pictures.of_file(tmp_path, "basic", "curves")
    Image.new("L", (140, 280)).save(path)
    src, *size = pictures.of_file(tmp_path, "basic", "curves")
    assert size == [96, 192]
    content = base64.b64decode(src.removeprefix("data:image/png;base64,"))
    assert content == path.read_bytes()


CLASSES = ["cat", "<dog>", "owl"]
IMAGES = np.arange(6, dtype="uint8")[:, None, None, None] * np.full((6, 4, 4, 1), 40, "uint8")


def result(predicted, confidence):
    """Return a result on 6 test images, two of each class."""
    label, predicted, confidence = np.arange(6) // 2, np.array(predicted), np.array(confidence)
    p_true = np.where(predicted == label, confidence, 1 - confidence)
    known = {"test_label": label, "test_predicted": predicted, "p_true": p_true}
    return made.result(confidence=confidence, **known)


RESULTS = {
    "a": result([1, 0, 0, 0, 2, 1], [0.9, 0.9, 0.6, 0.8, 0.9, 0.99]),
    "b": result([1, 0, 1, 0, 2, 2], [0.8, 0.9, 0.6, 0.7, 0.9, 0.9]),
    "c": result([2, 0, 1, 1, 0, 2], [0.7, 0.9, 0.6, 0.8, 0.7, 0.9]),
}


def decoded(url):
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_the_hardest_come_first_with_their_most_common_prediction():
    found = hardest_images(RESULTS, IMAGES, CLASSES)
    captions = [(one["predicted"], one["actual"], one["note"]) for one in found]
    assert captions == [
        ("<dog>", "cat", "3 of 3"),
        ("cat", "<dog>", "2 of 3"),
        ("cat", "<dog>", "1 of 3"),  # mean probability of the truth .53
        ("<dog>", "owl", "1 of 3"),  # .60
        ("cat", "owl", "1 of 3"),  # .70
    ]
    assert np.array(decoded(found[1]["src"]))[0, 0] == 120  # the fourth image
    assert found[0]["alt"] == "An image of cat predicted as <dog>."


def test_a_single_variant_has_its_confidence():
    (first, *_) = hardest_images({"a": RESULTS["a"]}, IMAGES, CLASSES)
    assert (first["predicted"], first["actual"], first["note"]) == ("<dog>", "owl", "99 %")


def test_own_mistakes_are_those_of_one_alone(monkeypatch):
    found = unique_mistakes(RESULTS, ["a", "c"], IMAGES, CLASSES)
    assert {name: count for name, (count, _) in found.items()} == {"a": 2, "c": 1}
    assert [one["note"] for one in found["a"][1]] == ["99 %", "60 %"]  # most confident first
    assert unique_mistakes(RESULTS, ["b"], IMAGES, CLASSES) == {"b": (0, [])}
    monkeypatch.setattr(pictures, "OWN", 1)
    count, shown = unique_mistakes(RESULTS, ["a"], IMAGES, CLASSES)["a"]
    assert (count, len(shown)) == (2, 1)


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [
        ((28, 28, 1), "PNG", (28, 28)),
        ((32, 32, 3), "JPEG", (32, 32)),
        ((200, 100, 3), "JPEG", (SIDE // 2, SIDE)),
        ((60, 120, 1), "PNG", (SIDE, SIDE // 2)),
    ],
)
def test_thumbnails_keep_shape_and_colours(shape, kind, size):
    image = np.zeros(shape, "uint8")
    image[: shape[0] // 2] = 200
    picture = decoded(thumbnail(image))
    assert (picture.format, picture.size) == (kind, size)
    top, bottom = (np.array(picture)[row].mean() for row in (1, -2))
    assert (top, bottom) == pytest.approx((200, 0), abs=4)
    assert thumbnail(image) == thumbnail(image)
