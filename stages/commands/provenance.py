"""Where results come from: whether this machine made them, and which environment, data and code.

Git holds some of the results, and dvc.lock with the digest of everything that a stage read or
wrote.
"""

import csv
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from stages.engine.environment import LIBRARIES
from stages.errors import UserError
from stages.files import read_json, read_table

LOCK, PINS, TABLE = "dvc.lock", "constraints.txt", "results/comparison.csv"
ENVIRONMENT, PREPARED = "data/environment.json", "data/prepared"
TRAINING = "results/{}/training.json"
MAX_FILES = 12  # files that a sentence names


def committed(names: Sequence[str]) -> str:
    """Return whether the committed results are what this machine made, and which files differ.

    `names` are the chosen variants. timing.csv, which no cache holds, shows where one was trained;
    an ensemble is not trained itself.
    """
    alone = [name for name in names if not _is_ensemble(name)]
    here = sum(map(_trained_here, alone))
    status = run("git", "status", "--porcelain", "--untracked-files=all", LOCK, "results").stdout
    files = [f"`{line[3:]}`" for line in status.splitlines()]
    if not here and not files:
        return (
            "**These are the committed results, as Git holds them;** "
            "no file shows that they were trained here."
        )
    trained = f"{here} of {len(alone)} variants were trained here"
    trained += ", not counting ensembles" if len(alone) < len(names) else ""
    trained += "; the others come from DVC's cache" if here < len(alone) else ""
    if not files:
        return f"**The committed results are, byte for byte, what this run made** ({trained})."
    differ = "1 file differs" if len(files) == 1 else f"{len(files)} files differ"
    more = f" and {len(files) - MAX_FILES} more" if len(files) > MAX_FILES else ""
    environment = _environment("HEAD", names)
    return (
        f"**The committed results are not what this run made:** {differ} ({trained}): "
        f"{', '.join(files[:MAX_FILES])}{more}. "
        + (f"The committed results come from {environment}. " if environment else "")
        + "The rest of this report is about what this run made."
    )


def _is_ensemble(name: str) -> bool:
    training = Path(TRAINING.format(name))
    return training.exists() and read_json(training).get("final") == "ensemble"


def _trained_here(name: str) -> bool:
    timing, training = Path(f"results/{name}/timing.csv"), Path(TRAINING.format(name))
    if not (timing.exists() and training.exists()):
        return False
    fingerprint = read_json(training, ("fingerprint",))["fingerprint"]
    return any(row["fingerprint"] == fingerprint for row in read_table(timing, ["fingerprint"]))


def causes(commit: str, names: Sequence[str]) -> str:
    """Return what, other than settings, makes results differ from those of `commit`, or ""."""
    old, new = _locked(commit), _locked()
    differing = {path for path in old.keys() & new.keys() if old[path] != new[path]}
    code = [f"`{path}`" for path in sorted(differing) if path.startswith("stages/")]
    found = [_environment(commit, names)]
    found += ["other data"] if PREPARED in differing else []
    found += [f"other code ({', '.join(code)})"] if code else []
    named = " and from ".join(filter(None, found))
    return named and f"By {LOCK}, its results come from {named}; this alone can change scores."


def _locked(commit: str = "") -> dict[str, str]:
    """Return path -> digest of what `train` and `evaluate` read and wrote, as in dvc.lock.

    The entries of variants that are no longer compared are left out: DVC does not update them.
    """
    text, table = (content_at(commit, path) if commit else _text(path) for path in (LOCK, TABLE))
    stages = yaml.safe_load(text).get("stages", {}) if text else {}
    compared = {row["variant"] for row in csv.DictReader(table.splitlines())}
    return {
        file["path"]: file.get("md5", "")
        for name, stage in stages.items()
        if name.partition("@")[0] in ("train", "evaluate") and name.partition("@")[2] in compared
        for file in stage.get("deps", []) + stage.get("outs", [])
    }


def _environment(commit: str, names: Sequence[str]) -> str:
    """Return how the environment of a commit's results differs from that of those here, or "".

    dvc.lock has only a digest of it. DVC's cache may have its content, in a training.json of that
    commit; Git has the versions that were pinned.
    """
    old, new = _locked(commit), _locked()
    if old.get(ENVIRONMENT, "") in ("", new.get(ENVIRONMENT)):
        return ""
    before, now = _recorded(old, names), _recorded(new, names)
    if not before or not now:
        before, now = (_pinned(text) for text in (content_at(commit, PINS), _text(PINS)))
    changes = [
        f"{key} {before.get(key)} instead of {now.get(key)}"
        for key in before | now
        if before.get(key) != now.get(key)
    ]
    if not changes:
        return f"another environment (digest of {ENVIRONMENT}; its content is not in DVC's cache)"
    return f"another environment ({', '.join(changes)})"


def _pinned(constraints: str) -> dict[str, str]:
    """Return library -> version of a constraints file, for this version of Python."""
    pins = (Requirement(line) for line in re.findall(r"^\w.*", constraints, re.M))
    return {
        pin.name: str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.name in LIBRARIES and (pin.marker is None or pin.marker.evaluate())
    }


def _recorded(digests: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return the environment in the first training.json that DVC's cache has, else nothing."""
    cache = Path(dvc("cache", "dir").strip()) / "files" / "md5"
    for digest in filter(None, (digests.get(TRAINING.format(name)) for name in names)):
        if (path := cache / digest[:2] / digest[2:]).is_file():
            return read_json(path)["environment"]
    return {}


def _text(path: str) -> str:
    return Path(path).read_text("utf-8") if Path(path).exists() else ""


def content_at(commit: str, path: str) -> str:
    """Return the content of a file in a commit; "" if the commit does not have it."""
    done = run("git", "show", f"{commit}:./{path}")
    return "" if done.returncode else done.stdout


def dvc(*arguments: str) -> str:
    """Return the output of a DVC command, or raise UserError with the last line of its stderr."""
    done = run(sys.executable, "-m", "dvc", *arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {last}")
    return done.stdout


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command; its output is captured as text, and its status not checked."""
    return subprocess.run(command, capture_output=True, text=True, check=False)
