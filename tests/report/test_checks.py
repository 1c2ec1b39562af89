"""Each check on results that it must report, and on similar ones that it must not."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from benchmarks.inputs import ROOT
from stages.report import checks
from stages.settings.sections import Check
from stages.statistics.metrics import METRICS
from tests.report import made

FOLDS, EPOCHS, IMAGES = 5, 8, 1000
FALLING = np.geomspace(1, 0.1, EPOCHS)


def result(
    accuracy=(0.9, 0.91, 0.92, 0.9, 0.91),
    val_loss=FALLING,
    training_accuracy=0.95,
    architecture="basic",
    augmentation=(),
    selected=EPOCHS,
    images=IMAGES / FOLDS,
    **train,
):
    """Return a variant's results with these curves in all folds, which differ slightly."""
    losses = np.asarray(val_loss) * (1 + 0.01 * np.arange(FOLDS)[:, None])
    epoch = np.tile(np.arange(1, EPOCHS + 1), FOLDS)
    history = {
        "fold": np.repeat(np.arange(FOLDS), EPOCHS),
        "epoch": epoch,
        "val_loss": losses.ravel(),
        "accuracy": np.full(FOLDS * EPOCHS, training_accuracy),
        "selected": epoch == selected,
    }
    settings = {
        "architecture": {"name": architecture},
        "augmentation": [*augmentation],
        "train": {"epochs": EPOCHS, "schedule": {"name": "cosine"}} | train,
    }
    return made.result(
        accuracy=np.array(accuracy),
        scores={"balanced_accuracy": np.array(accuracy)},
        images=np.broadcast_to(images, FOLDS),
        history=history,
        training={"settings": settings},
    )


def found(few=(100, 100), validated=(500, 500), ignore=(), rope=0.5, **results):
    """Return a comparison of these results; the first is the baseline."""
    rows = [
        made.row(name, "undecided", cv_mean=one.accuracy.mean(), p=0.5)
        for name, one in results.items()
    ]
    rows[0] |= {"p": None, "ci_low": None, "ci_high": None}
    comparison = made.comparison(*rows, results=results, rope=rope, ignore=ignore)
    counts = {"train": {"per_class": validated}, "test": {"per_class": few}}
    dataset = comparison.dataset | {"classes": ["cat", "dog"]} | counts
    return comparison._replace(baseline=next(iter(results)), dataset=dataset)


def codes(comparison):
    return {one.code: one.variants for one in checks.findings(comparison)}


def test_near_duplicates_matter_if_training_and_test_set_share_them():
    sound = found(basic=result(), other=result())
    for between, expected in ((0, {}), (2, {"near-duplicates": []})):
        near = {"near_duplicates": {"searched": True, "groups": 9, "between": between}}
        assert codes(sound._replace(dataset=sound.dataset | near)) == expected


def test_sound_results_pass():
    assert codes(found(basic=result(), other=result())) == {}


@pytest.mark.parametrize(("architecture", "accuracy"), [("majority", 0.908), ("logistic", 0.95)])
def test_a_network_that_a_simple_row_beats_is_named(architecture, accuracy):
    simple = result([accuracy] * FOLDS, architecture=architecture)
    good = result([0.96] * FOLDS)
    assert codes(found(basic=result(), good=good, simple=simple)) == {"beaten-by-simple": ["basic"]}
    assert codes(found(good=good, simple=simple)) == {}


@pytest.mark.parametrize("accuracy", [[0.5] * FOLDS, [0.4, 0.6, 0.5, 0.7, 0.6]])
def test_a_network_that_may_only_guess_is_named(accuracy):
    guessing = result(accuracy, training_accuracy=0.5, images=10)
    expected = {"no-better-than-guessing": ["basic"]}
    assert codes(found(basic=guessing)) == expected
    frequent = result(accuracy, training_accuracy=0.5, images=10, architecture="majority")
    assert codes(found(majority=frequent)) == {}
    learned = result([0.7, 0.75, 0.8, 0.7, 0.75], training_accuracy=0.7, images=10)
    assert codes(found(basic=learned)) == {}


def test_few_validation_images_matter_to_a_mean_over_classes():
    few = found(validated=(1000, 20), basic=result())
    assert codes(few) == {}
    (finding,) = checks.findings(few._replace(metric=METRICS["balanced_accuracy"]))
    assert finding.code == "few-validation-images"
    assert "`dog` (4)" in finding.text
    assert "12.5 points" in finding.text
    enough = found(validated=(1000, 25), basic=result())
    assert codes(enough._replace(metric=METRICS["macro_f1"])) == {}


@pytest.mark.parametrize(
    ("force", "expected"), [(True, {"unchecked-model": ["go_on"]}), (False, {})]
)
def test_a_saved_model_that_may_have_seen_the_images_is_named(force, expected):
    go_on = result(architecture="from_model")
    go_on.training["settings"]["architecture"]["arguments"] = {"force": force}
    assert codes(found(basic=result(), go_on=go_on)) == expected


def test_a_member_that_starts_from_a_saved_model_counts_for_its_ensemble():
    vote, member = result(), {"architecture": {"name": "from_model", "arguments": {"force": True}}}
    vote.training["settings"] = {"ensemble": {"go_on": member, "other": {}}}
    assert codes(found(basic=result(), vote=vote)) == {"unchecked-model": ["vote"]}


def test_a_loss_that_rises_again_is_overfitting_unless_the_best_epoch_is_kept():
    rising = [1, 0.5, 0.2, 0.15, 0.2, 0.25, 0.3, 0.4]
    assert codes(found(basic=result(val_loss=rising))) == {"overfits": ["basic"]}
    stopped = result(val_loss=rising, selected=4, early_stopping={"patience": 4})
    assert codes(found(basic=stopped)) == {}
    assert codes(found(basic=result(val_loss=[*FALLING[:-1], 1.05 * FALLING[-2]]))) == {}


def test_a_rise_in_one_fold_alone_is_not_overfitting():
    one = result(val_loss=[1, 0.5, 0.2, 0.15, 0.15, 0.15, 0.15, 0.15])
    one.history["val_loss"].reshape(FOLDS, EPOCHS)[0, -1] = 0.9
    assert codes(found(basic=one)) == {}


def test_a_loss_that_still_falls_asks_for_epochs_if_the_schedule_allows_the_conclusion():
    constant = {"schedule": {"name": "constant"}}
    assert codes(found(basic=result(**constant))) == {"too-few-epochs": ["basic"]}
    assert codes(found(basic=result())) == {}  # cosine
    flat = [*FALLING[:4], *[FALLING[4]] * 4]
    assert codes(found(basic=result(val_loss=flat, **constant))) == {}
    stopping = {"early_stopping": {"patience": 3}}
    assert codes(found(basic=result(**stopping))) == {"too-few-epochs": ["basic"]}
    assert codes(found(basic=result(selected=EPOCHS - 2, **stopping))) == {}


def test_a_last_epoch_that_was_scored_on_other_images_does_not_count():
    better = [*FALLING[:4], *[FALLING[4]] * 3, 0.8 * FALLING[4]]
    one = result(val_loss=better, schedule={"name": "constant"})
    assert codes(found(basic=one)) == {"too-few-epochs": ["basic"]}
    one.training["curve_images"] = 100  # of the earlier epochs
    assert codes(found(basic=one)) == {}
    rising = result(val_loss=[1, 0.5, 0.2, 0.15, 0.2, 0.25, 0.3, 0.1])
    rising.training["curve_images"] = 100
    assert codes(found(basic=rising)) == {"overfits": ["basic"]}


def test_a_network_that_cannot_fit_its_training_images_underfits():
    good = result([0.98] * FOLDS)
    poor = {"training_accuracy": 0.9}
    assert codes(found(good=good, poor=result(**poor))) == {"underfits": ["poor"]}
    assert codes(found(good=good, poor=result(augmentation=["flip"], **poor))) == {}
    assert codes(found(poor=result(**poor))) == {}  # nothing is better
    early = result([0.98] * FOLDS, training_accuracy=0.9)  # as after a single epoch, with dropout
    assert codes(found(good=good, early=early)) == {}


def test_folds_that_differ_by_more_than_chance_are_named():
    spread = result([0.7, 0.9, 0.95, 0.9, 0.92])
    assert codes(found(basic=spread)) == {"folds-disagree": ["basic"]}
    assert codes(found(basic=result([1.0] * FOLDS, training_accuracy=1.0))) == {}
    of_one_group = [IMAGES - 40, 10, 10, 10, 10]  # the same scores, but of few images in most folds
    assert codes(found(basic=result([0.9, 0.7, 0.95, 0.9, 0.92], images=of_one_group))) == {}


def test_a_rope_that_no_interval_fits_into_is_named():
    assert codes(found(rope=0.001, basic=result(), other=result())) == {"rope-too-narrow": []}
    assert codes(found(rope=0.001, basic=result())) == {}  # nothing is tested
    assert codes(found(rope=0.0, basic=result(), other=result())) == {}


def test_classes_with_few_test_images_are_named():
    (finding,) = checks.findings(found(few=(29, 30), basic=result()))
    assert finding.code == "few-test-images"
    assert "`cat` (29)" in finding.text
    assert "dog" not in finding.text


def test_warnings_come_first_and_a_check_can_be_left_out():
    one = found(few=(3, 3), basic=result([0.7, 0.9, 0.95, 0.9, 0.92]))
    assert [*codes(one)] == ["folds-disagree", "few-test-images"]
    assert [*codes(one._replace(ignore=["folds-disagree"]))] == ["few-test-images"]


def test_an_ensemble_has_no_curves_to_check():
    history = {key: np.array([]) for key in result().history}
    ensemble = result()._replace(history=history, training={"settings": {"ensemble": {}}})
    assert codes(found(basic=result(), vote=ensemble)) == {}


def test_many_variants_are_counted_not_listed():
    many = {f"v{n}": result([0.7, 0.9, 0.95, 0.9, 0.92]) for n in range(9)}
    (finding,) = checks.findings(found(**many))
    assert len(finding.variants) == 9
    assert "and 5 more" in finding.text


def test_the_page_has_a_row_for_each_code():
    page = Path(ROOT, "docs/reading_results.md").read_text(encoding="utf-8")
    for code in get_args(Check):
        assert f"\n| `{code}` |" in page
    assert yaml.safe_load(Path(ROOT, "params.yaml").read_text())["compare"]["ignore"] == []
