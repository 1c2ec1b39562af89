"""The real pipeline in temporary clones of the repository, on a sliver of data.

The tests of this file run in order, in one clone: each starts where the one before it ended.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from stages.files import read_json, read_table
from tests.tracking.made_results import PLOTS

HERE = Path(__file__).parents[2]
SLIVER = {
    "data": {"limit": 90},
    "folds": {"count": 2},
    "train": {"epochs": 1},
    "compare": {"variants": ["basic", "batchnorm"], "baseline": "basic"},
    "tracking": {"live_after": None},  # the harness of kills has it on
}


def environment(**more):
    """Return what a user's shell would hold, with this Python's commands first in PATH."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "DVC_", "GIT_", "FOLDLAB_", "TF_NUM", "OMP_"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, **more}


def call(folder, command, **more):
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment(**more), capture_output=True, text=True
    )


def well(folder, command, **more):
    """Run a command that must succeed, and return what it printed."""
    done = call(folder, command, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def clone(folder, changes=SLIVER):
    """Copy what Git tracks, or would, into a repository of its own with a sliver's settings."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (HERE / name).exists() and not name.startswith(("results/", "dvc.lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / name, folder / name)
    edit(folder, changes)
    well(folder, "git init -q -b main && git config user.name a && git config user.email a@b.c")
    well(folder, "git add -A && git commit -qm sliver")
    return folder


def edit(folder, changes):
    """Put values into params.yaml, section by section."""
    path = folder / "params.yaml"
    settings = yaml.safe_load(path.read_text())
    for section, values in changes.items():
        settings[section] |= values
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def results(folder):
    """Return the bytes of every result file but timing.csv, which holds times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "results").rglob("*")
        if path.is_file() and path.name != "timing.csv"
    }


def but_uses(made):
    """Return results without the ledger of the test set's uses and the reports that count them.

    These grow by every training there ever was, also by one whose settings were taken back.
    """
    follow = {f"results/{name}" for name in ("comparison.md", "report.html", "test_set_uses.csv")}
    return {name: content for name, content in made.items() if name not in follow}


def ran(output):
    """Return the stages that a `dvc repro` really ran."""
    return re.findall(r"Running stage '([^']+)'", output)


def rows(folder, query):
    with sqlite3.connect(folder / "mlflow.db") as store:
        return store.execute(query).fetchall()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return clone(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def first(repository, temporary):
    """Run the whole pipeline once and return what it printed and made."""
    output = well(repository, "dvc repro", TMPDIR=str(temporary))
    return output, results(repository)


def test_a_fresh_clone_runs_every_stage_through_to_the_comparison(repository, first):
    output, made = first
    per_variant = [
        f"{stage}@{variant}"
        for variant in ("basic", "batchnorm")
        for stage in ("train", "evaluate", "plot", "publish")
    ]
    assert sorted(ran(output)) == sorted(
        ["environment", "prepare", "members", "compare", *per_variant]
    )
    for name in ("basic", "batchnorm"):
        folder = repository / "results" / name
        assert read_json(folder / "metrics.json")["cv"]["accuracy"]["n"] == 2
        assert len(read_table(folder / "confusion.csv")) == 90
        drawn = {path.stem for path in (folder / "plots").iterdir()}
        assert drawn == set(PLOTS)
    assert "results/comparison.md" in made
    assert [row["variant"] for row in read_table(repository / "results/comparison.csv")] == [
        "basic",
        "batchnorm",
    ]


def test_a_run_leaves_no_temporary_files(first, temporary):
    assert not [*temporary.rglob("*")]


def test_mlflow_has_a_parent_a_variant_and_a_child_a_fold(repository, first):
    names = [name for (name,) in rows(repository, "select name from runs order by name")]
    assert names == sorted(
        [
            "basic",
            "basic fold 0",
            "basic fold 1",
            "batchnorm",
            "batchnorm fold 0",
            "batchnorm fold 1",
            "comparison",
        ]
    )
    assert rows(repository, "select distinct status from runs") == [("FINISHED",)]
    stored = dict(
        rows(
            repository,
            "select key, value from latest_metrics join runs using (run_uuid) where name = 'basic'",
        )
    )
    metrics = read_json(repository / "results/basic/metrics.json")
    assert stored["cv_accuracy_mean"] == metrics["cv"]["accuracy"]["mean"]
    assert stored["test_accuracy"] == metrics["test"]["accuracy"]
    assert rows(repository, "select name, count(*) from model_versions group by name") == [
        ("foldlab", 2)
    ]


def test_a_second_repro_runs_nothing_and_leaves_all_as_it_was(repository, first):
    """Also while an editor has unsaved changes of code: its lock is a link to nowhere."""
    _, made = first
    lock = repository / "stages/training/.#fold.py"
    lock.symlink_to("me@host.1234:1")
    assert ran(well(repository, "dvc repro")) == []
    lock.unlink()
    assert results(repository) == made
    assert well(repository, "dvc status").strip().endswith("up to date.")


def test_a_sweep_with_another_number_of_workers_gives_the_same_bytes(first, tmp_path):
    _, made = first
    other = clone(tmp_path / "other", {**SLIVER, "parallel": {"jobs": 1}})
    well(other, "dvc repro prepare && python -m stages sweep && dvc repro")
    assert results(other) == made


def test_editing_one_row_runs_that_variant_and_the_comparison_only(repository, first):
    _, made = first
    text = (repository / "params.yaml").read_text()
    row = {"batchnorm": {"architecture": {"batchnorm": {"dense": 16}}}}
    edit(repository, {"variants": row})
    stages = ["train@batchnorm", "evaluate@batchnorm", "plot@batchnorm", "publish@batchnorm"]
    would = re.findall(r"^Running stage '([^']+)'", well(repository, "dvc repro --dry"), re.M)
    assert would == ["members", "train@batchnorm"]
    assert ran(well(repository, "dvc repro")) == ["members", *stages, "compare"]
    changed = results(repository)
    assert all(changed[name] == made[name] for name in made if name.startswith("results/basic/"))
    assert changed["results/batchnorm/model.keras"] != made["results/batchnorm/model.keras"]
    differences = well(repository, "dvc params diff")
    assert "variants.batchnorm.architecture" in differences
    (repository / "params.yaml").write_text(text)


def test_taking_the_edit_back_restores_the_results_without_training(repository, first):
    _, made = first
    shutil.rmtree(repository / ".foldlab")  # so that only DVC's run-cache can know
    assert ran(well(repository, "dvc repro")) in (["compare"], [])
    assert but_uses(results(repository)) == but_uses(made)
    scored = read_table(repository / "results/test_set_uses.csv")
    assert [row["variant"] for row in scored] == ["basic", "batchnorm", "batchnorm"]
    assert "scored by 3 trainings" in (repository / "results/comparison.md").read_text()
    parents = rows(repository, "select name from runs where name not like '% fold %'")
    variants = sorted(parent for parent in parents if parent != ("comparison",))
    assert variants == [("basic",), ("batchnorm",), ("batchnorm",)]


def test_an_emptied_store_is_rebuilt_from_the_files(repository, first):
    query = """select r.name, m.key, m.value, m.step from metrics m join runs r using (run_uuid)
        where r.run_uuid in (select run_uuid from tags where key = 'fingerprint' and value = '{}')
        order by 1, 2, 4"""
    mark = read_json(repository / "results/basic/training.json")["fingerprint"]
    before = rows(repository, query.format(mark))
    (repository / "mlflow.db").unlink()
    well(repository, "python -m stages publish --all")
    assert rows(repository, query.format(mark)) == before
    assert len(before) > 20


def test_a_misspelt_setting_is_one_sentence_and_nothing_is_lost(repository, first):
    _, made = first
    path = repository / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("architecture: batchnorm", "architecture: batchnrom"))
    done = call(repository, "dvc repro")
    path.write_text(text)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("foldlab: ")]
    assert len(said) == 1
    assert said[0].startswith("foldlab: variants.batchnorm.architecture is 'batchnrom'")
    assert said[0].endswith("Did you mean 'batchnorm'?")
    well(repository, "dvc repro")
    assert but_uses(results(repository)) == but_uses(made)


def test_a_temporary_experiment_publishes_into_the_repository_s_store(repository, first):
    count = len(rows(repository, "select 1 from runs"))
    well(repository, "git add -A && git commit -qm results")
    output = well(repository, "dvc exp run --temp -n trial -S variants.basic.train.epochs=2")
    assert "train@basic" in ran(output)
    runs = 1 + 2 + 1  # the variant, its folds, another comparison
    assert len(rows(repository, "select 1 from runs")) == count + runs
    tags = rows(repository, "select value from tags where key = 'DVC_EXP_NAME'")
    assert ("trial",) in tags
    assert "trial" in well(repository, "dvc exp show --csv")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("main", "", "up to date"),
        ("variant", "-P name=batchnorm", "'publish@batchnorm' didn't change"),
        ("publish", "", "succeeded"),
        ("sweep", "", "succeeded"),
        ("compare", "", "'compare' didn't change"),
        ("predict", "-P images=digit.jpg -P model=batchnorm -P output=o.png", "picture: o.png"),
        ("promote", "-P name=batchnorm -P 'reason=we like it'", ": we like it."),
    ],
)
def test_each_entry_point_of_mlflow_run_works(repository, first, name, given, said):
    digit = np.load(repository / "data/prepared/test_images.npy")[0, ..., 0]
    Image.fromarray(255 - digit).resize((90, 90)).save(repository / "digit.jpg")
    output = well(repository, f"mlflow run . -e {name} {given} --env-manager local")
    assert "succeeded" in output and said in output  # noqa: PT018


@pytest.mark.parametrize(
    ("number", "prepare", "finish", "last"),
    [
        (signal.SIGKILL, "dvc repro prepare", "dvc repro evaluate@basic", "predictions.npz"),
        (signal.SIGTERM, "python -m stages prepare", "python -m stages train basic", "model.keras"),
    ],
    ids=["by DVC", "the stage alone"],
)
def test_a_training_killed_in_its_second_fold_repeats_only_that(
    first, tmp_path, number, prepare, finish, last
):
    _, made = first
    folder = clone(tmp_path / "killed", {**SLIVER, "parallel": {"jobs": 1}})
    well(folder, prepare)
    command = [sys.executable, "-m", "stages", "train", "basic"]
    process = subprocess.Popen(command, cwd=folder, env=environment())
    while not (kept := list(folder.glob(".foldlab/folds/*/fold-0.npz"))):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() != 0
    assert not (folder / "results/basic").exists()
    assert not list(folder.glob(".foldlab/folds/*/fold-1.npz"))
    written = kept[0].stat().st_mtime_ns
    well(folder, finish)
    assert kept[0].stat().st_mtime_ns == written
    again = {name: data for name, data in results(folder).items() if "/basic/" in name}
    assert all(made[name] == data for name, data in again.items())
    assert f"results/basic/{last}" in again


def test_an_ensemble_is_a_row_like_any_other_and_follows_its_members(repository, first):
    _, made = first
    path = repository / "params.yaml"
    text = path.read_text()
    vote = {"ensemble": ["basic", "batchnorm"]}
    chosen = {"variants": ["basic", "batchnorm", "vote"], "baseline": "vote"}
    edit(repository, {"variants": {"vote": vote}, "compare": chosen})
    mine = [f"{stage}@vote" for stage in ("train", "evaluate", "plot", "publish")]
    assert ran(well(repository, "dvc repro")) == ["members", *mine, "compare"]
    voted = results(repository)
    unchanged = [name for name in made if name.split("/")[1] in ("basic", "batchnorm")]
    assert all(voted[name] == made[name] for name in unchanged)
    assert [row["variant"] for row in read_table(repository / "results/comparison.csv")] == (
        chosen["variants"]
    )
    assert "Members: basic, batchnorm" in voted["results/vote/model_card.md"].decode()
    assert rows(repository, "select status from runs where name = 'vote fold 1'") == [("FINISHED",)]

    edit(repository, {"variants": {"batchnorm": {"architecture": {"batchnorm": {"dense": 12}}}}})
    again = ran(well(repository, "dvc repro"))
    assert {"train@batchnorm", "train@vote"} <= {*again}
    assert not [stage for stage in again if stage.endswith("@basic")]
    followed = results(repository)
    assert followed["results/vote/model.keras"] != voted["results/vote/model.keras"]
    assert followed["results/basic/model.keras"] == voted["results/basic/model.keras"]
    path.write_text(text)


def test_another_environment_trains_all_variants_anew_or_none(repository, first):
    """Kernels of another level are another environment, as another version of Keras is."""
    _, made = first
    other = {"ONEDNN_MAX_CPU_ISA": "AVX2"}

    def trained_with():
        files = (f"results/{name}/training.json" for name in ("basic", "batchnorm"))
        return [read_json(repository / file)["environment"]["kernels"] for file in files]

    path = repository / "params.yaml"
    edit(repository, {"compare": SLIVER["compare"]})
    well(repository, "dvc repro")
    before = trained_with()
    assert before[0] == before[1]
    assert ran(well(repository, "dvc repro", **other)) == []

    text = path.read_text()
    edit(repository, {"variants": {"basic": {"architecture": {"basic": {"dense": 12}}}}})
    done = call(repository, "dvc repro", **other)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("foldlab: ")]
    assert len(said) == 1
    assert all(word in said[0] for word in ("kernels", before[0], "make repro"))
    path.write_text(text)

    edit(repository, {"variants": {"vote": {"ensemble": ["basic", "batchnorm"]}}})
    edit(repository, {"compare": {"variants": ["basic", "batchnorm", "vote"]}})
    well(repository, "python -m stages sweep && dvc repro", **other)
    assert trained_with() == [f"{before[0]}, at most avx2"] * 2
    assert ran(well(repository, "dvc repro", **other)) == []
    assert ran(well(repository, "python -m stages sweep && dvc repro", **other)) == []
    assert rows(repository, "select distinct status from runs") == [("FINISHED",)]

    well(repository, "python -m stages sweep && dvc repro")
    assert trained_with() == before
    assert {name: data for name, data in results(repository).items() if "/basic/" in name} == {
        name: data for name, data in made.items() if "/basic/" in name
    }


def test_the_full_mnist_is_read_from_a_folder(tmp_path):
    mnist = HERE.parent / "shared" / "data" / "mnist"
    if not mnist.is_dir():
        pytest.skip("the MNIST files do not lie beside this checkout")
    changes = {"data": {"source": "mnist", "limit": 200}}
    folder = clone(tmp_path / "mnist", SLIVER | changes)
    assert ran(well(folder, "dvc repro prepare", FOLDLAB_DATA=str(mnist))) == ["prepare"]
    dataset = read_json(folder / "data/prepared/dataset.json")
    assert (dataset["source"], dataset["test"]["images"]) == ("mnist", 200)
