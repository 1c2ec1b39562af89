"""Log the comparison to MLflow: as a run, and as a verdict on each variant's parent run."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, RunTag
from mlflow.entities.model_registry import ModelVersion

from stages.tracking import attachments, runs
from stages.tracking.record import Identity, combined, sha256
from stages.tracking.store import Client

VERDICT = "foldlab.verdict"  # a tag, so that the run table can show it as a column
NOTE = "mlflow.note.content"
NOTE_LENGTH = 5000  # MLflow's web pages show this much of a description
NUMBERS = ("cv_mean", "cv_std", "difference", "p_holm", "p_better")


def show(
    client: Client,
    experiment_id: str,
    rows: Sequence[Mapping[str, Any]],
    identities: Sequence[Identity],
    versions: Sequence[ModelVersion | None],
    results: Path = Path("results"),
) -> str:
    """Log a comparison unless it is logged already; older ones stay, as history.

    Args:
        client: an opened store.
        experiment_id: the experiment to log to.
        rows: of comparison.csv.
        identities: of the variants, in the order of `rows`.
        versions: of the variants, None where the store has none; each names its parent run.
        results: the folder with comparison.csv, comparison.md and the figure.

    Returns:
        The id of the comparison's run.
    """
    parents = [client.get_run(version.run_id) if version else None for version in versions]
    for row, parent in zip(rows, parents, strict=True):
        if parent:
            _set_verdict(client, parent, standalone_verdict(row))

    table = results / "comparison.csv"
    identity = hashlib.sha256(
        f"{sha256(table)} {sorted(map(tuple, identities))}".encode()
    ).hexdigest()
    query = f"tags.`foldlab.kind` = 'comparison' and tags.comparison_sha256 = '{identity}'"
    found = client.search_runs([experiment_id], query)
    if found:
        run = found[0]
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
        if row[name] != ""  # the baseline has no difference from itself
    ]
    missing = [point for point in points if point.key not in run.data.metrics]
    params = {
        "baseline": str(rows[0]["baseline"]),
        "variants": ", ".join(sorted(row["variant"] for row in rows)),
    }
    runs.log(client, run, params, missing, {NOTE: _note(results / "comparison.md")})
    names = ("comparison.csv", "comparison.md", "plots/comparison.png", "report.html")
    files = {name: results / name for name in names if (results / name).is_file()}
    attachments.complete_files(client, run, files, combined(files.values()))
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED", moment)
    return run.info.run_id


def standalone_verdict(row: Mapping[str, Any]) -> str:
    """Return a row's verdict with the name of the baseline."""
    if row["variant"] == row["baseline"]:
        return "baseline"
    return f"{row['verdict']}, against {row['baseline']}"


def _set_verdict(client: Client, parent: Any, verdict: str) -> None:
    """Set the verdict tag and put the verdict before the description, replacing an earlier one."""
    tags = parent.data.tags
    before = tags.get(VERDICT, "")
    if before == verdict:
        return
    own = tags.get(NOTE, "").removeprefix(before).strip()
    note = f"{verdict}\n\n{own}" if own else verdict
    # one batch, so that tag and description always show the same verdict
    client.log_batch(parent.info.run_id, tags=[RunTag(VERDICT, verdict), RunTag(NOTE, note)])


def _note(path: Path) -> str:
    """Return comparison.md without figures, cut to the length of a description."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept, length = [], 0
    for line in lines:
        length += len(line) + 1
        if length > NOTE_LENGTH:
            break
        if not line.startswith("!["):
            kept.append(line)
    return "\n".join(kept)
