"""The address of the MLflow store, and how messages show it."""

import os
import re
from pathlib import Path
from urllib.parse import unquote

from stages.files import root


def uri() -> str:
    """Return the store's URI: MLFLOW_TRACKING_URI, else mlflow.db in the repository.

    A relative sqlite path is relative to the repository, because DVC deletes the working folder of
    a temporary experiment.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    path = database(given)
    return sqlite(path) if path else given


def sqlite(path: Path) -> str:
    """Return the URI of a sqlite file."""
    return "sqlite:///" + str(path).replace("%", "%25").replace("?", "%3F")


def database(address: str) -> Path | None:
    """Return the absolute path of a sqlite store's file, or None for any other store."""
    if not address.startswith("sqlite:///"):
        return None
    return root().absolute() / unquote(address.removeprefix("sqlite:///").split("?")[0])


def shown() -> str:
    """Return the store's URI without user names and passwords, for messages."""
    return redacted(uri())


def redacted(text: str) -> str:
    """Return `text` without user names and passwords."""
    found = re.search(r"://[^:@/]*:(\S*)@", os.environ.get("MLFLOW_TRACKING_URI", ""))
    secrets = {found[1], unquote(found[1])} if found else set()
    secrets |= {os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN")}
    text = re.sub(r"://\S*@", "://", text)
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
