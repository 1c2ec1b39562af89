import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml

from stages.commands.search import search
from stages.engine import fold_store, fold_tasks, identity
from stages.engine.resolve import recipe
from stages.files import read_json
from stages.settings import params
from stages.training.fold import UntrainableError
from tests import prepared
from tests.refusals import command_refusal
from tests.search.studies import SPACE, made_fold
from tests.tracking.logged import runs_of

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(folder, empty_store):
    """Return a folder with a search in its settings, and prepared data without the test set."""
    prepared.write(folder, count=30, epochs=1)
    for path in (folder / "data" / "prepared").glob("test_*"):
        path.unlink()
    shutil.copyfile(empty_store, folder / "mlflow.db")
    declare(trials=2, space=SPACE)
    return folder


def declare(jobs=1, **section):
    path = Path("params.yaml")
    content = yaml.safe_load(path.read_text())
    content["search"] = content.get("search", {"variant": "plain"}) | section
    content["parallel"] = {"jobs": jobs}
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def test_the_printed_row_trains_to_the_score_it_had(folder, monkeypatch, capsys):
    """Real training, without a test set; the number of workers changes nothing."""
    rate = {"low": 0.01, "high": 0.1, "log": True}  # excludes the row's own
    declare(trials=1, space={"train.learning_rate": rate})
    before = Path("params.yaml").read_bytes()
    search(write=True)
    out = capsys.readouterr().out
    row = out[out.index("  plain_tuned:") : out.index("Added the row")].strip("\n")
    after = Path("params.yaml").read_text()
    assert after.replace(f"\n{row}\n", "", 1).encode() == before

    made = recipe(params.load(), "plain_tuned")
    data = read_json(Path("data/prepared/dataset.json"))["sha256"]
    key = identity.fingerprint(made, data)
    folds = [fold_store.load(key, fold).at_best_epoch("val_accuracy") for fold in (0, 1)]
    mean = f"{np.mean(folds):.2%} (sd {np.std(folds, ddof=1):.2%}, n = 2 folds)"
    assert f"trial 0: train.learning_rate {made.train.learning_rate}: {mean}" in out
    assert f"trial 0 with a cross-validated accuracy of {mean}." in out

    monkeypatch.setenv("DVC_ROOT", str(folder / "elsewhere"))  # no folds are stored there
    declare(jobs=2)
    before = Path("params.yaml").read_bytes()
    search(write=True)
    again = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if line.startswith("trial 0: "))
    assert line in again
    assert "`plain_tuned`" in again
    assert Path("params.yaml").read_bytes() == before  # the row exists


def test_a_search_is_continued_and_caught_up_after_the_server_was_down(folder, monkeypatch, capsys):
    monkeypatch.setattr(fold_tasks, "train_fold", made_fold)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        search()
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "http://127.0.0.1:9" in printed.err
    assert "plain_tuned" in printed.out
    search(trials=4)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "Finished trials: 2 of 4." in printed.out
    assert list(runs_of(folder, "trial")) == [f"trial {number}" for number in range(4)]
    (parent,) = runs_of(folder, "search").values()
    assert parent["params"]["search.variant"] == "plain"
    assert parent["params"]["search.space.train.learning_rate.low"] == "0.0001"
    assert json.loads(parent["params"]["search.space.train.batch_size.choices"]) == [8, 16, 32]
    assert parent["latest"]["best_trial"] in range(4)


def test_without_a_complete_trial_the_last_reason_is_printed(folder, monkeypatch):
    def too_deep(*task):
        raise UntrainableError("architecture 'basic' is too deep for images of 2x2 pixels")

    monkeypatch.setattr(fold_tasks, "train_fold", too_deep)
    with pytest.raises(ValueError, match=r"none of 2 trials .*'basic'"):
        search()


def test_invalid_searches_are_rejected_before_anything_is_trained(folder, monkeypatch):
    monkeypatch.setattr(fold_tasks, "train_fold", None)  # calling it would fail
    declare(space={"train.epochs": {"low": 0, "high": 3, "step": 1}})
    message = command_refusal("search")
    assert message.startswith("search.space cannot have train.epochs = 0: ")
    assert not (folder / ".foldlab").exists()
    declare(space={"architecture": {"choices": ["basic", "m5"]}})
    assert "architecture 'm5'" in command_refusal("search")
    (path,) = folder.glob(".foldlab/search/*.db")
    assert optuna.load_study(study_name=path.stem, storage=f"sqlite:///{path}").trials == []
    (folder / "data" / "prepared" / "dataset.json").unlink()
    assert "dvc repro prepare" in command_refusal("search")
