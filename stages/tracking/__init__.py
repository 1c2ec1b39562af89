"""Publish result files to MLflow; no other package imports it.

How data flow: `record` reads a variant's result files, with `marker` and `origin`, without MLflow.
`runs.publish` logs such a record as a parent run: its folds with `children`, its data and files
with `attachments`, its numbers with `summary`, its model with `model`, its version with
`registered_model`. Then `comparison` logs the table of all variants and puts verdicts on their runs
and versions. Last, `champion` applies the rule to the versions and sets the aliases.
"""

import os

# Defaults, set before any module here imports MLflow. No HTTP retries: MLflow also repeats a POST,
# which could create a run twice. Publishing is repeated as a whole instead.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # the caller reports an error, once
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # otherwise each model would include a uv.lock found here
}
os.environ |= DEFAULTS | os.environ
