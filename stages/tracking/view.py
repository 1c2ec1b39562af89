"""The saved view that `make ui` opens: a table of the variants' runs, best first.

MLflow keeps it as a tag of the experiment, in its own format (that of MLflow 3.17).
"""

import json
from collections.abc import Mapping

# Tag of a parent run -> width of its column, in pixels. MLflow leaves out a column without texts.
# All but `compared score` and `latency` fit into a window of 1,300 pixels.
COLUMNS = {
    "verdict": 86,
    "compared score": 190,
    "CV accuracy": 105,
    "difference": 138,
    "test": 70,
    "parameters": 85,
    "fit time": 66,
    "latency": 80,
    "size": 68,
    "processor": 72,
    "results": 62,
}
PINNED = {"attributes.`Run Name`": 150, "runDateAndNestInfo": 70}  # MLflow's own, at the left
SCORE = "compared_score"  # a metric of each parent: its mean over the folds in `compare.metric`
TAG = "mlflow.sharedViewState.variants"
MODE = "workflowType=machine_learning"  # otherwise the pages open with the menu for GenAI
VERSION = 4  # stored as the time of creation, which is larger for views that people save


WIDTHS = {f"tags.`{name}`": width for name, width in COLUMNS.items()}
STATE = {
    "selectedColumns": [*WIDTHS],
    "columnOrder": [*PINNED, *WIDTHS],
    "columnWidths": PINNED | WIDTHS,
    "searchFilter": "tags.`foldlab.kind` = 'parent'",
    "orderByKey": f"metrics.`{SCORE}`",
    "orderByAsc": False,
}
VIEW = json.dumps({"name": "Variants", "createdAt": VERSION, "state": json.dumps(STATE)})


def address(pages: str, experiment_id: str) -> str:
    """Return the view's address on a server whose pages are at `pages`."""
    return f"{pages}/#/experiments/{experiment_id}/runs?{MODE}&viewStateShareKey=variants"


def run(experiment_id: str, run_id: str) -> str:
    """Return the address of a run's page, relative to any page of MLflow."""
    return f"#/experiments/{experiment_id}/runs/{run_id}?{MODE}"


def is_outdated(tags: Mapping[str, str]) -> bool:
    """Return whether an experiment's view is missing, or an older one that nobody changed."""
    return TAG not in tags or json.loads(tags[TAG]).get("createdAt", VERSION) < VERSION
