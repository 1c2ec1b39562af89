"""MLflow, the view of the result files: this package is the only one that imports it."""

import os

# Set before any module here imports mlflow; what the user has set stays. No HTTP retries: MLflow
# repeats a POST too, which could create a run twice; publishing repeats itself as a whole instead.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}.items():
    os.environ.setdefault(_name, _value)
