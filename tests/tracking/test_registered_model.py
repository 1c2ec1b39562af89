from pathlib import Path

import pytest

from stages.settings import params
from stages.tracking import record, store
from tests.tracking.made_results import fingerprint, identity, make_repository, make_results


@pytest.fixture
def registered_model():
    from stages.tracking import registered_model

    return registered_model


def publish(*variants):
    from stages.tracking import runs

    with store.opened("foldlab") as (client, experiment_id):
        for variant in variants:
            found = record.read(variant, params.load())
            runs.publish(client, experiment_id, found, "foldlab")


def crown(client, registered_model, names, test):
    versions = [registered_model.find(client, "foldlab", identity(name)) for name in names]
    return registered_model.crown(client, "foldlab", versions, test)


@pytest.mark.parametrize(
    ("champion", "same_data", "difference", "p", "moves"),
    [
        (None, True, 0.0, 1.0, True),
        (None, False, -0.1, 0.0, True),
        ("basic", True, 0.002, 0.01, True),
        ("basic", True, 0.002, 0.05, False),
        ("basic", True, 0.002, 0.06, False),
        ("basic", True, -0.002, 0.01, False),
        ("basic", True, 0.0, 0.0, False),
        ("basic", True, float("nan"), float("nan"), False),
        ("basic", False, 0.2, 0.0, False),
    ],
)
def test_the_champions_rule(registered_model, champion, same_data, difference, p, moves):
    moved, reason = registered_model.decide("other", champion, same_data, difference, p)
    assert moved is moves
    assert reason.startswith("other ")
    assert reason.endswith(".")
    assert champion is None or champion in reason


def test_the_reason_holds_the_numbers(registered_model):
    moved, _ = registered_model.decide("other", "basic", True, 0.2, 0.0, by_hand=True)
    assert not moved
    _, reason = registered_model.decide("other", "basic", True, 0.0123, 0.0456)
    assert "+0.0123" in reason
    assert "p = 0.0456" in reason


def test_the_best_of_many_needs_a_smaller_p(registered_model):
    moved, reason = registered_model.decide("other", "basic", True, 0.01, 0.02, rivals=2)
    assert moved
    assert "p = 0.0400 by the corrected resampled t test" in reason
    moved, reason = registered_model.decide("other", "basic", True, 0.01, 0.02, rivals=3)
    assert not moved
    assert "p = 0.0600 by the corrected resampled t test" in reason
    _, reason = registered_model.decide("other", "basic", True, 0.01, 0.4, rivals=3)
    assert "p = 1.0000" in reason


def aliases(registered_model, client):
    """Return {alias: variant} and {variant: reason}."""
    model = client.get_registered_model("foldlab")
    versions = client.search_model_versions("name = 'foldlab'")
    variant = {str(version.version): version.tags["variant"] for version in versions}
    reasons = {v.tags["variant"]: v.tags.get(registered_model.REASON) for v in versions}
    return {alias: variant[str(v)] for alias, v in model.aliases.items()}, reasons


def test_the_crown_goes_by_the_rule(repository, registered_model):
    make_repository(repository, "basic", "other", "third")
    publish("basic", "other", "third")
    seen = []

    def test(champion, candidate):
        seen.append((list(champion), list(candidate)))
        return sum(candidate) / 2 - sum(champion) / 2, 0.024 if len(seen) == 2 else 0.026

    with store.opened("foldlab") as (client, _):
        crown(client, registered_model, ["basic", "other"], test)
        assert seen == []
        names, reasons = aliases(registered_model, client)
        assert names == {"champion": "basic", "challenger": "other"}
        assert "there was none" in reasons["basic"]

        reason = crown(client, registered_model, ["third", "other", "basic"], test)
        assert seen == [([0.9, 0.901], [0.92, 0.921])]
        names, reasons = aliases(registered_model, client)
        assert names == {"champion": "basic", "challenger": "third"}
        assert reasons["third"] == reason
        assert "does not replace" in reason
        assert "there was none" in reasons["basic"]

        crown(client, registered_model, ["third", "other", "basic"], test)
        names, reasons = aliases(registered_model, client)
        assert names == {"champion": "third", "challenger": "other"}
        assert "third (version 3) replaces basic (version 1)" in reasons["third"]

        crown(client, registered_model, ["third", "other", "basic"], test)
        assert len(seen) == 2
        assert aliases(registered_model, client) == (names, reasons)

        crown(client, registered_model, ["third"], test)
        assert aliases(registered_model, client)[0] == {"champion": "third"}


def test_a_champion_of_other_data_stays(repository, registered_model):
    publish("basic")
    with store.opened("foldlab") as (client, _):
        crown(client, registered_model, ["basic"], None)
    for name in ("data/prepared/dataset.json", "results/basic/training.json"):
        text = Path(name).read_text().replace("3a6eb079", "00000000")
        Path(name).write_text(text.replace(fingerprint("basic"), fingerprint("new data")))
    publish("basic")
    with store.opened("foldlab") as (client, _):
        reason = crown(client, registered_model, ["basic"], None)
        assert "different data" in reason
        assert str(client.get_registered_model("foldlab").aliases["champion"]) == "1"


def test_a_refused_version_that_gets_the_alias_elsewhere_has_a_reason_that_says_so(
    repository, registered_model
):
    make_repository(repository, "basic", "other")
    publish("basic", "other")

    def undecided(champion, candidate):
        return 0.1, 0.5

    with store.opened("foldlab") as (client, _):
        crown(client, registered_model, ["basic", "other"], undecided)
        crown(client, registered_model, ["other", "basic"], undecided)
        other = registered_model.find(client, "foldlab", identity("other"))
        assert other.tags[registered_model.REFUSED] == "true"
        client.set_registered_model_alias("foldlab", "champion", other.version)
        for _ in range(2):
            reason = crown(client, registered_model, ["other", "basic"], undecided)
            assert "outside this repository" in reason
            other = registered_model.find(client, "foldlab", identity("other"))
            assert other.tags[registered_model.REASON] == reason
            assert other.tags[registered_model.REFUSED] == "false"


def promoted(client, registered_model, variant, why=""):
    version = registered_model.find(client, "foldlab", identity(variant))
    return registered_model.promote(client, "foldlab", version, "anna", why)


def test_a_hand_may_promote(repository, registered_model):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["basic", "other"]
    with store.opened("foldlab") as (client, _):
        crown(client, registered_model, ranking, None)
        reason = promoted(client, registered_model, "other", "it is smaller")
        assert reason == "other (version 2) was made champion by hand by anna: it is smaller."
        assert aliases(registered_model, client) == (
            {"champion": "other", "challenger": "basic"},
            {"basic": reason, "other": reason},
        )


def test_what_a_hand_promoted_stays_until_a_hand_releases_it(repository, registered_model):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["other", "basic"]

    def better(champion, candidate):
        return 0.1, 0.001

    with store.opened("foldlab") as (client, _):
        promoted(client, registered_model, "basic")
        for _ in range(2):
            reason = crown(client, registered_model, ranking, better)
            assert "does not replace basic (version 1), which was made champion by hand" in reason
            names, reasons = aliases(registered_model, client)
            assert names == {"champion": "basic", "challenger": "other"}
            assert reasons["other"] == reason
            assert reasons["basic"] == "basic (version 1) was made champion by hand by anna."
        assert registered_model.release(client, "foldlab").tags["variant"] == "basic"
        reason = crown(client, registered_model, ranking, better)
        assert aliases(registered_model, client)[0]["champion"] == "other"
        assert aliases(registered_model, client)[1] == {"basic": reason, "other": reason}


def test_a_second_hand_frees_the_first_champion(repository, registered_model):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    with store.opened("foldlab") as (client, _):
        promoted(client, registered_model, "basic")
        promoted(client, registered_model, "other")
        first = registered_model.find(client, "foldlab", identity("basic"))
        assert first.tags[registered_model.BY_HAND] == "false"


def test_an_alias_set_in_mlflow_s_pages_is_said_to_be_that(repository, registered_model):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["other", "basic"]
    with store.opened("foldlab") as (client, _):
        crown(client, registered_model, ranking[1:], None)
        crown(client, registered_model, ranking, lambda champion, candidate: (0.1, 0.2))
        client.set_registered_model_alias("foldlab", "champion", "2")
        reason = crown(client, registered_model, ranking, None)
        assert reason == "other (version 2) is champion: its alias was set outside this repository."
        assert crown(client, registered_model, ranking, None) == reason
        assert aliases(registered_model, client)[1]["other"] == reason


def test_a_model_name_with_a_quote(repository, registered_model):
    from stages.tracking import runs

    found = record.read("basic", params.load())
    for _ in range(2):
        with store.opened("foldlab") as (client, experiment_id):
            runs.publish(client, experiment_id, found, "anna's model")
            assert len(client.search_model_versions("")) == 1


def test_a_version_is_found_by_fingerprint_and_results_together(repository, registered_model):
    publish("basic")
    known = [identity("basic")]
    make_results(repository / "results" / "basic", "basic", 2, 2, better=0.01)
    publish("basic")
    known.append(identity("basic"))
    path = Path("results/basic/training.json")
    path.write_text(path.read_text().replace(fingerprint("basic"), fingerprint("longer")))
    publish("basic")
    known.append(identity("basic"))
    with store.opened("foldlab") as (client, _):
        found = [registered_model.find(client, "foldlab", each).version for each in known]
        assert [str(version) for version in found] == ["1", "2", "3"]
        never = known[0]._replace(results_sha256=record.sha256(path))
        assert registered_model.find(client, "foldlab", never) is None
