"""The rule that picks the champion among the versions of the registered model, and its aliases."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from stages.files import read_table
from stages.statistics.metrics import METRICS
from stages.tracking.children import child_runs, get_or_none, if_permitted
from stages.tracking.marker import Identity
from stages.tracking.registered_model import tag
from stages.tracking.store import Client

CHAMPION = "champion"
CHALLENGER = "challenger"  # the runner-up
# Tags of a version.
REASON = "foldlab.reason"  # why it became champion, or why not
REFUSED = "foldlab.refused"  # "true" if the rule last decided against it
REPLACED = "foldlab.replaced"  # "true" if another version was made champion in its place
BY_HAND = "foldlab.by_hand"  # "true" for a champion chosen by a person, which the rule keeps
SCORES = "fold_scores.csv"
LEVEL = 0.05

# score differences, one per fold -> their mean, `difference`, and `p` of a two-sided test
Test = Callable[[np.ndarray], Mapping[str, float]]


def choose(
    client: Client,
    versions: Sequence[ModelVersion],
    compared: Sequence[Identity],
    test: Test,
    metric: str = "accuracy",
) -> str:
    """Apply the champion rule to a comparison and set the aliases; doing it twice changes nothing.

    The versions are those of the compared variants, the best by the metric first. `compared` are
    the results of all compared variants, also of those that the store has no version of. Returns
    the reason in one sentence, with which the candidate's version is tagged.
    """
    candidate, champion = versions[0], _aliased(client, CHAMPION)
    if champion:
        champion = _replacement(client, champion, versions) or champion
        denied = "true" in (champion.tags.get(REFUSED), champion.tags.get(REPLACED))
        if denied or not champion.tags.get(REASON):  # the alias was set on MLflow's pages
            outside = f"{_name(champion)} is champion: its alias was set outside this repository."
            _explain(client, champion, outside)
    if champion and champion.version == candidate.version:
        reason = champion.tags[REASON]
    elif champion and _same_results(candidate, champion):
        reason = f"{_name(candidate)} has the results of {_name(champion)}, which stays champion."
        _explain(client, candidate, reason)
    else:
        rivals = sum(champion is None or not _has_results(champion, one) for one in compared)
        moves, reason = decide(client, candidate, champion, test, rivals, metric)
        _explain(client, candidate, reason, refused=not moves)
        if moves:
            if champion:
                _explain(client, champion, reason, replaced=True)
            if BY_HAND in candidate.tags:  # from an earlier promotion
                tag(client, candidate, {BY_HAND: "false"})
            client.set_registered_model_alias(client.model_name, CHAMPION, candidate.version)
            champion = candidate
    others = (v for v in versions if champion is None or not _same_results(v, champion))
    second, challenger = next(others, None), _aliased(client, CHALLENGER)
    if second and (challenger is None or challenger.version != second.version):
        client.set_registered_model_alias(client.model_name, CHALLENGER, second.version)
    elif second is None and challenger:
        with if_permitted():
            client.delete_registered_model_alias(client.model_name, CHALLENGER)
    return reason


def _replacement(
    client: Client, champion: ModelVersion, versions: Sequence[ModelVersion]
) -> ModelVersion | None:
    """Make the version with the same results champion if the old one's run or model is gone."""
    replacement = next((v for v in versions if _same_results(v, champion)), None)
    if replacement is None or replacement.version == champion.version:
        return None
    run = _run(client, champion)
    info = run.info if run else None
    if info and info.lifecycle_stage == "active" and info.experiment_id != client.experiment_id:
        return None  # otherwise two experiments would take the alias from each other
    reason = (
        f"{_name(replacement)} is champion in place of version {champion.version} with the same "
        "results, whose run or model is gone or was replaced."
    )
    _explain(client, replacement, reason)
    if BY_HAND in champion.tags:
        tag(client, replacement, {BY_HAND: champion.tags[BY_HAND]})
    client.set_registered_model_alias(client.model_name, CHAMPION, replacement.version)
    return replacement


def decide(
    client: Client,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    test: Test,
    rivals: int,
    metric: str = "accuracy",
) -> tuple[bool, str]:
    """Return whether the best variant of a comparison becomes champion, and why.

    The p-value of the test is multiplied by the number of rivals (Bonferroni), because the
    candidate was chosen as the best of them.
    """
    new = _name(candidate)
    if champion is None:
        return True, f"{new} is champion because there was none."
    old = _name(champion)
    stays = f"{new} does not replace {old}"
    if champion.tags.get(BY_HAND) == "true":
        return False, f"{stays}, which was made champion by hand; only `make promote` replaces it."
    before, after = (_fold_scores(client, one, metric) for one in (champion, candidate))
    if not before:
        return False, (
            f"{stays}, whose fold scores are not in MLflow, so no test is possible; "
            "`make promote` sets the champion by hand."
        )
    same_data = candidate.tags.get("data_sha256") == champion.tags.get("data_sha256")
    if not same_data or set(before) != set(after) or len(after) < 2:
        return False, (
            f"{stays}: they have different data or folds, so no test is possible; "
            f"`make promote NAME={candidate.tags.get('variant')} REASON=...` makes it the champion."
        )
    tested = test(np.array([after[fold] - before[fold] for fold in sorted(after)]))
    difference, p = tested["difference"], min(1.0, tested["p"] * rivals)
    label = METRICS[metric].label
    result = f"{difference:+.4f} in {label}, p = {p:.4f} by the corrected resampled t test"
    if rivals > 1:
        result += f", Bonferroni-corrected for the best of {rivals}"
    if difference > 0 and p < LEVEL:
        return True, f"{new} replaces {old}: {result}, below {LEVEL}."
    return False, f"{stays}: {result}; p < {LEVEL} is required."


def promote(client: Client, version: ModelVersion, who: str, why: str) -> str:
    """Make a version champion by hand; the rule keeps it until `release`.

    Returns the reason in one sentence, with the person's name and words; this version and the
    previous champion are tagged with it. The alias is set last: until then a repeated call does
    the same.
    """
    before = release(client)
    reason = f"{_name(version)} was made champion by hand by {who}" + (f": {why}" if why else "")
    reason = reason.rstrip(".") + "."
    _explain(client, version, reason)
    client.set_model_version_tag(client.model_name, version.version, BY_HAND, "true")
    if before and before.version != version.version:
        _explain(client, before, reason, replaced=True)
        challenger = _aliased(client, CHALLENGER)
        if challenger and challenger.version == version.version:
            client.set_registered_model_alias(client.model_name, CHALLENGER, before.version)
    client.set_registered_model_alias(client.model_name, CHAMPION, version.version)
    return reason


def release(client: Client) -> ModelVersion | None:
    """Let the rule replace a champion that was made by hand; return the champion, if any."""
    champion = _aliased(client, CHAMPION)
    if champion and champion.tags.get(BY_HAND) == "true":
        # not deleted, because a server with passwords lets only a model's owner delete
        client.set_model_version_tag(client.model_name, champion.version, BY_HAND, "false")
    return champion


def _aliased(client: Client, alias: str) -> ModelVersion | None:
    model = get_or_none(client.get_registered_model, client.model_name)
    number = model.aliases.get(alias) if model else None
    return get_or_none(client.get_model_version, client.model_name, number) if number else None


def _same_results(a: ModelVersion, b: ModelVersion) -> bool:
    same = (a.tags.get(key) == b.tags.get(key) is not None for key in Identity._fields)
    return a.version == b.version or all(same)


def _has_results(version: ModelVersion, results: Identity) -> bool:
    return results._asdict().items() <= version.tags.items()


def _run(client: Client, version: ModelVersion) -> Run | None:
    """Return a version's run, even one that is marked as deleted; None if there is none."""
    return get_or_none(client.get_run, version.run_id) if version.run_id else None


def _fold_scores(client: Client, version: ModelVersion, metric: str) -> dict[int, float]:
    """Return fold -> validation score of the training behind a version.

    Accuracies are those of the fold runs; other scores are in the run's file fold_scores.csv.
    """
    run = _run(client, version)
    if run and metric != "accuracy":
        if SCORES not in {entry.path for entry in client.list_artifacts(run.info.run_id)}:
            return {}  # logged by an older version of Foldlab
        with tempfile.TemporaryDirectory() as folder:
            table = read_table(Path(client.download_artifacts(run.info.run_id, SCORES, folder)))
        return {row["fold"]: row[metric] for row in table}
    return {
        int(child.data.tags["foldlab.fold"]): child.data.metrics["cv_accuracy"]
        for child in (child_runs(client, run, "fold") if run else ())
        if "cv_accuracy" in child.data.metrics
        and child.data.tags.get("foldlab.fold", "").isdecimal()
    }


def _name(version: ModelVersion) -> str:
    return f"{version.tags.get('variant', 'a model')} (version {version.version})"


def _explain(
    client: Client,
    version: ModelVersion,
    reason: str,
    refused: bool = False,
    replaced: bool = False,
) -> None:
    """Tag a version with the reason why it has the alias or not.

    `refused`: the rule denied it. `replaced`: another version takes it.
    """
    texts = {REASON: reason}
    for key, is_so in ((REFUSED, refused), (REPLACED, replaced)):
        if is_so or key in version.tags:
            texts[key] = str(is_so).lower()
    tag(client, version, texts)
