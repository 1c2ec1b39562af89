"""How models are found; their use is tested in test_predict.py."""

from stages.commands import models
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
