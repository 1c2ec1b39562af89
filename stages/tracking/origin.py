"""Where a run comes from: the user, the stage, the state of Git, and which part of the data."""

import getpass
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from stages.settings.params import Params
from stages.tracking.address import redacted

SOURCES = ("stages", "params.yaml", "dvc.yaml", "constraints.txt")  # what results depend on


def of_stage(stage: str) -> dict[str, str]:
    """Return the tags of a run that a DVC stage logs."""
    tags = {"DVC_STAGE": stage, "mlflow.source.name": f"dvc.yaml:{stage}", **of_code()}
    found = {"DVC_EXP_NAME": os.environ.get("DVC_EXP_NAME"), "mlflow.user": user()}
    return tags | {key: value for key, value in found.items() if value}


def of_code() -> dict[str, str]:
    """Return MLflow's tags for Git; its pages hide two of them, so they are also `git_*`.

    Without Git or a repository there are none. "dirty" means uncommitted changes to SOURCES, not
    to results, which a training itself changes. The address has no user name or password.
    """
    with suppress(OSError, subprocess.CalledProcessError):
        commit, branch = _git("rev-parse", "HEAD"), _git("branch", "--show-current")
        dirty = str(bool(_git("status", "--porcelain", "--", *SOURCES))).lower()
        state = {"commit": commit, "branch": branch, "dirty": dirty}
        found = {f"mlflow.source.git.{name}": value for name, value in state.items()}
        found |= {"git_commit": commit, "git_dirty": dirty}
        with suppress(subprocess.CalledProcessError):  # no remote of this name
            url = _git("remote", "get-url", "origin")
            found["mlflow.source.git.repoURL"] = redacted(url).partition("?")[0]
        return {name: value for name, value in found.items() if value}  # HEAD may be detached
    return {}


def limit(settings: Params, dataset: Mapping[str, Any]) -> int | None:
    """Return the `data.limit` that the data were prepared with, if it left images out.

    params.yaml may have been edited since, so that of dvc.lock counts too. `dataset` is the content
    of dataset.json.
    """
    lock = Path("dvc.lock")
    limits = (lock.exists() and _locked_limit(lock.read_bytes()), settings.data.limit)
    sizes = [dataset[split]["images"] for split in ("train", "test")]
    return next((limit for limit in limits if limit and limit in sizes), None)


@lru_cache(maxsize=1)  # parsing takes longer than everything else in reading a variant
def _locked_limit(lock: bytes) -> int | None:
    """Return the limit with which DVC last ran `prepare`; None also if dvc.lock is unreadable."""
    with suppress(KeyError, TypeError, yaml.YAMLError):
        prepare = yaml.load(lock, yaml.CSafeLoader)["stages"]["prepare"]
        return prepare["params"]["params.yaml"]["data"]["limit"]
    return None


def user() -> str | None:
    """Return the name of the operating system's user, which in a container may have none."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return None


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
