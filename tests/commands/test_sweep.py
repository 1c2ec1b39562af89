import shutil
from pathlib import Path

import pytest

from stages.commands import sweep as module
from stages.commands.sweep import sweep
from stages.evaluate import evaluate
from stages.train import train
from stages.training import plan, predict
from tests import prepared
from tests.test_train import contents


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Train and evaluate both variants stage by stage, in a folder that nobody changes."""
    folder = tmp_path_factory.mktemp("staged")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        prepared.write(folder)
        for variant in ("plain", "normed"):
            train(variant)
            evaluate(variant)
    return folder


@pytest.fixture
def folder(staged, tmp_path, monkeypatch):
    """Return the working folder with a copy of what the stages left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Path(shutil.copytree(staged, tmp_path, dirs_exist_ok=True))


def test_after_a_sweep_the_stages_find_all_done_and_write_the_same_bytes(folder, monkeypatch):
    undisturbed = {name: contents(folder / "results" / name) for name in ("plain", "normed")}
    monkeypatch.setenv("DVC_ROOT", str(folder / "fresh"))
    monkeypatch.setattr(module, "_finished", lambda variant, mark: False)
    sweep()
    for part in (plan, "train_fold"), (plan, "assemble"), (predict, "probabilities"):
        monkeypatch.setattr(*part, None)  # calling it would fail
    for variant in ("plain", "normed"):
        train(variant)
        evaluate(variant)
        assert contents(folder / "results" / variant) == undisturbed[variant]


def test_variants_with_present_results_are_left_alone(folder, monkeypatch):
    planned = []
    monkeypatch.setattr(plan, "finish", lambda units, *rest: planned.extend(units))
    sweep()
    assert planned == []


def test_a_variant_whose_settings_changed_is_unfinished(folder, monkeypatch):
    path = folder / "params.yaml"
    path.write_text(
        path.read_text().replace("basic:\n        dense: 8", "basic:\n        dense: 9")
    )
    planned = []
    monkeypatch.setattr(plan, "finish", lambda units, *rest: planned.extend(units))
    monkeypatch.setattr(plan, "records", lambda units: None)
    monkeypatch.setattr(plan, "model", lambda *given: None)
    monkeypatch.setattr(module, "predict", lambda *given: None)
    sweep()
    assert {(unit.recipe.variant, unit.fold) for unit in planned} == {("plain", 0), ("plain", 1)}
