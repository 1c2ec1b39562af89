"""The registered model: one version per training, and the rule that makes one of them champion."""

import json
from collections.abc import Callable, Sequence

from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from stages.tracking.children import FOLDS, runs_below
from stages.tracking.record import Identity, Record
from stages.tracking.store import Client

CHAMPION = "champion"
CHALLENGER = "challenger"  # the runner-up
REASON = "foldlab.reason"  # the tag of a version: why the champion's alias moved to it or did not
REFUSED = "foldlab.refused"  # the tag of a version: whether the rule last refused it the alias
BY_HAND = "foldlab.by_hand"  # the tag of a champion that a person chose: the rule leaves it alone
LEVEL = 0.05

# (champion's, candidate's accuracy per fold) -> (mean difference, p of the corrected t test)
Test = Callable[[Sequence[float], Sequence[float]], tuple[float, float]]


def register(client: Client, model_name: str, logged: LoggedModel, record: Record) -> ModelVersion:
    """Return the version of this training; it is registered when there is none yet."""
    version = find(client, model_name, record.identity)
    if version is None:
        try:
            client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        version = client.create_model_version(
            model_name,
            source=logged.artifact_location,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
            description=record.description,
            tags={
                "variant": record.variant,
                "fingerprint": record.fingerprint,
                "results_sha256": record.results_sha256,
                "data_sha256": record.data_sha256,
                "images_sha256": record.dataset["images_sha256"],
            },
        )
    # A server links the logged model to its version by itself, a bare database does not.
    if version.run_id == logged.source_run_id and "mlflow.modelVersions" not in logged.tags:
        link = json.dumps([{"name": model_name, "version": version.version}])
        client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})
    return version


def find(client: Client, model_name: str, identity: Identity) -> ModelVersion | None:
    """Return the newest version of just these results, None without one."""
    quote = '"' if "'" in model_name else "'"
    found = client.search_model_versions(
        f"name = {quote}{model_name}{quote} and tags.fingerprint = '{identity.fingerprint}'"
    )
    fitting = [v for v in found if v.tags.get("results_sha256") == identity.results_sha256]
    return max(fitting, key=lambda version: int(version.version), default=None)


def named(client: Client, uri: str) -> ModelVersion:
    """Return the version that `models:/name/version` or `models:/name@alias` names now."""
    name, alias, place = uri.removeprefix("models:/").partition("@")
    if alias:
        return client.get_model_version_by_alias(name, place)
    return client.get_model_version(*name.split("/"))


def decide(
    candidate: str,
    champion: str | None,
    same_data: bool = True,
    difference: float = 0.0,
    p: float = 1.0,
    level: float = LEVEL,
    by_hand: bool = False,
    rivals: int = 1,
) -> tuple[bool, str]:
    """Say whether the candidate becomes champion, and why.

    Args:
        candidate: the best variant of a comparison.
        champion: the present champion, None when there is none yet.
        same_data: whether both were scored on the same folds of the same data.
        difference: mean over the folds of the candidate's accuracy less the champion's.
        p: two-sided p value of the corrected resampled t test on those folds.
        level: the largest p that counts.
        by_hand: whether a person chose the champion, which only a person undoes.
        rivals: of how many variants the candidate is the best: p counts so many times (Bonferroni),
            since the best of many looks better than it is.

    Returns:
        (whether the alias moves, the reason in one sentence).
    """
    if champion is None:
        return True, f"{candidate} is champion because there was none."
    if by_hand:
        return False, (
            f"{candidate} does not replace {champion}: that one was made champion by hand, which "
            "only `make promote` undoes."
        )
    if not same_data:
        return False, (
            f"{candidate} does not replace {champion}: they were scored on other data or folds, "
            "so no test can tell; `make promote` moves the alias by hand."
        )
    p = min(1.0, p * rivals)
    measured = f"{difference:+.4f} in accuracy, p = {p:.4f} of the corrected test"
    if rivals > 1:
        measured += f" as the best of {rivals}"
    if difference > 0 and p < level:
        return True, f"{candidate} replaces {champion}: {measured}, below {level}."
    return False, f"{candidate} does not replace {champion}: {measured}; {level} is the limit."


def crown(
    client: Client,
    model_name: str,
    versions: Sequence[ModelVersion],
    test: Test,
    level: float = LEVEL,
) -> str:
    """Apply the champion's rule to a comparison and set the aliases; twice changes nothing.

    Args:
        client: an opened store.
        model_name: the registered model.
        versions: of the compared variants, at least one, best cross-validated accuracy first.
        test: gets two lists of accuracies, fold by fold: the champion's and the candidate's.
        level: the largest p that counts.

    Returns:
        The reason in one sentence, as it is written on the candidate's version.
    """
    candidate = versions[0]
    aliases = client.get_registered_model(model_name).aliases
    champion = None
    if CHAMPION in aliases:
        champion = client.get_model_version(model_name, aliases[CHAMPION])

    if champion and champion.version == candidate.version:
        reason = candidate.tags.get(REASON, "")
        if not reason or candidate.tags.get(REFUSED) == "true":  # set in MLflow's pages
            reason = f"{_name(candidate)} is champion: its alias was set outside this repository."
            _explain(client, candidate, reason)
    else:
        rivals = sum(champion is None or v.version != champion.version for v in versions)
        moves, reason = _judge(client, candidate, champion, test, level, rivals)
        _explain(client, candidate, reason, refused=not moves)
        if moves:
            if champion:
                _explain(client, champion, reason)
            client.set_registered_model_alias(model_name, CHAMPION, candidate.version)
            champion = candidate
    second = next((v for v in versions if v.version != champion.version), None)
    if second and str(aliases.get(CHALLENGER)) != str(second.version):
        client.set_registered_model_alias(model_name, CHALLENGER, second.version)
    elif second is None and CHALLENGER in aliases:
        client.delete_registered_model_alias(model_name, CHALLENGER)
    return reason


def promote(client: Client, model_name: str, version: ModelVersion, who: str, why: str) -> str:
    """Make a version champion by hand; the rule leaves it alone until `release`.

    Args:
        client: an opened store.
        model_name: the registered model.
        version: the new champion.
        who: the person.
        why: the person's words, "" for none.

    Returns:
        The reason in one sentence, as it is written on this version and on the one before.
    """
    before = release(client, model_name)
    reason = f"{_name(version)} was made champion by hand by {who}" + (f": {why}" if why else "")
    reason = reason.rstrip(".") + "."
    client.set_registered_model_alias(model_name, CHAMPION, version.version)
    _explain(client, version, reason)
    client.set_model_version_tag(model_name, version.version, BY_HAND, "true")
    if before and before.version != version.version:
        _explain(client, before, reason)
        aliases = client.get_registered_model(model_name).aliases
        if str(aliases.get(CHALLENGER)) == str(version.version):
            client.set_registered_model_alias(model_name, CHALLENGER, before.version)
    return reason


def release(client: Client, model_name: str) -> ModelVersion | None:
    """Give a champion that was made by hand back to the rule; return the champion, if any."""
    number = client.get_registered_model(model_name).aliases.get(CHAMPION)
    if number is None:
        return None
    champion = client.get_model_version(model_name, number)
    if champion.tags.get(BY_HAND) == "true":
        # not deleted: a server with passwords lets only a model's owner delete
        client.set_model_version_tag(model_name, champion.version, BY_HAND, "false")
    return champion


def fold_accuracies(client: Client, version: ModelVersion) -> dict[int, float]:
    """Return fold -> validation accuracy of the training that a version comes from."""
    run = client.get_run(version.run_id)
    return {
        int(child.data.tags["foldlab.fold"]): child.data.metrics["cv_accuracy"]
        for child in runs_below(client, run, FOLDS)
        if "cv_accuracy" in child.data.metrics
    }


def _judge(
    client: Client,
    candidate: ModelVersion,
    champion: ModelVersion | None,
    test: Test,
    level: float,
    rivals: int,
) -> tuple[bool, str]:
    if champion is None:
        return decide(_name(candidate), None)
    names = _name(candidate), _name(champion)
    if champion.tags.get(BY_HAND) == "true":
        return decide(*names, by_hand=True)
    if candidate.tags.get("data_sha256") != champion.tags.get("data_sha256"):
        return decide(*names, same_data=False)
    theirs, ours = fold_accuracies(client, champion), fold_accuracies(client, candidate)
    if set(theirs) != set(ours) or len(ours) < 2:
        return decide(*names, same_data=False)
    folds = sorted(ours)
    difference, p = test([theirs[fold] for fold in folds], [ours[fold] for fold in folds])
    return decide(*names, True, difference, p, level, rivals=rivals)


def _name(version: ModelVersion) -> str:
    return f"{version.tags.get('variant', 'a model')} (version {version.version})"


def _explain(client: Client, version: ModelVersion, reason: str, refused: bool = False) -> None:
    """Write on a version why it has the alias or not; `refused`: the rule denied it just now."""
    _set_tag(client, version, REASON, reason)
    if refused or REFUSED in version.tags:
        _set_tag(client, version, REFUSED, str(refused).lower())


def _set_tag(client: Client, version: ModelVersion, key: str, value: str) -> None:
    if version.tags.get(key) != value:
        client.set_model_version_tag(version.name, version.version, key, value)
