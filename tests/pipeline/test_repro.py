"""The real pipeline in copies of the repository, on a small data set.

The first run is that of `make repro`, without a network if possible; the others start from copies.
"""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image

from benchmarks.checkout import call, query, ran, results, run
from benchmarks.processes import environment
from stages.commands import warm
from stages.files import read_json, read_table
from tests.prepared import edit
from tests.tracking.made_results import PLOTS

pytestmark = pytest.mark.slow
CHAIN = ("train", "evaluate", "plot", "publish")


def refusal(done):
    """Return the one sentence with which a command was refused."""
    assert done.returncode != 0
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("foldlab: ")]
    return sentence


def without_uses(made):
    """Return results without the ledger of the test set's uses and the reports that count them.

    These include every training, even if its settings were reverted.
    """
    follow = {f"results/{name}" for name in ("comparison.md", "report.html", "test_set_uses.csv")}
    return {name: content for name, content in made.items() if name not in follow}


def test_a_fresh_checkout_runs_every_stage_through_to_the_comparison(made):
    per_variant = [f"{stage}@{name}" for stage in CHAIN for name in ("basic", "batchnorm")]
    locked = yaml.safe_load((made.folder / "dvc.lock").read_text())["stages"]
    assert {*locked} == {"environment", "prepare", "members", "compare", *per_variant}
    assert made.left == []
    for name in ("basic", "batchnorm"):
        folder = made.folder / "results" / name
        assert read_json(folder / "metrics.json")["cv"]["accuracy"]["n"] == 2
        assert len(read_table(folder / "confusion.csv")) == 90
        assert {path.stem for path in (folder / "plots").iterdir()} == set(PLOTS)
    compared = read_table(made.folder / "results/comparison.csv")
    assert [row["variant"] for row in compared] == ["basic", "batchnorm"]
    assert "results/comparison.md" in made.results


def test_mlflow_has_a_parent_per_variant_and_a_child_per_fold(made):
    kinds = ("", " fold 0", " fold 1")
    names = [f"{name}{kind}" for name in ("basic", "batchnorm") for kind in kinds]
    runs = query(made.folder, "select name, status from runs order by name")
    assert runs == [(name, "FINISHED") for name in [*names, "comparison"]]
    stored = "select key, value from latest_metrics join runs using (run_uuid) where name = 'basic'"
    stored = dict(query(made.folder, stored))
    metrics = read_json(made.folder / "results/basic/metrics.json")
    assert stored["cv_accuracy_mean"] == metrics["cv"]["accuracy"]["mean"]
    assert stored["test_accuracy"] == metrics["test"]["accuracy"]
    assert query(made.folder, "select name from model_versions") == []  # of a trial


def test_after_a_misspelt_setting_a_second_repro_runs_nothing_and_leaves_all_as_it_was(made, copy):
    """Also while an editor has unsaved changes of code: its lock is a dangling link."""
    path = copy / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("architecture: batchnorm", "architecture: batchnrom"))
    message = refusal(call("dvc repro", copy))
    assert message.startswith("foldlab: variants.batchnorm.architecture is 'batchnrom'")
    assert "'batchnorm'?" in message
    path.write_text(text)
    lock = copy / "stages/training/.#fold.py"
    lock.symlink_to("me@host.1234:1")
    assert ran(run("dvc repro", copy)) == []
    lock.unlink()
    assert results(copy) == made.results
    assert run("dvc status", copy).strip().endswith("up to date.")


def test_stages_in_separate_processes_with_one_worker_give_the_same_bytes(made, untrained):
    chain = [f"{stage}@basic" for stage in CHAIN]
    assert [one for one in ran(run("dvc repro publish@basic", untrained)) if "@" in one] == chain
    again = {name: data for name, data in results(untrained).items() if "/basic/" in name}
    assert again == made.of("basic")


@pytest.mark.warm
def test_an_edit_runs_its_variant_only_and_taking_it_back_trains_nothing(made, copy):
    text = (copy / "params.yaml").read_text()
    edit(copy, {"variants": {"batchnorm": {"architecture": {"batchnorm": {"dense": 16}}}}})
    assert ran(run("dvc repro --dry", copy)) == ["members", "train@batchnorm"]
    chain = [f"{stage}@batchnorm" for stage in CHAIN]
    assert ran(run("dvc repro", copy)) == ["members", *chain, "compare"]
    changed = results(copy)
    assert made.of("basic").items() <= changed.items()
    model = "results/batchnorm/model.keras"
    assert changed[model] != made.results[model]
    assert "variants.batchnorm.architecture" in run("dvc params diff", copy)

    (copy / "params.yaml").write_text(text)
    shutil.rmtree(copy / ".foldlab")  # so that only DVC's run-cache can know
    assert ran(run("dvc repro", copy)) in (["compare"], [])
    assert without_uses(results(copy)) == without_uses(made.results)
    scored = read_table(copy / "results/test_set_uses.csv")
    assert [row["variant"] for row in scored] == ["basic", "batchnorm", "batchnorm"]
    assert "3 trained models have been scored" in (copy / "results/comparison.md").read_text()


@pytest.mark.warm
def test_a_temporary_experiment_publishes_into_the_repository_s_store(copy):
    run("git add -A && git commit -qm results", copy)
    output = run("dvc exp run --temp -n trial -S variants.basic.train.epochs=2", copy)
    assert "train@basic" in ran(output)
    names = query(copy, "select name from runs order by name")
    assert names == [("basic",), ("basic fold 0",), ("basic fold 1",), ("comparison",)]
    assert ("trial",) in query(copy, "select value from tags where key = 'DVC_EXP_NAME'")
    assert "trial" in run("dvc exp show --csv", copy)


@pytest.fixture(scope="module")
def published(made, tmp_path_factory):
    """Return a copy with its own store."""
    copy = made.copy(tmp_path_factory.mktemp("published") / "copy")
    run("python -m stages publish --all", copy)
    return copy


@pytest.mark.warm
def test_a_missing_store_is_rebuilt_from_the_files(made, copy):
    (copy / "mlflow.db").unlink()
    run("python -m stages publish --all", copy)
    metrics = """select name, key, metrics.value, step from metrics join runs using (run_uuid)
        where name != 'comparison' order by 1, 2, 4"""
    rebuilt = query(copy, metrics)
    assert rebuilt == query(made.folder, metrics)
    assert len(rebuilt) > 20


@pytest.mark.parametrize(
    ("name", "given", "printed"),
    [
        ("main", "", "up to date"),
        ("variant", "-P name=batchnorm", "'publish@batchnorm' didn't change"),
        ("predict", "-P images=digit.jpg -P model=batchnorm -P output=o.png", "picture: o.png"),
    ],
)
def test_each_entry_point_of_mlflow_run_works(published, name, given, printed):
    digit = np.load(published / "data/prepared/test_images.npy")[0, ..., 0]
    Image.fromarray(255 - digit).resize((90, 90)).save(published / "digit.jpg")
    output = run(f"mlflow run . -e {name} {given} --env-manager local", published)
    assert "succeeded" in output
    assert printed in output


def test_promote_by_mlflow_run_fails_for_a_model_that_is_not_registered(published):
    given = "-P name=batchnorm -P 'reason=we like it'"
    done = call(f"mlflow run . -e promote {given} --env-manager local", published)
    assert done.returncode
    assert "data.limit = 90" in done.stderr


@pytest.mark.parametrize(
    ("number", "finish", "last"),
    [
        (signal.SIGKILL, "dvc repro evaluate@basic", "predictions.npz"),
        (signal.SIGTERM, "python -m stages train basic", "model.keras"),
    ],
    ids=["finished by DVC", "by the stage alone"],
)
def test_a_training_killed_in_its_second_fold_repeats_only_that(
    made, untrained, warm_process, number, finish, last
):
    command = [sys.executable, "-m", "stages", "train", "basic"]
    process = subprocess.Popen(command, cwd=untrained, env=environment())
    while not (kept := list(untrained.glob(".foldlab/folds/*/fold-0.npz"))):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() != 0
    assert not (untrained / "results/basic").exists()
    assert not list(untrained.glob(".foldlab/folds/*/fold-1.npz"))
    written = kept[0].stat().st_mtime_ns
    run(finish, untrained, **{warm.ADDRESS: warm_process})
    assert kept[0].stat().st_mtime_ns == written
    again = {name: data for name, data in results(untrained).items() if "/basic/" in name}
    assert again.items() <= made.results.items()
    assert f"results/basic/{last}" in again


@pytest.mark.warm
def test_an_ensemble_is_a_row_like_any_other_and_follows_its_members(made, copy):
    chosen = {"variants": ["basic", "batchnorm", "vote"], "baseline": "vote"}
    vote = {"ensemble": ["basic", "batchnorm"]}
    edit(copy, {"variants": {"vote": vote}, "compare": chosen})
    mine = [f"{stage}@vote" for stage in CHAIN]
    assert ran(run("dvc repro", copy)) == ["members", *mine, "compare"]
    voted = results(copy)
    assert (made.of("basic") | made.of("batchnorm")).items() <= voted.items()
    compared = read_table(copy / "results/comparison.csv")
    assert [row["variant"] for row in compared] == chosen["variants"]
    assert "Members: basic, batchnorm" in voted["results/vote/model_card.md"].decode()
    statuses = query(copy, "select status from runs where name = 'vote fold 1'")
    assert statuses == [("FINISHED",)]

    edit(copy, {"variants": {"batchnorm": {"architecture": {"batchnorm": {"dense": 12}}}}})
    again = ran(run("dvc repro train", copy))
    assert {*again} == {"members", "train@batchnorm", "train@vote"}
    model = "results/vote/model.keras"
    assert results(copy)[model] != voted[model]


@pytest.mark.warm
def test_another_environment_trains_all_variants_again_or_none(copy):
    """Native kernels of another level are another environment, like another version of Keras."""
    other = {"ONEDNN_MAX_CPU_ISA": "AVX2"}

    def trained_with():
        files = (copy / f"results/{name}/training.json" for name in ("basic", "batchnorm"))
        return [read_json(file)["environment"]["kernels"] for file in files]

    fast = {"basic": {"architecture": "logistic"}, "batchnorm": {"architecture": "majority"}}
    edit(copy, {"train": {"kernels": "native"}, "variants": fast})
    run("dvc repro train", copy)
    before = trained_with()
    assert before[0] == before[1] != "portable"
    assert ran(run("dvc repro train", copy, **other)) == []

    text = (copy / "params.yaml").read_text()
    edit(copy, {"variants": {"basic": {"architecture": "majority"}}})
    message = refusal(call("dvc repro train", copy, **other))
    assert all(word in message for word in ("kernels", before[0], "make repro"))
    (copy / "params.yaml").write_text(text)

    edit(copy, {"variants": {"vote": {"ensemble": ["basic", "batchnorm"]}}})
    edit(copy, {"compare": {"variants": ["basic", "batchnorm", "vote"]}})
    run("python -m stages sweep && dvc repro train", copy, **other)
    assert trained_with() == [f"{before[0]}, at most avx2"] * 2
    assert ran(run("dvc repro train", copy, **other)) == []
