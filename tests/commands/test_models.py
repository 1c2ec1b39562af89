"""How models are found; their use is tested in test_predict.py."""

import numpy as np

from stages.commands import models
from stages.files import sha256, write_table
from stages.settings import params
from tests.prepared import edit
from tests.refusals import refused


def test_what_is_missing_or_of_other_data_is_made_by_a_stage_only_if_it_is_compared(repository):
    record, dataset = repository / "results/basic/training.json", {"sha256": "0"}
    with refused("was trained on other data .*; run `dvc repro train@basic`"):
        models.find("basic", dataset, repository)
    with refused("third/model.keras is missing; run `dvc pull`, or run `dvc repro train@third`"):
        models.find("third", dataset, repository)
    edit(repository, {"compare": {"variants": ["other"], "baseline": "other"}})
    with refused("other data .*; add basic to compare.variants and run `dvc repro`"):
        models.find("basic", dataset, repository)
    record.unlink()
    with refused("training.json is missing; add basic to compare.variants and run `dvc repro`"):
        models.find("basic", dataset, repository)


def test_a_comparison_of_rows_that_are_gone_is_refused(repository):
    write_table(repository / "results/comparison.csv", ("variant", "cv_mean"), [("gone", 0.9)])
    with refused("'gone', which params.yaml does not have; run `dvc repro`"):
        models.find("", {}, repository)
    with refused("'gone'"):
        models.compared(params.load())


def test_predictions_are_of_a_model_if_they_name_its_digest(repository):
    model = repository / "results/basic/model.keras"
    for digest in (sha256(model), "0" * 64):
        np.savez(model.with_name("predictions.npz"), model_sha256=np.array(digest))
        assert models.is_scored(model) == (digest != "0" * 64)
    model.with_name("predictions.npz").unlink()
    assert not models.is_scored(model)
