import base64

import numpy as np
import pytest
from PIL import Image

from stages import files
from stages.errors import UserError
from stages.report import pictures
from stages.report.comparison import compared
from stages.report.results import read
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
        results[name] = result._replace(accuracy=accuracy, history=history)
    empty = {key: column[:0] for key, column in results["deep"].history.items()}
    results["deep"] = results["deep"]._replace(history=empty)
    dataset = files.read_json(tmp_path / "data" / "prepared" / "dataset.json")
    monkeypatch.setattr(pictures, "embedded", lambda content: content)
    monkeypatch.setattr(pictures.style, "png", lambda figure: figure)
    return compared(results, dataset, "basic", rope=0.0005, uses=1)


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
