"""Tags for where the code of a run comes from: Git repository, branch, commit and its state."""

import subprocess
from contextlib import suppress

from stages.tracking.store import safe

SOURCES = ("stages", "params.yaml", "dvc.yaml", "constraints.txt")  # what results depend on


def tags() -> dict[str, str]:
    """Return MLflow's tags of a run's origin; its pages hide two of them, so they are also `git_*`.

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
            found["mlflow.source.git.repoURL"] = safe(url).partition("?")[0]
        return {name: value for name, value in found.items() if value}  # HEAD may be detached
    return {}


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
