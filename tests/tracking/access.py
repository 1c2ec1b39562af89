"""Requests to a team's server: all routes that MLflow has, and those that change something."""

import json
import re
import subprocess
import sys

ROUTES = """
import json
from mlflow.server import app as flask
from mlflow.server.auth import create_app
native = [route for route in create_app().routes if hasattr(route, "methods")]
found = [(rule.rule, sorted(rule.methods)) for rule in flask.url_map.iter_rules()]
print(json.dumps(found + [(route.path, sorted(route.methods)) for route in native]))
"""
# Paths without a password: health, the scripts of the pages, the features of the server.
OPEN = r"/health|/static-files/x|/(ajax-)?api/3\.0/mlflow/server-info"
ARTIFACT = "EXPERIMENT/RUN/artifacts/x"
PART = {"path": "x", "num_parts": 1}
# Words in capitals stand for what `made` makes. The last requests delete.
CHANGES = [
    ("POST", "api/2.0/mlflow/experiments/update", {"experiment_id": "EXPERIMENT", "new_name": "e"}),
    (
        "POST",
        "api/2.0/mlflow/experiments/set-experiment-tag",
        {"experiment_id": "EXPERIMENT", "key": "k", "value": "v"},
    ),
    ("POST", "api/2.0/mlflow/runs/create", {"experiment_id": "EXPERIMENT"}),
    ("POST", "api/2.0/mlflow/runs/update", {"run_id": "RUN", "run_name": "r"}),
    ("POST", "api/2.0/mlflow/runs/set-tag", {"run_id": "RUN", "key": "k", "value": "v"}),
    (
        "POST",
        "api/2.0/mlflow/runs/log-metric",
        {"run_id": "RUN", "key": "k", "value": 1, "timestamp": 1},
    ),
    ("POST", "api/2.0/mlflow/runs/log-batch", {"run_id": "RUN", "params": []}),
    ("POST", "api/2.0/mlflow/logged-models", {"experiment_id": "EXPERIMENT", "name": "m"}),
    ("PUT", f"api/2.0/mlflow-artifacts/artifacts/{ARTIFACT}", None),
    ("PUT", f"ajax-api/2.0/mlflow-artifacts/artifacts/{ARTIFACT}", None),
    ("POST", "ajax-api/2.0/mlflow/upload-artifact?run_uuid=RUN&path=x", {"a": 1}),
    ("POST", f"api/2.0/mlflow-artifacts/mpu/create/{ARTIFACT}", PART),
    ("POST", f"ajax-api/2.0/mlflow-artifacts/mpu/create/{ARTIFACT}", PART),
    ("DELETE", f"api/2.0/mlflow-artifacts/artifacts/{ARTIFACT}", None),
    ("PATCH", "api/2.0/mlflow/registered-models/update", {"name": "MODEL", "description": "d"}),
    (
        "POST",
        "api/2.0/mlflow/registered-models/set-tag",
        {"name": "MODEL", "key": "k", "value": "v"},
    ),
    (
        "POST",
        "api/2.0/mlflow/model-versions/create",
        {"name": "MODEL", "source": "SOURCE", "run_id": "RUN"},
    ),
    (
        "POST",
        "api/2.0/mlflow/registered-models/alias",
        {"name": "MODEL", "alias": "a", "version": "1"},
    ),
    ("DELETE", "api/2.0/mlflow/registered-models/alias", {"name": "MODEL", "alias": "a"}),
    ("DELETE", "api/2.0/mlflow/model-versions/delete", {"name": "MODEL", "version": "1"}),
    ("DELETE", "api/2.0/mlflow/registered-models/delete", {"name": "MODEL"}),
    ("POST", "api/2.0/mlflow/runs/delete", {"run_id": "RUN"}),
    ("POST", "api/2.0/mlflow/experiments/delete", {"experiment_id": "EXPERIMENT"}),
]
RIGHT = {"username": "USER", "resource_type": "experiment", "resource_id": "*"}
HOOK = {"name": "h", "url": "https://example.org", "events": []}
ADMINISTRATION = [
    ("POST", "api/2.0/mlflow/users/create", {"username": "eve", "password": "twelve letters"}),
    (
        "PATCH",
        "api/2.0/mlflow/users/update-password",
        {"username": "ben", "password": "twelve letters"},
    ),
    ("PATCH", "api/2.0/mlflow/users/update-admin", {"username": "USER", "is_admin": True}),
    ("DELETE", "api/2.0/mlflow/users/delete", {"username": "ben"}),
    ("GET", "signup", None),
    ("POST", "api/3.0/mlflow/users/permissions/grant", RIGHT | {"permission": "MANAGE"}),
    ("POST", "api/3.0/mlflow/users/permissions/revoke", RIGHT | {"username": "ben"}),
    ("POST", "api/3.0/mlflow/roles/create", {"name": "r", "workspace": "default"}),
    ("GET", "api/2.0/mlflow/webhooks", None),
    ("POST", "api/2.0/mlflow/webhooks", HOOK),
    ("DELETE", "api/2.0/mlflow/webhooks/x", None),
    ("GET", "ajax-api/3.0/jobs/x", None),  # of others: they see and cancel their own
    ("PATCH", "ajax-api/3.0/jobs/cancel/x", None),
]


def routes(team):
    """Return each (method, path) that the server registers, with `x` for every parameter."""
    environment = team.server | {"_MLFLOW_SGI_NAME": "uvicorn"}
    done = subprocess.run(
        [sys.executable, "-c", ROUTES], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return sorted(
        {
            (method, "/" + re.sub(r"<[^>]*>|\{[^}]*\}", "x", path).lstrip("/"))
            for path, methods in json.loads(done.stdout.splitlines()[-1])
            for method in methods
            if method != "OPTIONS"  # lists the allowed methods
        }
    )


def made(team, user):
    """Make an experiment, a run and a registered model; return the CHANGES that concern them."""
    post = lambda path, **body: team.ask(user, path, body)  # noqa: E731
    experiment = post("experiments/create", name="theirs")["experiment_id"]
    run = post("runs/create", experiment_id=experiment)["run"]["info"]
    source = f"{run['artifact_uri']}/model"
    post("registered-models/create", name="theirs")
    post("model-versions/create", name="theirs", source=source, run_id=run["run_id"])
    ids = {"EXPERIMENT": experiment, "RUN": run["run_id"], "MODEL": "theirs", "SOURCE": source}
    text = json.dumps(CHANGES)
    for word, value in ids.items():
        text = text.replace(word, value)
    return json.loads(text)


def statuses(team, user, wanted):
    """Return the HTTP status of each request of a user; None sends no name and password."""
    return [team.request(user, *request).status_code for request in wanted]
