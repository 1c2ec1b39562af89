from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import champion, record, store
from stages.tracking.champion import BY_HAND, REASON, REFUSED, REPLACED
from tests.tracking.logged import aliases
from tests.tracking.made_results import fingerprint, identity, make_results


def publish(client, *variants):
    from stages.tracking import runs

    for variant in variants:
        runs.publish(client, record.read(variant, params.load()))


@pytest.fixture
def client(two_published):
    """Return the client of the store; a third variant also has results."""
    make_results(Path("results/third"), "third", 5, 2, better=0.02)
    with store.opened(Tracking()) as client:
        yield client


def version(client, name):
    from stages.tracking import runs

    return runs.look_up(client, identity(name))[1]


def choose_champion(client, *ranking, p=None):
    """Apply the rule with this p; without one, it must not need a test."""
    found = [version(client, name) for name in ranking]
    versions = [one for one in found if one]  # the others are not published
    compared = [identity(name) for name in ranking]
    test = p and (lambda differences: {"difference": differences.mean(), "p": p})
    return champion.choose(client, versions, compared, test)


def promote(client, name, why=""):
    return champion.promote(client, version(client, name), "anna", why)


def tag(client, name, key=REASON):
    return version(client, name).tags.get(key)


@pytest.mark.parametrize(
    ("tested", "rivals", "moves", "shown"),
    [
        ((0.0123, 0.0456), 1, True, "+0.0123 in accuracy, p = 0.0456 "),
        ((0.002, 0.05), 1, False, "p = 0.0500"),
        ((-0.002, 0.01), 1, False, "-0.0020"),
        ((0.0, 0.0), 1, False, "p = 0.0000"),
        ((float("nan"), float("nan")), 1, False, "nan"),
        ((0.01, 0.02), 2, True, "p = 0.0400"),
        ((0.01, 0.02), 3, False, "p = 0.0600"),
        ((0.01, 0.4), 3, False, "p = 1.0000"),
    ],
)
def test_the_champion_rule(monkeypatch, tested, rivals, moves, shown):
    scores = {"other": {0: 0.93, 1: 0.95}, "basic": {0: 0.9, 1: 0.91}}
    monkeypatch.setattr(champion, "_fold_scores", lambda _, v, metric: scores[v.name])
    new, old = (SimpleNamespace(name=name, tags={"variant": name}, version=1) for name in scores)

    def test(differences):
        np.testing.assert_allclose(differences, [0.03, 0.04])
        return dict(zip(("difference", "p"), tested, strict=True))

    moved, reason = champion.decide(None, new, old, test, rivals)
    assert moved is moves
    assert {"other", "basic"} <= set(reason.split())
    assert shown in reason


@pytest.mark.slow
def test_a_better_candidate_needs_the_test(client):
    publish(client, "third")
    ranking = ["third", "other", "basic"]
    choose_champion(client, "basic", "other")
    assert aliases(client) == {"champion": "basic", "challenger": "other"}
    assert "there was none" in tag(client, "basic")

    reason = choose_champion(client, *ranking, p=0.026)
    assert aliases(client) == {"champion": "basic", "challenger": "third"}
    assert tag(client, "third") == reason
    assert "does not replace" in reason
    assert "there was none" in tag(client, "basic")

    reason = choose_champion(client, *ranking, p=0.024)
    assert aliases(client) == {"champion": "third", "challenger": "other"}
    assert "third (version 3) replaces basic (version 1)" in reason
    assert choose_champion(client, *ranking) == reason == tag(client, "basic")

    choose_champion(client, "third")
    assert aliases(client) == {"champion": "third"}


def test_a_rival_that_is_not_published_counts(client):
    choose_champion(client, "basic")
    assert "does not replace" in choose_champion(client, "other", "third", "basic", p=0.026)
    assert "replaces" in choose_champion(client, "other", "third", "basic", p=0.024)


def test_a_champion_of_other_data_stays(client):
    choose_champion(client, "basic")
    for name in ("data/prepared/dataset.json", "results/other/training.json"):
        Path(name).write_text(Path(name).read_text().replace("3a6eb079", "00000000"))
    path = Path("results/other/training.json")
    path.write_text(path.read_text().replace(fingerprint("other"), fingerprint("new data")))
    publish(client, "other")
    assert "different data" in choose_champion(client, "other")
    assert aliases(client)["champion"] == "basic"


@pytest.mark.parametrize("refused", [True, False])
def test_the_reason_tells_that_an_alias_was_set_on_mlflow_s_pages(client, refused):
    choose_champion(client, "basic", "other")
    if refused:
        choose_champion(client, "other", "basic", p=0.5)
        assert tag(client, "other", REFUSED) == "true"
    client.set_registered_model_alias("foldlab", "champion", "2")
    for _ in range(2):
        reason = choose_champion(client, "other", "basic", p=0.5)
        assert "outside this repository" in reason
        assert tag(client, "other") == reason
        assert tag(client, "other", REFUSED) == ("false" if refused else None)


@pytest.mark.parametrize("by_hand", [True, False])
def test_the_reason_tells_that_the_alias_of_a_replaced_champion_was_set_again(client, by_hand):
    choose_champion(client, "basic", "other")
    if by_hand:
        promote(client, "other")
        champion.release(client)
    else:
        choose_champion(client, "other", "basic", p=0.01)
    assert tag(client, "basic", REPLACED) == "true"
    client.set_registered_model_alias("foldlab", "champion", "1")
    for ranking, p in ((("other", "basic"), 0.5), (("basic", "other"), None)):
        reason = choose_champion(client, *ranking, p=p)
        assert "basic (version 1) is champion: its alias was set outside" in tag(client, "basic")
        assert tag(client, "basic", REPLACED) == "false"
    assert reason == tag(client, "basic")


@pytest.mark.slow
def test_a_version_promoted_by_hand_stays_until_released_or_another_is(client):
    by_hand = promote(client, "basic", "it is smaller")
    assert by_hand == "basic (version 1) was made champion by hand by anna: it is smaller."
    for _ in range(2):
        reason = choose_champion(client, "other", "basic", p=0.001)
        assert "basic (version 1), which was made champion by hand" in reason
        assert aliases(client) == {"champion": "basic", "challenger": "other"}
        assert (tag(client, "other"), tag(client, "basic")) == (reason, by_hand)
    assert champion.release(client).tags["variant"] == "basic"
    reason = choose_champion(client, "other", "basic", p=0.001)
    assert aliases(client) == {"champion": "other", "challenger": "basic"}
    assert tag(client, "other") == tag(client, "basic") == reason

    for _ in range(2):
        promote(client, "other")
        assert tag(client, "other", BY_HAND) == "true"
    reason = promote(client, "basic")
    assert tag(client, "other", BY_HAND) == "false"
    assert aliases(client) == {"champion": "basic", "challenger": "other"}
    assert tag(client, "basic") == tag(client, "other") == reason


WRITES = ("set_registered_model_alias", "set_model_version_tag")


def write(method, failing, calls, *given):
    calls.append(given)
    if len(calls) == failing:
        raise OSError
    method(*given)


@pytest.mark.slow
@pytest.mark.parametrize("action", ["promote", "choose_champion"])
def test_repeating_what_failed_at_any_write_gives_the_same(client, monkeypatch, action):
    def change(name, other):
        if action == "promote":
            return promote(client, name)
        versions = [version(client, each) for each in (name, other)]
        compared = [identity(each) for each in (name, other)]
        better = {"difference": 0.1, "p": 0.01}
        return champion.choose(client, versions, compared, lambda _: better)

    choose_champion(client, "basic", "other")
    old, new = "basic", "other"
    for number in range(1, 20):
        calls = []
        with monkeypatch.context() as patched:
            for name in WRITES:
                patched.setattr(client, name, partial(write, getattr(client, name), number, calls))
            with suppress(OSError):
                change(new, old)
        reason = change(new, old)
        assert aliases(client) == {"champion": new, "challenger": old}
        assert tag(client, new) == tag(client, old) == reason
        if action == "promote":
            assert tag(client, new, BY_HAND) == "true"
            assert tag(client, old, BY_HAND) != "true"
        if len(calls) < number:  # none failed
            return
        old, new = new, old
    pytest.fail("more writes than expected")


def test_a_version_is_found_by_fingerprint_and_results_together(client):
    from stages.tracking import runs

    known = [identity("basic"), identity("other")]
    make_results(Path("results/basic"), "basic", 2, 2, better=0.01)
    publish(client, "basic")
    known.append(identity("basic"))
    path = Path("results/basic/training.json")
    path.write_text(path.read_text().replace(fingerprint("basic"), fingerprint("longer")))
    publish(client, "basic")
    known.append(identity("basic"))
    found = [runs.look_up(client, each)[1].version for each in known]
    assert [str(number) for number in found] == ["1", "2", "3", "4"]
    never = known[0]._replace(results_sha256="0" * 64)
    assert runs.look_up(client, never) == (None, None, False)
    client.model_name = "anna's model"  # a quote in a name
    for _ in range(2):
        publish(client, "other")
    assert len(client.search_model_versions("")) == 5
