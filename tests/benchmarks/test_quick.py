"""Each benchmark, run as a command with `--quick`, and its record."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kfold, load, scale
from benchmarks.inputs import ROOT
from stages.commands import warm
from stages.files import read_json, write_json
from stages.settings.sections import Named
from stages.statistics.paired import mean_std
from tests import prepared
from tests.engine import exported

pytestmark = [pytest.mark.slow, pytest.mark.warm]
BASIC = Named(name="basic", arguments={"dense": 8})


def run(name, folder, *arguments, cwd=ROOT):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", "--folder", str(folder)]
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    given.pop("ONEDNN_MAX_CPU_ISA")  # some compute with native kernels
    return subprocess.run(
        [*command, *arguments], cwd=cwd, env=given, capture_output=True, text=True
    )


def record(*command, **options):
    done = run(*command, **options)
    assert done.returncode == 0, done.stderr
    found = read_json(Path(done.stdout.splitlines()[-1]))
    assert {"commit", "processor", "versions"} <= set(found["environment"])
    return found


def test_chaos_ends_as_if_nothing_had_been_killed(tmp_path, monkeypatch):
    monkeypatch.delenv(warm.ADDRESS)  # what is killed is the process that computes
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")  # and workers that it leaves
    found = record("chaos", tmp_path)
    assert found["faults"] == []
    assert found["kills"] == sum(found["by_stage"].values()) == 1
    assert found["files_compared"] > 20


def test_fit_gives_rates_times_operations_over_the_peak(tmp_path):
    row = record("fit", tmp_path, "sprint")["variants"]["sprint"]
    assert row["flop_training"] == 6_773_760
    for name, workers in (("one_worker", 1), ("two_workers", 2)):
        form = row[name]
        each, peaks = form["images_per_second_each"], form["peak_flop_per_second_each"]
        assert len(each) == len(peaks) == workers
        rate, peak = (sum(statistics.median(one) for one in many) for many in (each, peaks))
        assert form["images_per_second"] == pytest.approx(rate)
        assert form["share_of_peak"] == pytest.approx(rate * row["flop_training"] / peak)


def test_kfold_trains_the_same_folds_on_both_sides(tmp_path):
    found = record("kfold", tmp_path)
    sides = found["pipeline"], found["plain"]
    for side in sides:
        assert len(side["accuracies"]) == found["folds"] == 2
        assert side["accuracy"] == pytest.approx(mean_std(side["accuracies"]))
        hits = 100 * np.array(side["accuracies"])  # of 100 validation images
        assert np.allclose(hits, hits.round(), atol=1e-4)
    for name in kfold.MEASURES:
        ours, theirs = (statistics.median(side[name]["all"]) for side in sides)
        assert found["ratio"][name]["of_medians"] == pytest.approx(ours / theirs)
    ours, theirs = (100 * side["accuracy"]["mean"] for side in sides)
    assert found["accuracy_difference_points"] == pytest.approx(ours - theirs)


def test_failed_calls_and_power_losses_leave_no_fault(tmp_path):
    disturbed = record("faults", tmp_path)
    assert disturbed["faults"] == []
    assert disturbed["injected"] >= 20
    assert {*disturbed["commands"]} == {"members", "train, folds stored"}
    lost = record("power_loss", tmp_path)
    assert lost["faults"] == []
    assert lost["commands"]["train basic"]["tried"] >= 3


def test_search_runs_the_trials_on_both_sides(tmp_path):
    found = record("search", tmp_path)
    (ours,), (theirs,) = found["pipeline"]["searches"], found["plain"]["best"]
    assert ours["folds"] == found["trials"] * found["folds"] == 4
    assert found["best_difference_points"] == [pytest.approx(100 * (ours["best"] - theirs))]


def test_overhead_times_every_stage_and_runs_an_edited_row_again(tmp_path):
    found = record("overhead", tmp_path)
    repro = found["repro"]
    stages = [row["stage"] for row in repro["stages"]]
    assert sorted(stages) == ["environment", "members", "prepare", "train@basic"]
    fitting = repro["fitting"]["seconds"]
    assert 0 < fitting < repro["seconds"]
    assert repro["not_fitting_share"] == pytest.approx(1 - fitting / repro["seconds"])
    assert found["no_op"]["stages"] == 4
    edited = [row["stage"] for row in found["one_row_edit"]["stages"]]
    assert edited == ["members", "train@basic"]


def test_predict_measures_a_model_file(tmp_path):
    prepared.write(tmp_path)
    folder = tmp_path / "results" / "plain"
    write_json(folder / "training.json", {"parameters": 19363})
    exported.write(folder / "model.keras", BASIC, shape=(12, 12, 1))
    found = record("predict", tmp_path / "records", "plain", cwd=tmp_path)["variants"]["plain"]
    assert found["members"] == 2
    assert found["parameters"] == 2 * 19363
    assert found["one_image_ms"]["median"] <= found["one_image_ms"]["p95"] <= found["first_ms"]


@pytest.mark.parametrize("name", ["plian", "normed"])
def test_predict_refuses_what_cannot_be_measured(tmp_path, name):
    prepared.write(tmp_path)
    done = run("predict", tmp_path, name, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("foldlab: ")
    assert name in done.stderr


@pytest.mark.parametrize(
    ("name", "key", "found"),
    [
        ("comparison", "variants", ["2", "3"]),
        ("publish", "runs_in_the_greater_store", 9),
        ("scale", "axes", [*scale.QUICK]),
        ("sources", "large", ["images", "images_mib", "prepare", "train", "copies"]),
    ],
)
def test_other_benchmarks_measure_all_their_points(tmp_path, name, key, found):
    measured = record(name, tmp_path)[key]
    assert (measured if isinstance(measured, int) else [*measured]) == found


def test_load_measures_commands_with_many_rows(tmp_path):
    """Its other parts run in tests/tracking, where their servers are."""
    found = record("load", tmp_path, "--parts", "rows")["compared"]
    assert {count: [*costs] for count, costs in found.items()} == {
        count: [*load.COMMANDS] for count in ("2", "10")
    }


def test_kernels_trains_with_both_by_turns(tmp_path):
    (found,) = record("kernels", tmp_path)["variants"].values()
    one, other = (found[kernels]["seconds"]["median"] for kernels in ("portable", "native"))
    assert found["ratio"]["of_medians"] == pytest.approx(one / other)
    assert {found[kernels]["accuracy"]["n"] for kernels in ("portable", "native")} == {2}


def test_seeds_compares_the_variants_for_each_seed(tmp_path):
    (found,) = record("seeds", tmp_path)["seeds"].values()
    assert found["variants"]["basic"]["outcome"] == "baseline"
    assert found["variants"]["batchnorm"]["n"] == 2
    assert 0 < found["not_fitting_seconds"] < found["seconds"]


def test_learning_curve_counts_intervals_with_the_true_gain(tmp_path):
    curves = record("learning_curve", tmp_path)["curves"]
    assert {curve["replicates"] for curve in curves.values()} == {20}
    assert all(curve["covered"] >= 0.7 for curve in curves.values())


def test_time_to_99_fits_the_same_seeds_in_both_forms(tmp_path):
    found = record("time_to_99", tmp_path)
    assert found["recipe"]["train"]["epochs"] == 1
    for form in ("one_fit_two_threads", "two_fits_one_thread"):
        fits = found[form]
        assert len(fits["accuracies"]) == len(fits["seconds"]["all"]) == 2
        assert fits["accuracy"] == pytest.approx(mean_std(fits["accuracies"]))
        assert fits["mean_reaches_goal"] == (fits["accuracy"]["mean"] >= found["goal"])
    one, two = found["one_fit_two_threads"], found["two_fits_one_thread"]
    assert one["seconds_a_seed"] == pytest.approx(sum(one["seconds"]["all"]) / 2)
    assert two["seconds_a_seed"] <= sum(two["seconds"]["all"]) / 2 * (1 + 1e-6)


def test_heads_are_trained_on_features_of_one_pass(tmp_path):
    (found,) = record("heads", tmp_path)["backbones"].values()
    ours, plain = (found["passes"][form]["seconds"]["median"] for form in ("ours", "plain"))
    assert found["ratio"]["of_medians"] == pytest.approx(ours / plain)
    assert found["heads"] == 2
    assert found["model_over_backbone"] < 1.3


def test_near_duplicates_scores_each_change(tmp_path):
    found = record("near_duplicates", tmp_path)
    (side,) = found["sides"].values()
    assert len(side["changes"]) == 5
    for change in side["changes"].values():
        assert change["copies"] == side["originals"] <= found["originals"]
        assert change["found"] + change["false"] == change["pairs"]
        assert change["found_share"] > 0.8
    assert found["timed"]["images"] == 200


def test_photos_goes_from_a_folder_to_a_verdict(tmp_path):
    found = record("photos", tmp_path)
    assert found["images"] == 30
    assert set(found["variants"]) == {"logistic", "majority"}
    assert found["variants"]["logistic"]["outcome"] == "baseline"
    assert found["commands"]["new"]["seconds"] > 0
