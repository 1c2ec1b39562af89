"""The comparison in MLflow: a run of its own, and the verdict on each variant's parent run."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, RunTag
from mlflow.entities.model_registry import ModelVersion

from stages.tracking import attachments, runs
from stages.tracking.record import Identity, combined, sha256
from stages.tracking.store import Client

VERDICT = "foldlab.verdict"  # a tag, so that the run table can have it as a column
NOTE = "mlflow.note.content"
NOTE_LENGTH = 5000  # what MLflow's pages show of a description
NUMBERS = ("cv_mean", "cv_std", "difference", "p_holm", "p_better")


def show(
    client: Client,
    experiment_id: str,
    rows: Sequence[Mapping[str, Any]],
    identities: Sequence[Identity],
    versions: Sequence[ModelVersion | None],
    results: Path = Path("results"),
) -> str:
    """Make the store show a comparison; twice changes nothing. Older ones stay, as history.

    Args:
        client: an opened store.
        experiment_id: where runs go.
        rows: of comparison.csv.
        identities: of the variants, in the order of `rows`.
        versions: theirs, None where the store has none; each leads to its variant's parent run.
        results: the folder with comparison.csv, comparison.md and the figure.

    Returns:
        The id of the comparison's run.
    """
    parents = [client.get_run(version.run_id) if version else None for version in versions]
    for row, parent in zip(rows, parents, strict=True):
        if parent:
            _write(client, parent, said(row))

    table = results / "comparison.csv"
    identity = hashlib.sha256(
        f"{sha256(table)} {sorted(map(tuple, identities))}".encode()
    ).hexdigest()
    wanted = f"tags.`foldlab.kind` = 'comparison' and tags.comparison_sha256 = '{identity}'"
    there = client.search_runs([experiment_id], wanted)
    if there:
        run = there[0]
    else:
        moment = max((parent.info.end_time or 0 for parent in parents if parent), default=None)
        tags = {
            "foldlab.kind": "comparison",
            "comparison_sha256": identity,
            **runs.origin("compare"),
        }
        run = client.create_run(experiment_id, moment or None, tags, "comparison")
    moment = run.info.start_time
    points = [
        Metric(f"{name}/{row['variant']}", float(row[name]), moment, 0)
        for row in rows
        for name in NUMBERS
        if row[name] != ""  # the baseline has no difference to itself
    ]
    lacking = [point for point in points if point.key not in run.data.metrics]
    params = {
        "baseline": str(rows[0]["baseline"]),
        "variants": ", ".join(sorted(row["variant"] for row in rows)),
    }
    runs.log(client, run, params, lacking, {NOTE: _note(results / "comparison.md")})
    names = ("comparison.csv", "comparison.md", "plots/comparison.png", "report.html")
    files = {name: results / name for name in names if (results / name).is_file()}
    attachments.complete_files(client, run, files, combined(files.values()))
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED", moment)
    return run.info.run_id


def said(row: Mapping[str, Any]) -> str:
    """Return a row's verdict in words that stand alone."""
    if row["variant"] == row["baseline"]:
        return "baseline"
    return f"{row['verdict']}, against {row['baseline']}"


def _write(client: Client, parent: Any, verdict: str) -> None:
    """Put the verdict before the run's description, in the place of an earlier one."""
    tags = parent.data.tags
    before = tags.get(VERDICT, "")
    if before == verdict:
        return
    own = tags.get(NOTE, "").removeprefix(before).strip()
    note = f"{verdict}\n\n{own}" if own else verdict
    # in one batch, or a note with the verdict might stand there beside another verdict's tag
    client.log_batch(parent.info.run_id, tags=[RunTag(VERDICT, verdict), RunTag(NOTE, note)])


def _note(path: Path) -> str:
    """Return the comparison's Markdown as far as a description takes it, without pictures."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept, length = [], 0
    for line in lines:
        length += len(line) + 1
        if length > NOTE_LENGTH:
            break
        if not line.startswith("!["):
            kept.append(line)
    return "\n".join(kept)
