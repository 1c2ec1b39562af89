import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from stages.commands import sweep as module
from stages.commands.sweep import sweep
from stages.engine import final_model, fold_store, fold_tasks, predict
from stages.evaluate import evaluate
from stages.files import write_json
from stages.train import train
from tests import prepared
from tests.prepared import contents

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(trained, folder):
    """Return the working folder, a copy of the one with trained variants."""
    return shutil.copytree(trained, folder, dirs_exist_ok=True)


def test_when_all_is_trained_variants_missing_from_mlflow_are_named(
    folder, empty_store, monkeypatch, capsys
):
    monkeypatch.setattr(fold_tasks, "run_folds", None)  # calling it would fail
    sweep()
    assert capsys.readouterr().err == ""  # nothing was published, so nothing is missed
    for variant in ("plain", "normed"):
        identity = {"fingerprint": "0" * 64, "results_sha256": "1" * 64}
        write_json(folder / f"results/published/{variant}.json", identity)
    sweep()
    stderr = capsys.readouterr().err
    assert "plain, normed" in stderr
    assert stderr.count("\n") == 1
    assert not Path("mlflow.db").exists()
    shutil.copyfile(empty_store, "mlflow.db")
    sweep()
    assert capsys.readouterr().err == stderr
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    sweep()  # a store that does not answer is not mentioned: nothing is to be published
    assert capsys.readouterr().err == ""


def test_a_processor_without_portable_kernels_is_named(folder, monkeypatch, capsys):
    sweep()
    assert capsys.readouterr().out == ""
    other = SimpleNamespace(kernels=lambda setting: "aarch64")
    monkeypatch.setattr(module, "hardware", other)
    sweep()
    assert capsys.readouterr().out.startswith("foldlab: aarch64 has no portable kernels")


def test_a_variant_whose_settings_changed_is_unfinished(folder, monkeypatch):
    prepared.edit(folder, {"variants": {"plain": {"architecture": {"basic": {"dense": 9}}}}})
    planned = []
    monkeypatch.setattr(fold_tasks, "run_folds", lambda tasks, *_, **__: planned.extend(tasks))
    monkeypatch.setattr(module.variants, "train", lambda *given: None)
    monkeypatch.setattr(module, "score", lambda *given: None)
    sweep()
    assert {(task.recipe.variant, task.fold) for task in planned} == {("plain", 0), ("plain", 1)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trained_variant_is_followed_while_the_next_one_trains(folder, monkeypatch, jobs):
    """Its model is built by then, and the stages later find everything and write the same."""
    undisturbed = {name: contents(folder / "results" / name) for name in ("plain", "normed")}
    monkeypatch.setenv("DVC_ROOT", str(folder / "fresh"))
    monkeypatch.setattr(module, "_is_finished", lambda plan: False)
    prepared.edit(folder, {"parallel": {"jobs": jobs}})
    followed, save = [], fold_store.save

    def stored(pattern):
        return len([*(folder / "fresh").rglob(pattern)])

    def save_late(*given):  # the last fold only when a variant is followed, or after two minutes
        for _ in range(1200 if stored("fold-*.npz") == 3 else 0):
            if followed:
                break
            time.sleep(0.1)
        save(*given)

    monkeypatch.setattr(fold_store, "save", save_late)
    sweep(lambda name: followed.append((name, stored("model.keras"), stored("fold-*.npz"))))
    (name, models, folds), *_ = followed
    assert (models, folds < 4) == (1, True)
    assert jobs == 2 or name == "plain"
    for part in (fold_tasks, "train_fold"), (final_model, "assemble"), (predict, "scorer"):
        monkeypatch.setattr(*part, None)  # calling it would fail
    for variant, files in undisturbed.items():
        train(variant)
        evaluate(variant)
        assert contents(folder / "results" / variant) == files


def test_an_error_while_completing_a_variant_is_raised(folder, monkeypatch):
    monkeypatch.setattr(module, "_is_finished", lambda plan: False)
    next(folder.glob(".foldlab/folds/*/fold-1.npz")).unlink()  # so that one variant is trained

    def full(*given):
        raise OSError("no space")

    monkeypatch.setattr(module, "score", full)
    with pytest.raises(OSError, match="no space"):
        sweep()


def test_dvc_runs_the_stages_of_one_variant_and_its_output_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    module.reproduce("plain")  # without a pipeline there is nothing to run
    assert capsys.readouterr().out == ""
    (tmp_path / "dvc.yaml").touch()
    module.reproduce("plain")
    assert capsys.readouterr().out == "-m dvc repro --quiet publish@plain\n"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    module.reproduce("plain")  # a process that cannot be started costs nothing
