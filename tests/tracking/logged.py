"""Log to MLflow as the stages do, but without catching errors, and read what is there."""

from pathlib import Path

from stages.files import read_json, read_table
from stages.search.trial import Trial
from stages.settings import params
from stages.settings.sections import Tracking
from stages.tracking import record, store
from tests.tracking.made_results import BEGAN, DATA_SHA256, everything, identity, make_comparison

LOCK = Path(".foldlab/lock")
FINGERPRINT = "ab" * 32


def publish(variant="basic"):
    """Publish a variant; return the id of its run."""
    from stages.tracking import runs

    with store.opened(Tracking()) as client:
        return runs.publish(client, record.read(variant, params.load()))


def begun(count):
    """Return the record of a training in which `count` folds have ended."""
    results = Path("results/basic")
    tables = [
        [row for row in read_table(results / f"{name}.csv") if row["fold"] < count]
        for name in ("folds", "history", "timing")
    ]
    start = {"variant": "basic", "description": "The baseline.", "began": BEGAN}
    dataset = read_json(Path("data/prepared/dataset.json"))
    return record.unfinished(
        read_json(results / "training.json") | start | {"dataset": dataset}, *tables
    )


def show(count, status="RUNNING"):
    """Log a training in which `count` folds have ended."""
    from stages.tracking import runs

    with store.opened(Tracking()) as client:
        runs.show(client, begun(count), status, LOCK)


def trial(number, accuracies, state="complete", reason=""):
    values = {"train.batch_size": 16, "architecture": {"basic": {"dropout": 0.1 * number}}}
    start = BEGAN + 10_000 * number
    return Trial(number, values, accuracies, state, reason, start, start + 5000)


TRIALS = [
    trial(0, [0.90, 0.92]),
    trial(1, [], "failed", "it diverged; lower train.learning_rate." + " It is long." * 500),
    trial(2, [0.80], "pruned"),
    trial(3, [0.93, 0.95]),
]


def publish_search(trials):
    """Publish a search; return the id of its run."""
    from stages.tracking import search

    tags = {"variant": "basic", "fingerprint": FINGERPRINT, "data_sha256": DATA_SHA256}
    with store.opened(Tracking()) as client:
        return search.publish(client, tags, {"search.seed": "1"}, trials)


def compare(verdict, other=0.95):
    """Publish two variants and their comparison; return the id of its run."""
    from stages.tracking import comparison, runs

    for name in ("basic", "other"):
        publish(name)
    make_comparison(Path(), verdict, basic=0.9, other=other)
    Path("results/plots").mkdir(exist_ok=True)
    Path("results/plots/comparison.png").write_bytes(b"picture")
    with store.opened(Tracking()) as client:
        rows = read_table(Path("results/comparison.csv"))
        found = [identity(row["variant"]) for row in rows]
        parents = [runs.find(client, each) for each in found]
        return comparison.show(client, rows, found, parents)


class CutError(BaseException):
    """Stands for the kill of the process."""


class CutClient(store.Client):
    """A client that is cut off after its n-th call that writes."""

    reading = ("get_", "search_", "list_")
    writes = 1

    def __getattr__(self, name):
        method = super().__getattr__(name)
        if name.startswith(self.reading):
            return method

        def call(*arguments, **named):
            result = method(*arguments, **named)
            self.writes -= 1
            if not self.writes:
                raise CutError(name)
            return result

        return call


def cut_off(monkeypatch, publish, repeated):
    """Publish again and again, cut off after one write each time; return these last writes.

    An upload or batch (`repeated`) that is not confirmed is made again, so two writes follow it.
    """
    cuts = []
    with monkeypatch.context() as patch:
        patch.setattr(store, "Client", CutClient)
        while len(cuts) < 60:
            patch.setattr(CutClient, "writes", 2 if cuts[-1:] == [repeated] else 1)
            try:
                publish()
                break
            except CutError as cut:
                cuts.append(str(cut))
    return cuts


def runs_of(repository, kind):
    """Return {run name: its rows} of the active runs of a kind, straight from the database."""
    rows = everything(repository)
    found = {}
    for run in rows["runs"]:
        own = {
            table: [row for row in rows[table] if row.get("run_uuid") == run["run_uuid"]]
            for table in ("params", "tags", "metrics", "latest_metrics")
        }
        tags = {row["key"]: row["value"] for row in own["tags"]}
        if tags["foldlab.kind"] == kind and run["lifecycle_stage"] == "active":
            found[run["name"]] = {
                "run": run,
                "tags": tags,
                "params": {row["key"]: row["value"] for row in own["params"]},
                "latest": {row["key"]: row["value"] for row in own["latest_metrics"]},
                "metrics": {
                    (row["key"], row["step"]): (row["value"], row["timestamp"])
                    for row in own["metrics"]
                },
                "points": len(own["metrics"]),
            }
    return found


def active(root):
    """Return (name, status) of the runs that are not deleted, sorted."""
    rows = everything(root)["runs"]
    return sorted((r["name"], r["status"]) for r in rows if r["lifecycle_stage"] == "active")


def aliases(client):
    """Return {alias: variant}."""
    found = client.get_registered_model("foldlab").aliases
    return {
        alias: client.get_model_version("foldlab", number).tags["variant"]
        for alias, number in found.items()
    }
