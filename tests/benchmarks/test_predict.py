import sys

import numpy as np
import pytest

from benchmarks import predict
from stages.files import read_json, write_json
from stages.models import build
from stages.settings.sections import Named, Train
from stages.training.export import assemble
from stages.training.recipe import Recipe
from stages.training.trained_images import Listed
from tests import prepared

LISTED = Listed(np.array([5, 7], "<u8"), True)  # no image here
RECIPE = Recipe(
    variant="plain",
    architecture=Named(name="basic", arguments={"dense": 8}),
    augmentation=[],
    train=Train(**prepared.TRAIN),
)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["predict", *arguments])
    predict.main()


def test_the_command_measures_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    prepared.write(tmp_path)
    members = [build(RECIPE.architecture, (12, 12, 1), 3).get_weights() for _ in range(2)]
    folder = tmp_path / "results" / "plain"
    write_json(folder / "training.json", {"parameters": 19363})
    (folder / "model.keras").write_bytes(assemble(RECIPE, (12, 12, 1), 3, members, LISTED))
    call(monkeypatch, "plain", "--quick", "--folder", str(tmp_path / "records"))

    path = tmp_path / "records" / "predict.json"
    assert capsys.readouterr().out.strip() == str(path)
    record = read_json(path)
    assert record["images"] == predict.QUICK_IMAGES
    assert {"commit", "processor", "versions"} <= set(record["environment"])
    found = record["variants"]["plain"]
    assert found["members"] == 2
    assert found["parameters"] == 19363
    one = found["one_image_ms"]
    assert 0 < one["median"] <= one["p95"] <= found["first_ms"]
    rate = record["images"] / found["all_images_seconds"]
    assert np.isclose(found["images_per_second"], rate, rtol=0.2)


@pytest.mark.parametrize(
    ("name", "said"),
    [("plian", "no row of variants.*Did you mean 'plain'"), ("normed", "normed.*is missing; run")],
)
def test_what_cannot_be_measured_is_refused(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    prepared.write(tmp_path)
    with pytest.raises(SystemExit, match=f"^foldlab: .*{said}"):
        call(monkeypatch, name, "--quick")
