import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from stages.commands import learning_curve as learning_curves
from stages.commands.learning_curve import learning_curve
from stages.engine import fold_tasks
from stages.errors import UserError
from stages.files import read_table, write_table
from stages.plot import plot
from stages.publish import publish
from stages.statistics.scores import of_folds
from tests import prepared
from tests.command import status
from tests.prepared import edit
from tests.tracking.logged import runs_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def staged(trained, tmp_path_factory, empty_store):
    """Publish one of two variants, the other of which has no results; `both` is their ensemble."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("staged") / "folder")
    with chdir(folder):
        shutil.rmtree("results/normed")
        shutil.copyfile(empty_store, folder / "mlflow.db")
        edit(Path(), {"variants": {"both": {"ensemble": ["plain", "normed"]}}})
        for stage in (plot, publish):
            stage("plain")
    return folder


@pytest.fixture(autouse=True)
def folder(staged, tmp_path, monkeypatch):
    """Work in a copy of that folder, with a comparison that the ensemble leads."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(staged, tmp_path, dirs_exist_ok=True)
    shutil.rmtree("mlartifacts")  # its database is that of another folder
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{staged}/mlflow.db")
    rows = [("both", 0.9), ("plain", 0.8)]
    write_table("results/comparison.csv", ("variant", "cv_mean"), rows)


def test_a_curve_is_trained_once_written_and_attached_to_the_run(staged, monkeypatch, capsys):
    learning_curve()
    rows = read_table("results/learning_curve.csv")
    assert [(row["variant"], row["images"], row["n"]) for row in rows] == [
        ("plain", images, 2) for images in (4, 8, 15, 30)
    ]
    scores = [row["accuracy"] for row in read_table("results/plain/fold_scores.csv")]
    assert rows[-1]["mean"] == pytest.approx(np.mean(scores))
    assert [bool(row["verdict"]) for row in rows] == [False, False, False, True]
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f"plain: {rows[-1]['verdict']}."
    assert Path("results/plots/learning_curve.png").stat().st_size > 10_000
    tags = runs_of(staged, "parent")["plain"]["tags"]
    assert tags["learning curve"] == rows[-1]["verdict"]
    attached = {path.name for path in (staged / "mlartifacts").rglob("learning_curve.*")}
    assert attached == {"learning_curve.csv", "learning_curve.png"}
    assert len(list(Path(".foldlab/folds").glob("*/complete"))) == 3  # one of each share

    written = Path("results/learning_curve.csv").read_bytes()
    monkeypatch.setattr(fold_tasks, "train_fold", None)  # calling it would fail
    assert status("learning-curve", "plain") == 0
    assert Path("results/learning_curve.csv").read_bytes() == written
    edit(Path(), {"compare": {"metric": "log_loss"}})
    learning_curve(["plain"])
    assert all(row["mean"] < 0 for row in read_table("results/learning_curve.csv"))


def test_smaller_sets_are_calibrated_as_all_images_are(monkeypatch):
    random = np.random.default_rng(0)
    labels, folds = random.integers(0, 3, 60), np.arange(60)[np.newaxis] % 2
    probability = random.dirichlet([0.05] * 3, 60).astype("f4")  # as confident as they are wrong
    records = [
        prepared.record([], 0)._replace(validation=rows, probability=probability[rows])
        for rows in (np.flatnonzero(folds[0] == fold) for fold in range(2))
    ]
    monkeypatch.setattr(fold_tasks, "records", lambda tasks: records)
    arrays = fold_tasks.Arrays(np.zeros((60, 1, 1, 1), np.uint8), labels, folds, 3)
    raw, scaled = (
        learning_curves._measured([], prepared.recipe(final=final), arrays, "log_loss")[1]
        for final in ("soft_vote", "refit")
    )
    assert raw == pytest.approx(
        [row["log_loss"] for row in of_folds(probability[None], labels, folds)]
    )
    assert min(scaled) > max(raw)


def test_an_interrupted_run_goes_on(monkeypatch):
    trained = []

    def dies_at_the_fourth(images, *task, initial=None):
        if initial is not None:  # only to score
            return prepared.record([], 0)._replace(probability=np.full((len(images), 3), 1 / 3))
        trained.append(len(images))
        if len(trained) == 4:
            raise KeyboardInterrupt
        return prepared.record([0.5], 1)

    monkeypatch.setattr(fold_tasks, "train_fold", dies_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        learning_curve(["plain"])
    assert not Path("results/learning_curve.csv").exists()
    learning_curve(["plain"])
    assert len(trained) == 4 + 3  # three of six folds were stored


def test_what_has_no_curve_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(fold_tasks, "train_fold", None)  # calling it would fail
    with pytest.raises(UserError, match=r"'both' is an ensemble.*plain normed"):
        learning_curve(["both"])
    with pytest.raises(UserError, match="publish@normed"):
        learning_curve(["plain", "normed"])
    with pytest.raises(UserError, match="'plian'"):
        learning_curve(["plian"])
    edit(Path(), {"train": {"epochs": 2}})
    with pytest.raises(UserError, match="publish@plain"):
        learning_curve(["plain"])
    edit(Path(), {"train": {"epochs": 1}})
    Path("results/comparison.csv").unlink()
    with pytest.raises(UserError, match=r"comparison\.csv"):
        learning_curve()
    scores = Path("results/plain/fold_scores.csv")
    complete = scores.read_text()
    header, first, *others = complete.splitlines()
    undefined = first.split(",")[0] + ",nan" * header.count(",")
    scores.write_text("\n".join([header, undefined, *others, ""]))
    with pytest.raises(UserError, match=r"accuracy.*'plain'"):
        learning_curve(["plain"])
    scores.write_text(complete)
    labels = np.load("data/prepared/train_labels.npy")
    labels[labels == 2] = 1
    labels[:4] = 2
    np.save("data/prepared/train_labels.npy", labels)
    with pytest.raises(UserError, match="'star'"):
        learning_curve(["plain"])
    assert not Path("results/learning_curve.csv").exists()
