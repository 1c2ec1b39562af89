"""How long new settings take to train here."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from benchmarks import inputs
from stages.commands import estimate, new_settings
from stages.data.look import Look

SIZES = np.full((50, 2), 300)
FOUND = Look(("cat", "dog"), [30, 20], [0, 0], SIZES, True, {}, [], [], [0, 0], ())


@pytest.mark.parametrize(
    ("test", "training", "total"), [([0, 0], 40, 50), ([6, 4], 50, 60)], ids=["held out", "given"]
)
def test_small_networks_shrink_the_images_that_pretrained_ones_see(
    monkeypatch, test, training, total
):
    timed = []
    monkeypatch.setattr(estimate, "network_minutes", lambda *given: timed.append(given) or 2.0)
    monkeypatch.setattr(estimate, "features_minutes", lambda *given: timed.append(given) or 3.0)
    found = FOUND._replace(test=test)
    assert estimate.minutes(found, ["cnn", "pretrained"], (224, 224, 3), 4) == 5.0
    assert timed == [(training, (56, 56, 3)), ("pretrained", total, (224, 224, 3))]
    assert estimate.minutes(found, ["cnn"], (64, 64, 3), 1) == 2.0


@pytest.fixture
def content(folder):
    """Return the default settings with the rows of `make new`, which are in params.yaml too."""
    made = yaml.safe_load((inputs.ROOT / "params.yaml").read_text())
    made["variants"] |= new_settings.rows(224, 224, 1, ("cat", "dog"))
    Path("params.yaml").write_text(yaml.safe_dump(made))
    return made


def test_the_time_counts_all_folds_and_the_images_of_each(content, monkeypatch):
    times = SimpleNamespace(times=np.array([[1.0, 2.0]]))
    monkeypatch.setattr(estimate, "train_fold", lambda *arguments: times)
    minutes = []
    for count, repeats in ((6, 1), (2, 3)):
        content["folds"] |= {"count": count, "repeats": repeats}
        Path("params.yaml").write_text(yaml.safe_dump(content))
        minutes.append(estimate.network_minutes(100, (32, 32, 3)))
    shares = [1 - 1 / count + estimate.SCORING for count in (6, 2)]
    assert minutes[0] / minutes[1] == pytest.approx(shares[0] / shares[1])


@pytest.mark.slow
@pytest.mark.usefixtures("content")
def test_the_time_of_a_network_is_measured():
    for minutes in (estimate.network_minutes, partial(estimate.features_minutes, "pretrained")):
        few, many = (minutes(images, (32, 32, 3)) for images in (1_000, 1_000_000))
        assert 0 < few < many
        assert np.isfinite(many)
