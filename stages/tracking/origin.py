"""Where a run comes from: the user, the stage and the state of Git."""

import getpass
import os
import subprocess
from contextlib import suppress

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


def user() -> str | None:
    """Return the name of the operating system's user, which in a container may have none."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return None


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
