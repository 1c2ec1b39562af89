import json

import pytest

from stages.files import read_json, read_table
from stages.settings.sections import Tracking
from stages.tracking import note, store, view
from tests.tracking.logged import compare, runs_of
from tests.tracking.made_results import (
    everything,
    identity,
    make_repository,
    make_results,
)

pytestmark = pytest.mark.slow


def notes(root):
    return {
        name: run["tags"]["mlflow.note.content"] for name, run in runs_of(root, "parent").items()
    }


def test_a_run_has_the_comparison_once_and_each_variant_its_verdict(repository):
    make_repository(repository, "basic", "other")
    verdict = "better by 5.00 points (95 % 1.00 to 9.00)"
    run_id = compare(verdict)
    before = everything(repository)
    assert compare(verdict) == run_id
    assert everything(repository) == before
    shown = f"{verdict}, against basic"
    link = f"([comparison]({view.run('1', run_id)}))"
    expected = {"basic": f"baseline {link}\n\nThe baseline.", "other": f"{shown} {link}"}
    assert notes(repository) == expected
    tags = {name: run["tags"] for name, run in runs_of(repository, "parent").items()}
    assert tags["other"]["foldlab.verdict"] == shown
    texts = {"verdict": "better", "difference": "+1.00 (-0.50 to 2.50)", "results": "current"}
    assert tags["other"].items() >= texts.items()
    assert tags["basic"].items() >= {"verdict": "baseline", "difference": "-"}.items()
    shown = [row["value"] for row in before["model_version_tags"] if row["key"] == "difference"]
    assert sorted(shown) == ["+1.00 (-0.50 to 2.50)", "-"]
    (run,) = runs_of(repository, "comparison").values()
    assert run["tags"]["mlflow.note.content"] == "| a | b |"
    assert run["run"]["status"] == "FINISHED"
    assert run["latest"] == {}  # its table is in the description
    folder = repository / "mlartifacts" / run_id / "artifacts"
    names = {path.name for path in folder.rglob("*.*")}
    assert names == {"comparison.csv", "comparison.md", "comparison.png"}


def test_a_run_of_an_older_version_gets_changed_files_and_its_description_unless_edited(repository):
    make_repository(repository, "basic", "other")
    run_id = compare("better")
    path = repository / "results/comparison.md"

    def described(text):
        """Log the comparison with another comparison.md; return the description."""
        path.write_text(f"# Comparison\n\n{text}\n")
        with store.opened(Tracking()) as client:
            rows = read_table(repository / "results/comparison.csv")
            found = [identity(row["variant"]) for row in rows]
            assert comparison.show(client, rows, found, [None, None]) == run_id
            return client.get_run(run_id).data.tags[note.NOTE]

    from stages.tracking import comparison

    with store.opened(Tracking()) as client:
        client.delete_tag(run_id, "files_sha256")  # which older versions did not set
    assert described("New.") == "New."
    stored = repository / "mlartifacts" / run_id / "artifacts/comparison.md"
    assert stored.read_text() == path.read_text()
    with store.opened(Tracking()) as client:
        client.set_tag(run_id, note.NOTE, "Mine.")
    assert described("Newer.") == "Mine."
    assert stored.read_text() == path.read_text()


def test_a_score_that_changed_is_shown_although_the_clock_was_set_back(repository, monkeypatch):
    make_repository(repository, "basic", "other")
    compare("better")
    monkeypatch.setattr("time.time", lambda: 1.0)
    compare("better", other=0.97)
    once = runs_of(repository, "parent")["other"]
    assert once["latest"][view.SCORE] == 0.97
    compare("better", other=0.97)
    assert runs_of(repository, "parent")["other"]["points"] == once["points"]


def test_a_description_that_begins_like_a_verdict_is_kept(repository):
    path = repository / "results/basic/training.json"
    content = read_json(path) | {"description": "baseline of last year\n\nWith dropout."}
    path.write_text(json.dumps(content))
    make_results(repository / "results/other", "other", 2, 2, better=0.01)
    for _ in range(2):
        compare("better")
        assert notes(repository)["basic"].endswith("\n\nbaseline of last year\n\nWith dropout.")


def test_a_new_verdict_replaces_the_old_one_but_no_comparison_and_no_words(repository):
    make_repository(repository, "basic", "other")
    first = compare("better")
    with store.opened(Tracking()) as client:
        (run,) = client.search_runs([client.experiment_id], "attributes.run_name = 'basic'")
        note = run.data.tags["mlflow.note.content"].replace("The baseline.", "Mine.")
        client.set_tag(run.info.run_id, "mlflow.note.content", note)
    second = compare("undecided")
    assert second != first
    link = f"([comparison]({view.run('1', second)}))"
    expected = {"basic": f"baseline {link}\n\nMine.", "other": f"undecided, against basic {link}"}
    assert notes(repository) == expected
    kinds = [row["value"] for row in everything(repository)["tags"] if row["key"] == "foldlab.kind"]
    assert kinds.count("comparison") == 2


def test_runs_of_results_that_are_no_longer_compared_are_stale(repository):
    """Only if this checkout has compared them: those of another checkout stay current."""
    make_repository(repository, "basic", "other")
    compare("better")
    made = {run.info.run_id: run.data.tags for run in parents()}
    make_results(repository / "results/other", "other", 2, 2, better=0.03)
    foreign = next(iter(made))
    with store.opened(Tracking()) as client:
        copied = {key: made[foreign][key] for key in ("foldlab.kind", "results")}
        elsewhere = client.create_run("1", tags={**copied, "foldlab.checkout": "another"})
    compare("better")
    states = {run.info.run_id: run.data.tags["results"] for run in parents()}
    variants = {run_id: tags["variant"] for run_id, tags in made.items()}
    assert {variants[run_id]: states.pop(run_id) for run_id in made} == {
        "basic": "current",
        "other": "stale",
    }
    assert states.pop(elsewhere.info.run_id) == "current"
    assert list(states.values()) == ["current"]  # the new run of `other`


def parents():
    with store.opened(Tracking()) as client:
        return client.search_runs([client.experiment_id], "tags.`foldlab.kind` = 'parent'")
