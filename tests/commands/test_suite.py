import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import prepare
from stages.commands import suite as module
from stages.commands.suite import suite
from stages.engine import fold_tasks
from stages.files import read_table
from stages.settings import params
from stages.train import train
from tests import prepared
from tests.refusals import command_refusal
from tests.tracking.logged import runs_of
from tests.tracking.made_results import dead_address

NAMES = ("first", "second")


def write_source(path, seed):
    """Write 40 images of two classes, which differ in brightness."""
    random = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    images = random.integers(0, 150, (40, 8, 8, 1)) + 60 * labels[:, None, None, None]
    path.parent.mkdir(exist_ok=True)
    np.savez(path, images=images.astype(np.uint8), labels=labels)


def declare(*sources, **sections):
    """Write params.yaml with these sources, two rows without a convolution, and their ensemble."""
    content = {
        "data": {"source": "data/first.npz"},
        "folds": {"count": 2},
        "train": prepared.TRAIN | {"epochs": 1},
        "variants": {
            "plain": {"architecture": "logistic"},
            "fast": {"architecture": "logistic", "train": {"learning_rate": 0.03}},
            "both": {"ensemble": ["plain", "fast"]},
        },
        "compare": {"variants": ["plain", "fast", "both"], "baseline": "plain"},
        "parallel": {"jobs": 1},
        "suite": {"sources": [*sources]},
        "tracking": {"live_after": None},
    }
    Path("params.yaml").write_text(yaml.safe_dump(content | sections))


@pytest.fixture
def sources(folder):
    """Write two sources, and params.yaml that names them; return their paths."""
    paths = [folder / "data" / f"{name}.npz" for name in NAMES]
    for seed, path in enumerate(paths):
        write_source(path, seed)
    declare("data/first.npz", {"source": "data/second.npz", "test_fraction": 0.4})
    return paths


@pytest.fixture
def refuses(monkeypatch):
    """Return a function that checks that a suite is refused with these words before training."""
    monkeypatch.setattr(fold_tasks, "run_folds", None)  # calling it would fail

    def check(*words):
        message = command_refusal("suite")
        assert all(word in message for word in words), message
        assert not Path("results").exists()

    return check


@pytest.mark.slow
def test_a_suite_trains_each_source_once_and_again_only_what_changed(
    sources, empty_store, monkeypatch, capsys
):
    shutil.copyfile(empty_store, "mlflow.db")
    trained, read = [], []
    train_fold, load = fold_tasks.train_fold, prepare.data.load

    def counted(images, labels, assigned, classes, recipe, *others):
        trained.append(recipe.variant)
        return train_fold(images, labels, assigned, classes, recipe, *others)

    def loaded(given):
        read.append(Path(given.source).stem)
        return load(given)

    monkeypatch.setattr(fold_tasks, "train_fold", counted)
    monkeypatch.setattr(prepare.data, "load", loaded)
    suite()
    assert sorted(trained) == ["fast"] * 4 + ["plain"] * 4
    assert len(list(Path(".foldlab/folds").glob("*/complete"))) == 4
    assert read == [*NAMES]
    rows = read_table(Path("results/suite.csv"))
    each = [f"{name}.npz" for name in NAMES]
    assert [row["source"] for row in rows] == [*each, *each, "all", *each, "all"]
    assert [row["variant"] for row in rows] == ["plain"] * 2 + ["fast"] * 3 + ["both"] * 3
    differences = [float(row["difference"]) for row in rows[2:5]]
    assert differences[2] == pytest.approx(np.mean(differences[:2]))
    assert Path("results/plots/suite.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "second.npz: 24 training and 16 test images" in printed  # its own setting
    assert "mean" in printed
    (run,) = runs_of(Path(), "suite").values()
    assert run["params"]["sources"] == "first.npz, second.npz"

    before = Path("results/suite.csv").read_bytes()
    suite()
    assert (len(trained), len(read)) == (8, 2)
    assert Path("results/suite.csv").read_bytes() == before
    assert len(runs_of(Path(), "suite")) == 1
    assert module.FOLDER.is_dir()
    assert not Path("data/prepared").exists()  # that of the pipeline

    write_source(sources[1], 7)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{dead_address()}")
    suite()
    assert sorted(trained[8:]) == ["fast"] * 2 + ["plain"] * 2
    assert read[2:] == ["second"]
    after = read_table(Path("results/suite.csv"))
    assert [after[place] == rows[place] for place in (0, 1)] == [True, False]
    assert "run `make suite` again" in capsys.readouterr().err

    prepare.prepare()  # the pipeline on the first source finds the folds, and scores them alike
    for place, name in ((0, "plain"), (5, "both")):
        train(name)
        accuracy = [row["accuracy"] for row in read_table(Path(f"results/{name}/folds.csv"))]
        assert float(rows[place]["cv_mean"]) == np.mean(accuracy)
    assert len(trained) == 12


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], ["no data sets", "at least two"]),
        (["mnist-5k"], ["1 data set,", "at least two"]),
        (["mnist-5k", "fashon-mnist"], ["suite.sources.1", "'fashion-mnist'?"]),
        (["data/first.npz", "data/missing.npz"], ["suite.sources.1", "data/missing.npz"]),
        (["mnist-5k", {"source": "mnist-5k", "limit": 9}], ["suite.sources.1", "already"]),
        (["data/first.npz", "./data/first.npz"], ["suite.sources.1", "already"]),
        (["mnist-5k", {"limit": 9}], ["suite.sources.1", "with a source"]),
        (["mnist-5k", 7], ["suite.sources.1", "7"]),
        (["mnist-5k", {"source": "mnist", "imit": 9}], ["suite.sources.1.imit", "'limit'?"]),
    ],
)
def test_bad_sources_are_refused_by_their_place(sources, refuses, given, words):
    declare(*given)
    refuses(*words)
    assert not module.FOLDER.exists()


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"compare": {"variants": ["plain"], "baseline": "plain"}}, "compare.variants"),
        ({"folds": {"count": 3, "group": "groups.csv"}}, "folds.group"),
    ],
)
def test_settings_without_a_comparison_on_each_source_are_refused(sources, refuses, sections, word):
    declare("data/first.npz", "data/second.npz", **sections)
    refuses(word)


def test_a_source_that_cannot_be_prepared_or_fits_no_row_is_named(sources, refuses):
    declare("data/first.npz", "data/second.npz", folds={"count": 30})
    refuses("first.npz: ", "folds.count")
    backbone = {"backbone": {"name": "efficientnet_lite0"}}
    rows = {"plain": {"architecture": "logistic"}, "fast": {"architecture": backbone}}
    rows["both"] = {"architecture": "majority"}
    declare("data/first.npz", "data/second.npz", variants=rows)
    refuses("first.npz: ", "variants.fast", "images of at least")
    rows["fast"]["architecture"] = "allconv"
    declare("data/second.npz", "data/first.npz", variants=rows)
    refuses("second.npz: ", "fast")


def test_sources_of_one_name_are_named_as_they_are_given(sources, folder):
    for name in ("other/first.npz", "all.npz"):
        write_source(folder / name, 1)
    (folder / "all.npz").rename(folder / "all")
    (folder / "link.npz").symlink_to(sources[1])
    whole = {"source": "all", "format": "npz"}
    declare("data/first.npz", "other/first.npz", "link.npz", whole)
    named = module._sources(params.load())
    assert [*named] == ["data/first.npz", "other/first.npz", "link.npz", "./all"]
    assert named["./all"].source == str(folder / "all")


def test_a_failed_source_leaves_the_working_folder_and_the_environment(sources, monkeypatch):
    before = Path.cwd()
    monkeypatch.setenv("DVC_ROOT", str(before))
    sources[1].write_bytes(b"damaged")
    assert "second.npz: " in command_refusal("suite")
    assert Path.cwd() == before
    assert os.environ["DVC_ROOT"] == str(before)
