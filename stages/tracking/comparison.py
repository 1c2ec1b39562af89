"""Log the comparison to MLflow: as a run, and as a verdict on each variant's parent run."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Metric, Run, RunTag

from stages.files import PREPARED, RESULTS, sha256
from stages.tracking import children, note, origin, registered_model, summary, view
from stages.tracking.attachments import log_run
from stages.tracking.marker import Identity
from stages.tracking.record import DECIMALS
from stages.tracking.store import Client

FILES: tuple[str, ...] = ("comparison.csv", "comparison.md", "plots/comparison.png", "report.html")
FILES += ("pairs.csv", "plots/ranks.png", "label_issues.csv", "plots/label_issues.png")
FILES += ("plots/near_duplicates.png",)
LISTS = ("near_duplicates.csv", "odd_images.csv")  # of the data


def show(
    client: Client,
    rows: Sequence[Mapping[str, Any]],
    identities: Sequence[Identity],
    parents: Sequence[Run | None],
) -> str:
    """Log a comparison unless it is logged already; older ones are kept as history.

    `rows` are those of comparison.csv. Identities and parent runs are in the same order; a run is
    None where the store has none. Returns the id of the comparison's run.
    """
    known = [(parent, row) for parent, row in zip(parents, rows, strict=True) if parent]
    ends = (parent.info.end_time for parent, _ in known)
    moment = max(filter(None, ends), default=None)  # when the last variant was trained

    content = f"{sha256(RESULTS / 'comparison.csv')} {sorted(map(tuple, identities))}"
    identity = hashlib.sha256(content.encode()).hexdigest()
    files = {name: RESULTS / name for name in FILES} | {name: PREPARED / name for name in LISTS}
    variants = ", ".join(sorted(row["variant"] for row in rows))
    params = {"baseline": str(rows[0]["baseline"]), "variants": variants}
    tags = {**origin.of_stage("compare"), **note.first(_note())}
    run = log_run(client, "comparison", identity, files, params, tags, moment)
    for parent, row in known:
        _set_verdict(client, parent, row, run)
        if version := registered_model.find(client, parent.info.run_id):
            registered_model.tag(client, version, summary.verdict_tags(row, version.tags))
    summary.mark_current(client, [parent for parent, _ in known])
    return run.info.run_id


def _set_verdict(client: Client, parent: Run, row: Mapping[str, Any], comparison: Run) -> None:
    """Set the verdict's tags, and put it before the description with a link to the comparison.

    The first paragraph of the description is replaced if it is an earlier verdict with its link.
    """
    verdict = "baseline"
    if row["variant"] != row["baseline"]:
        verdict = f"{row['verdict']}, against {row['baseline']}"
    before, logged = (parent.data.tags.get(key, "") for key in (note.VERDICT, note.NOTE))
    _, own = note.split(logged, [before, verdict])  # also if somebody edited the tag
    at = view.run(comparison.info.experiment_id, comparison.info.run_id)
    shown = f"{verdict}{note.LINK}{at}))\n\n{own}".strip()
    tags = {note.VERDICT: verdict, note.NOTE: shown, **summary.verdict_tags(row, parent.data.tags)}
    changed = [RunTag(key, text) for key, text in tags.items() if parent.data.tags.get(key) != text]
    score = round(float(row["cv_mean"]), DECIMALS)
    scores = []
    if not children.same(parent.data.metrics.get(view.SCORE), score):
        scores = [Metric(view.SCORE, score, children.later(client, parent, view.SCORE), 0)]
    if changed or scores:  # one batch, so that tags and description always show the same verdict
        client.log_batch(parent.info.run_id, metrics=scores, tags=changed)


def _note() -> str:
    """Return comparison.md without its title and figures, cut to the length of a description."""
    text = (RESULTS / "comparison.md").read_text(encoding="utf-8")
    lines = text[: text.rfind("\n", 0, note.LENGTH) + 1].splitlines()
    return "\n".join(line for line in lines if not line.startswith(("# ", "!["))).strip()
