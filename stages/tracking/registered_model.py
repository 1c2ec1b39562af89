"""The registered model: one version per training, and the rule that picks the champion."""

import json
from collections.abc import Callable, Sequence

from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from stages.tracking.children import child_runs
from stages.tracking.record import Identity, Record
from stages.tracking.store import Client

CHAMPION = "champion"
CHALLENGER = "challenger"  # the runner-up
# Tags of a version.
REASON = "foldlab.reason"  # why it became champion, or why not
REFUSED = "foldlab.refused"  # "true" if the rule last decided against it
BY_HAND = "foldlab.by_hand"  # "true" for a champion chosen by a person, which the rule keeps
LEVEL = 0.05

# (champion's, candidate's accuracy per fold) -> (mean difference, p of the corrected t test)
Test = Callable[[Sequence[float], Sequence[float]], tuple[float, float]]


def register(client: Client, model_name: str, logged: LoggedModel, record: Record) -> None:
    """Register a version of this training if there is none."""
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
                **record.identity._asdict(),
                "data_sha256": record.dataset["sha256"],
                "images_sha256": record.dataset["images_sha256"],
            },
        )
    # A server links the logged model to its version itself; a plain database does not.
    if version.run_id == logged.source_run_id and "mlflow.modelVersions" not in logged.tags:
        link = json.dumps([{"name": model_name, "version": version.version}])
        client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})


def find(client: Client, model_name: str, identity: Identity) -> ModelVersion | None:
    """Return the newest version of exactly these results, or None."""
    quote = '"' if "'" in model_name else "'"
    found = client.search_model_versions(
        f"name = {quote}{model_name}{quote} and tags.fingerprint = '{identity.fingerprint}' "
        f"and tags.results_sha256 = '{identity.results_sha256}'"
    )
    return max(found, key=lambda version: int(version.version), default=None)


def named(client: Client, uri: str) -> ModelVersion:
    """Return the version that `models:/name/version` or `models:/name@alias` refers to now."""
    name, _, alias = uri.removeprefix("models:/").partition("@")
    if alias:
        return client.get_model_version_by_alias(name, alias)
    return client.get_model_version(*name.split("/"))


def decide(
    candidate: str, champion: str, tested: tuple[float, float] | None, rivals: int = 1
) -> tuple[bool, str]:
    """Return whether the best variant of a comparison replaces the champion, and why.

    `tested` is what `Test` returns, or None if the two have different data or folds. Its p is
    multiplied by the number of rivals, of which the candidate is the best (Bonferroni).
    """
    if tested is None:
        return False, (
            f"{candidate} does not replace {champion}: they have different data or folds, so "
            "no test is possible; `make promote` sets the champion by hand."
        )
    difference, p = tested[0], min(1.0, tested[1] * rivals)
    result = f"{difference:+.4f} in accuracy, p = {p:.4f} by the corrected resampled t test"
    if rivals > 1:
        result += f", Bonferroni-corrected for the best of {rivals}"
    if difference > 0 and p < LEVEL:
        return True, f"{candidate} replaces {champion}: {result}, below {LEVEL}."
    return False, f"{candidate} does not replace {champion}: {result}; required is p < {LEVEL}."


def crown(client: Client, model_name: str, versions: Sequence[ModelVersion], test: Test) -> str:
    """Apply the champion rule to a comparison and set the aliases; twice changes nothing.

    The versions are those of the compared variants, best cross-validated accuracy first. Returns
    the reason in one sentence, which the candidate's version is tagged with.
    """
    candidate = versions[0]
    champion = _champion(client, model_name)
    if champion and champion.version == candidate.version:
        reason = candidate.tags.get(REASON, "")
        if not reason or candidate.tags.get(REFUSED) == "true":  # set on MLflow's web pages
            reason = f"{_name(candidate)} is champion: its alias was set outside this repository."
            _explain(client, candidate, reason)
    else:
        rivals = sum(champion is None or v.version != champion.version for v in versions)
        moves, reason = _judge(client, candidate, champion, test, rivals)
        _explain(client, candidate, reason, refused=not moves)
        if moves:
            if champion:
                _explain(client, champion, reason)
            client.set_registered_model_alias(model_name, CHAMPION, candidate.version)
            champion = candidate
    current = champion and champion.version
    second = next((v for v in versions if v.version != current), None)
    challenger = client.get_registered_model(model_name).aliases.get(CHALLENGER)
    if second and str(challenger) != str(second.version):
        client.set_registered_model_alias(model_name, CHALLENGER, second.version)
    elif second is None and challenger:
        client.delete_registered_model_alias(model_name, CHALLENGER)
    return reason


def promote(client: Client, model_name: str, version: ModelVersion, who: str, why: str) -> str:
    """Make a version champion by hand; the rule keeps it until `release`.

    Returns the reason in one sentence, with the person's name and words; this version and the
    previous champion are tagged with it.
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
    """Let the rule replace a champion that was made by hand; return the champion, if any."""
    champion = _champion(client, model_name)
    if champion and champion.tags.get(BY_HAND) == "true":
        # not deleted, because a server with passwords lets only a model's owner delete
        client.set_model_version_tag(model_name, champion.version, BY_HAND, "false")
    return champion


def _champion(client: Client, model_name: str) -> ModelVersion | None:
    number = client.get_registered_model(model_name).aliases.get(CHAMPION)
    return client.get_model_version(model_name, number) if number else None


def _judge(
    client: Client, candidate: ModelVersion, champion: ModelVersion | None, test: Test, rivals: int
) -> tuple[bool, str]:
    if champion is None:
        return True, f"{_name(candidate)} is champion because there was none."
    if champion.tags.get(BY_HAND) == "true":
        return False, (
            f"{_name(candidate)} does not replace {_name(champion)}, which was made champion by "
            "hand; only `make promote` replaces it."
        )
    tested = None
    if candidate.tags.get("data_sha256") == champion.tags.get("data_sha256"):
        old, new = _fold_accuracies(client, champion), _fold_accuracies(client, candidate)
        if set(old) == set(new) and len(new) > 1:
            tested = test([old[fold] for fold in sorted(new)], [new[fold] for fold in sorted(new)])
    return decide(_name(candidate), _name(champion), tested, rivals)


def _fold_accuracies(client: Client, version: ModelVersion) -> dict[int, float]:
    """Return fold -> validation accuracy of the training behind a version."""
    return {
        int(child.data.tags["foldlab.fold"]): child.data.metrics["cv_accuracy"]
        for child in child_runs(client, client.get_run(version.run_id), "fold")
        if "cv_accuracy" in child.data.metrics
    }


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
