from pathlib import Path

import pytest

from stages import params
from stages.tracking import record, store
from tests.tracking.made_results import fingerprint, identity, make_repository, make_results


@pytest.fixture
def registry():
    from stages.tracking import registry

    return registry


def publish(*variants):
    from stages.tracking import runs

    with store.opened("foldlab") as (client, experiment_id):
        for variant in variants:
            found = record.read(variant, params.load())
            runs.publish(client, experiment_id, found, "foldlab")


def crown(client, registry, names, test):
    versions = [registry.find(client, "foldlab", identity(name)) for name in names]
    return registry.crown(client, "foldlab", versions, test)


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
def test_the_champions_rule(registry, champion, same_data, difference, p, moves):
    moved, reason = registry.decide("other", champion, same_data, difference, p)
    assert moved is moves
    assert reason.startswith("other ")
    assert reason.endswith(".")
    assert champion is None or champion in reason


def test_the_reason_holds_the_numbers(registry):
    moved, _ = registry.decide("other", "basic", True, 0.2, 0.0, by_hand=True)
    assert not moved
    _, reason = registry.decide("other", "basic", True, 0.0123, 0.0456)
    assert "+0.0123" in reason
    assert "p = 0.0456" in reason


def test_the_best_of_many_needs_a_smaller_p(registry):
    moved, reason = registry.decide("other", "basic", True, 0.01, 0.02, rivals=2)
    assert moved
    assert "p = 0.0400 by the corrected resampled t test" in reason
    moved, reason = registry.decide("other", "basic", True, 0.01, 0.02, rivals=3)
    assert not moved
    assert "p = 0.0600 by the corrected resampled t test" in reason
    _, reason = registry.decide("other", "basic", True, 0.01, 0.4, rivals=3)
    assert "p = 1.0000" in reason


def aliases(registry, client):
    """Return {alias: variant} and {variant: reason}."""
    model = client.get_registered_model("foldlab")
    versions = client.search_model_versions("name = 'foldlab'")
    variant = {str(version.version): version.tags["variant"] for version in versions}
    reasons = {v.tags["variant"]: v.tags.get(registry.REASON) for v in versions}
    return {alias: variant[str(v)] for alias, v in model.aliases.items()}, reasons


def test_the_crown_goes_by_the_rule(repository, registry):
    make_repository(repository, "basic", "other", "third")
    publish("basic", "other", "third")
    seen = []

    def test(champion, candidate):
        seen.append((list(champion), list(candidate)))
        return sum(candidate) / 2 - sum(champion) / 2, 0.024 if len(seen) == 2 else 0.026

    with store.opened("foldlab") as (client, _):
        crown(client, registry, ["basic", "other"], test)
        assert seen == []
        names, reasons = aliases(registry, client)
        assert names == {"champion": "basic", "challenger": "other"}
        assert "there was none" in reasons["basic"]

        reason = crown(client, registry, ["third", "other", "basic"], test)
        assert seen == [([0.9, 0.901], [0.92, 0.921])]
        names, reasons = aliases(registry, client)
        assert names == {"champion": "basic", "challenger": "third"}
        assert reasons["third"] == reason
        assert "does not replace" in reason
        assert "there was none" in reasons["basic"]

        crown(client, registry, ["third", "other", "basic"], test)
        names, reasons = aliases(registry, client)
        assert names == {"champion": "third", "challenger": "other"}
        assert "third (version 3) replaces basic (version 1)" in reasons["third"]

        crown(client, registry, ["third", "other", "basic"], test)
        assert len(seen) == 2
        assert aliases(registry, client) == (names, reasons)

        crown(client, registry, ["third"], test)
        assert aliases(registry, client)[0] == {"champion": "third"}


def test_a_champion_of_other_data_stays(repository, registry):
    publish("basic")
    with store.opened("foldlab") as (client, _):
        crown(client, registry, ["basic"], None)
    for name in ("data/prepared/dataset.json", "results/basic/training.json"):
        text = Path(name).read_text().replace("3a6eb079", "00000000")
        Path(name).write_text(text.replace(fingerprint("basic"), fingerprint("new data")))
    publish("basic")
    with store.opened("foldlab") as (client, _):
        reason = crown(client, registry, ["basic"], None)
        assert "different data" in reason
        assert str(client.get_registered_model("foldlab").aliases["champion"]) == "1"


def test_a_refused_version_that_gets_the_alias_elsewhere_has_a_reason_that_says_so(
    repository, registry
):
    make_repository(repository, "basic", "other")
    publish("basic", "other")

    def undecided(champion, candidate):
        return 0.1, 0.5

    with store.opened("foldlab") as (client, _):
        crown(client, registry, ["basic", "other"], undecided)
        crown(client, registry, ["other", "basic"], undecided)
        other = registry.find(client, "foldlab", identity("other"))
        assert other.tags[registry.REFUSED] == "true"
        client.set_registered_model_alias("foldlab", "champion", other.version)
        for _ in range(2):
            reason = crown(client, registry, ["other", "basic"], undecided)
            assert "outside this repository" in reason
            other = registry.find(client, "foldlab", identity("other"))
            assert other.tags[registry.REASON] == reason
            assert other.tags[registry.REFUSED] == "false"


def promoted(client, registry, variant, why=""):
    version = registry.find(client, "foldlab", identity(variant))
    return registry.promote(client, "foldlab", version, "anna", why)


def test_a_hand_may_promote(repository, registry):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["basic", "other"]
    with store.opened("foldlab") as (client, _):
        crown(client, registry, ranking, None)
        reason = promoted(client, registry, "other", "it is smaller")
        assert reason == "other (version 2) was made champion by hand by anna: it is smaller."
        assert aliases(registry, client) == (
            {"champion": "other", "challenger": "basic"},
            {"basic": reason, "other": reason},
        )


def test_what_a_hand_promoted_stays_until_a_hand_releases_it(repository, registry):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["other", "basic"]

    def better(champion, candidate):
        return 0.1, 0.001

    with store.opened("foldlab") as (client, _):
        promoted(client, registry, "basic")
        for _ in range(2):
            reason = crown(client, registry, ranking, better)
            assert "does not replace basic (version 1), which was made champion by hand" in reason
            names, reasons = aliases(registry, client)
            assert names == {"champion": "basic", "challenger": "other"}
            assert reasons["other"] == reason
            assert reasons["basic"] == "basic (version 1) was made champion by hand by anna."
        assert registry.release(client, "foldlab").tags["variant"] == "basic"
        reason = crown(client, registry, ranking, better)
        assert aliases(registry, client)[0]["champion"] == "other"
        assert aliases(registry, client)[1] == {"basic": reason, "other": reason}


def test_a_second_hand_frees_the_first_champion(repository, registry):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    with store.opened("foldlab") as (client, _):
        promoted(client, registry, "basic")
        promoted(client, registry, "other")
        first = registry.find(client, "foldlab", identity("basic"))
        assert first.tags[registry.BY_HAND] == "false"


def test_an_alias_set_in_mlflow_s_pages_is_said_to_be_that(repository, registry):
    make_repository(repository, "basic", "other")
    publish("basic", "other")
    ranking = ["other", "basic"]
    with store.opened("foldlab") as (client, _):
        crown(client, registry, ranking[1:], None)
        crown(client, registry, ranking, lambda champion, candidate: (0.1, 0.2))
        client.set_registered_model_alias("foldlab", "champion", "2")
        reason = crown(client, registry, ranking, None)
        assert reason == "other (version 2) is champion: its alias was set outside this repository."
        assert crown(client, registry, ranking, None) == reason
        assert aliases(registry, client)[1]["other"] == reason


def test_a_model_name_with_a_quote(repository, registry):
    from stages.tracking import runs

    found = record.read("basic", params.load())
    for _ in range(2):
        with store.opened("foldlab") as (client, experiment_id):
            runs.publish(client, experiment_id, found, "anna's model")
            assert len(client.search_model_versions("")) == 1


def test_a_version_is_found_by_fingerprint_and_results_together(repository, registry):
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
        found = [registry.find(client, "foldlab", each).version for each in known]
        assert [str(version) for version in found] == ["1", "2", "3"]
        never = known[0]._replace(results_sha256=record.sha256(path))
        assert registry.find(client, "foldlab", never) is None
