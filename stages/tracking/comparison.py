"""Log the comparison to MLflow: as a run, and as a verdict on each variant's parent run."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Metric, Run, RunTag

from stages.files import RESULTS
from stages.tracking.attachments import complete_files
from stages.tracking.children import add, origin
from stages.tracking.marker import Identity, sha256
from stages.tracking.store import Client

FILES = ("comparison.csv", "comparison.md", "plots/comparison.png", "report.html")
VERDICT = "foldlab.verdict"  # a tag, so that the run table can show it as a column
NOTE = "mlflow.note.content"
NOTE_LENGTH = 5000  # MLflow's web pages show this much of a description
NUMBERS = ("cv_mean", "cv_std", "difference", "p_holm", "p_better")


def show(
    client: Client,
    rows: Sequence[Mapping[str, Any]],
    identities: Sequence[Identity],
    parents: Sequence[Run | None],
) -> str:
    """Log a comparison unless it is logged already; older ones stay, as history.

    `rows` are those of comparison.csv. Identities and parent runs are in the same order; a run is
    None where the store has none. Returns the id of the comparison's run.
    """
    experiment_id, ends = client.experiment_id, []
    for row, parent in zip(rows, parents, strict=True):
        if parent:
            ends.append(parent.info.end_time)
            _set_verdict(client, parent, row)
    moment = max(filter(None, ends), default=None)  # when the last variant was trained

    content = f"{sha256(RESULTS / 'comparison.csv')} {sorted(map(tuple, identities))}"
    identity = hashlib.sha256(content.encode()).hexdigest()
    query = f"tags.`foldlab.kind` = 'comparison' and tags.comparison_sha256 = '{identity}'"
    found = client.search_runs([experiment_id], query)
    tags = {"foldlab.kind": "comparison", "comparison_sha256": identity, **origin("compare")}
    run = found[0] if found else client.create_run(experiment_id, moment, tags, "comparison")
    finished = run.info.status == "FINISHED"
    if not finished:
        params = {
            "baseline": str(rows[0]["baseline"]),
            "variants": ", ".join(sorted(row["variant"] for row in rows)),
        }
        points = [
            Metric(f"{name}/{row['variant']}", float(row[name]), run.info.start_time, 0)
            for row in rows
            for name in NUMBERS
            if row[name] != ""  # the baseline has no difference from itself
        ]
        add(client, run, params, points, {NOTE: _note()})
    files = {name: RESULTS / name for name in FILES if (RESULTS / name).is_file()}
    complete_files(client, run, files)
    if not finished:
        client.set_terminated(run.info.run_id, "FINISHED", run.info.start_time)
    return run.info.run_id


def _set_verdict(client: Client, parent: Run, row: Mapping[str, Any]) -> None:
    """Set the verdict tag and put the verdict before the description, replacing an earlier one."""
    verdict = "baseline"
    if row["variant"] != row["baseline"]:
        verdict = f"{row['verdict']}, against {row['baseline']}"
    before = parent.data.tags.get(VERDICT, "")
    if before == verdict:
        return
    own = parent.data.tags.get(NOTE, "").removeprefix(before).strip()
    own = own.removeprefix(verdict).strip()  # there if somebody edited the tag
    note = f"{verdict}\n\n{own}" if own else verdict
    # one batch, so that tag and description always show the same verdict
    client.log_batch(parent.info.run_id, tags=[RunTag(VERDICT, verdict), RunTag(NOTE, note)])


def _note() -> str:
    """Return comparison.md without figures, cut to the length of a description."""
    text = (RESULTS / "comparison.md").read_text(encoding="utf-8")
    lines = text[: text.rfind("\n", 0, NOTE_LENGTH) + 1].splitlines()
    return "\n".join(line for line in lines if not line.startswith("!["))
