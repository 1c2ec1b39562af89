"""Log the comparison on several data sets to MLflow, as a run with its table and figure."""

from collections.abc import Mapping

from stages.files import RESULTS
from stages.tracking import git
from stages.tracking.attachments import complete_files
from stages.tracking.children import add, search
from stages.tracking.marker import sha256
from stages.tracking.store import Client

FILES = ("suite.csv", "plots/suite.png")


def show(client: Client, params: Mapping[str, str]) -> str:
    """Log results/suite.csv unless it is logged already, with `params`; return the run's id."""
    identity = sha256(RESULTS / "suite.csv")
    query = f"tags.`foldlab.kind` = 'suite' and tags.suite_sha256 = '{identity}'"
    found = search(client, query)
    tags = {"foldlab.kind": "suite", "suite_sha256": identity, **git.tags()}
    tags["mlflow.source.name"] = "stages.commands.suite"
    run = found[0] if found else client.create_run(client.experiment_id, None, tags, "suite")
    if run.info.status != "FINISHED":
        add(client, run, params)
    complete_files(client, run, {name: RESULTS / name for name in FILES})
    if run.info.status != "FINISHED":
        client.set_terminated(run.info.run_id, "FINISHED")
    return run.info.run_id
