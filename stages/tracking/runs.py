"""Log the runs of one variant. Only what is missing is added, so logging twice changes nothing.

Publishing may be interrupted at any point: a run is created together with the tags that identify
it, and becomes FINISHED only when it is complete.
"""

from pathlib import Path

from mlflow.entities import LoggedModel, Metric, Run, RunTag
from mlflow.entities.model_registry import ModelVersion

from stages.tracking import (
    attachments,
    children,
    model,
    note,
    origin,
    registered_model,
    summary,
    unfinished,
)
from stages.tracking.marker import Identity, combined_sha256
from stages.tracking.record import Record
from stages.tracking.store import Client

LIMIT = "foldlab.data_limit"  # tag of a parent run: `data.limit`, where it left images out


def publish(client: Client, record: Record) -> str:
    """Log everything in `record` and return the id of its parent run."""
    run = _parent(client, record)
    _complete_folds(client, run, record)
    logged = model.complete(client, run, record)
    moment = max([run.info.start_time, *(fold.end or 0 for fold in record.folds)])
    outdated = _outdated(client, record, run, logged, moment)
    tags = summary.score_tags(record) | note.updated(run.data.tags, record.description)
    changed = [RunTag(key, text) for key, text in tags.items() if run.data.tags.get(key) != text]
    if outdated or changed:
        client.log_batch(run.info.run_id, outdated, tags=changed)
    points = [*summary.curves(record, run.info.start_time), *summary.usage_of(record)]
    children.add(client, run, {}, points)
    attachments.log_dataset(client, run, record.dataset)
    attachments.log_files(client, run, record.files)
    if not record.limit and not is_limited(run):
        registered_model.register(client, logged, record)
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED", moment)
    unfinished.end_older(client, run)
    unfinished.forget(run.info.run_id)
    return run.info.run_id


def find(client: Client, identity: Identity) -> Run | None:
    """Return the parent run of exactly these results in the chosen experiment, or None."""
    query = (
        f"tags.fingerprint = '{identity.fingerprint}' and tags.`foldlab.kind` = 'parent' "
        f"and tags.results_sha256 = '{identity.results_sha256}'"
    )
    return next(iter(children.search(client, query)), None)


def look_up(client: Client, identity: Identity) -> tuple[Run | None, ModelVersion | None, bool]:
    """Return the parent run of these results, its model's version, and whether both are complete.

    A run with `data.limit` has no version.
    """
    run = find(client, identity)
    if run is None:
        return None, None, False
    finished = run.info.status == "FINISHED"
    if is_limited(run):
        return run, None, finished
    version = registered_model.find(client, run.info.run_id)
    return run, version, finished and version is not None


def is_limited(run: Run) -> bool:
    """Return whether a run was made with `data.limit`, even if params.yaml was edited since."""
    return LIMIT in run.data.tags


def _parent(client: Client, record: Record) -> Run:
    """Return the variant's parent run; create it if there is none.

    A run with the same fingerprint but other results, or one that another machine may be writing,
    is left alone. A duplicate with the same results is deleted (MLflow only marks it as deleted).
    """
    same = [run for run in parents(client, record) if _is_same_training(client, run, record)]
    # published runs first, then those of this checkout
    same.sort(key=lambda run: (not _is_published(run), not unfinished.is_ours(run.info.run_id)))
    for run in same[1:]:
        if run.info.status == "RUNNING" and not unfinished.is_ours(run.info.run_id):
            continue  # another machine may be writing it
        for each in (*children.child_runs(client, run, "fold"), run):
            with children.if_permitted():
                client.delete_run(each.info.run_id)
        unfinished.forget(run.info.run_id)
    return same[0] if same else create_parent(client, record)


def _is_same_training(client: Client, run: Run, record: Record) -> bool:
    """Return whether a run is of this training; an unpublished run is compared by its folds."""
    if _is_published(run):
        return run.data.tags["results_sha256"] == record.identity.results_sha256
    ours = unfinished.is_ours(run.info.run_id)
    if not ours and (run.info.status == "RUNNING" or not children.child_runs(client, run, "fold")):
        return False  # another machine may be writing it or may resume it
    return children.agree(client, run, "fold", record.folds)


def _is_published(run: Run) -> bool:
    return "results_sha256" in run.data.tags


def parents(client: Client, record: Record) -> list[Run]:
    """Return the parent runs of a record's variant and fingerprint, oldest first."""
    query = (
        f"tags.fingerprint = '{record.identity.fingerprint}' and "
        f"tags.variant = '{record.variant}' and tags.`foldlab.kind` = 'parent'"
    )
    return children.search(client, query)


def create_parent(client: Client, record: Record, lock: Path | None = None) -> Run:
    """Create a parent run and note it as unfinished; see `unfinished.note` for the lock."""
    run = client.create_run(client.experiment_id, record.start, _tags(record), record.variant)
    unfinished.note(run.info.run_id, record.variant, lock)
    return run


def show(client: Client, record: Record, status: str, lock: Path) -> None:
    """Log a training's progress; logging the same progress twice changes nothing.

    A training that is already published with the same results is skipped. Only a run that this
    checkout started is resumed, because another machine may run the same training. The status is
    RUNNING, FAILED, or SCHEDULED for a training that ended and is yet to be published; `publish`
    sets FINISHED. `lock` is the file that is locked while the training runs.
    """
    found = parents(client, record)
    published = [run for run in found if _is_published(run)]
    if any(children.agree(client, run, "fold", record.folds) for run in published):
        return
    ours = [run for run in found if unfinished.is_ours(run.info.run_id) and run not in published]
    run = ours[0] if ours else create_parent(client, record, lock)
    if status == "RUNNING" and run.info.status != status:
        unfinished.note(run.info.run_id, record.variant, lock)
        client.update_run(run.info.run_id, status)
    _complete_folds(client, run, record)
    if status == "SCHEDULED" and run.info.status != status:
        client.update_run(run.info.run_id, status)
    elif status == "FAILED":
        unfinished.end(client, client.get_run(run.info.run_id), status)


def _complete_folds(client: Client, run: Run, record: Record) -> None:
    tags = _tags(record)
    tags.pop(note.WRITTEN, None)  # a person may have edited the description of an older run
    if _is_published(run):
        tags.pop("DVC_EXP_NAME", None)  # an experiment may have found these results in DVC's cache
    if "git_commit" in run.data.tags:  # the other Git tags are about that commit
        tags = {key: value for key, value in tags.items() if "git" not in key}
    children.add(client, run, record.params, tags=tags)
    children.complete(client, run, "fold", record.folds)


def _tags(record: Record) -> dict[str, str]:
    tags = {
        "foldlab.kind": "parent",
        "variant": record.variant,
        **record.identity._asdict(),
        "data_sha256": record.dataset["sha256"],
        attachments.FILES_SHA256: combined_sha256(record.files.values()) if record.files else None,
        LIMIT: record.limit and str(record.limit),
        **note.first(record.description),
        **origin.of_stage(f"publish@{record.variant}"),
    }
    return {key: value for key, value in tags.items() if value}


def _outdated(
    client: Client, record: Record, run: Run, logged: LoggedModel, moment: int
) -> list[Metric]:
    """Return the metrics that are missing from, or differ in, the run or the logged model.

    A value that changed is logged after the run's latest; see `children.later`.
    """
    of_model = {metric.key: metric.value for metric in logged.metrics or []}
    points = []
    for key, value in record.metrics.items():
        in_run = run.data.metrics.get(key)
        if children.same(in_run, value) and children.same(of_model.get(key), value):
            continue
        changed = in_run is not None and not children.same(in_run, value)
        when = children.later(client, run, key) if changed else moment
        points.append(Metric(key, value, when, 0, model_id=logged.model_id))
    return points
