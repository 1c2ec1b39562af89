"""`python -m benchmarks.faults`: make system calls of each command fail, one at a time.

The pipeline runs undisturbed once, on a few images. Then each command runs again from the state
before it, while its n-th open, write, fsync, rename or mkdir fails, or it is killed before its n-th
rename, for n = 1, 2, 3 and so on. It must end with one sentence and no damaged file, and running it
once more must write the same bytes as the undisturbed run.
"""

import json
import shutil
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from benchmarks import inputs, measured, preloaded
from benchmarks.contents import Files, content, store
from benchmarks.fault_cases import QUICK, Case, cases, prepared, restore
from benchmarks.preloaded import Ended, Watched
from stages.files import read_json

ERRORS = {  # how each call may fail
    "open": ("ENOSPC", "EIO"),
    "write": ("ENOSPC", "EIO", "short"),  # short: half of the bytes, which is no error
    "fsync": ("EIO",),
    "rename": ("EIO", "kill"),
    "mkdir": ("ENOSPC",),
}
NOTES = ".foldlab/unpublished/*"  # exist only while something is not in MLflow yet


def measure(
    watched: Watched, names: Collection[str], most: int | None, quick: bool
) -> Iterator[tuple[str, dict]]:
    """Disturb commands; yield the name of each, and its calls, injected failures and faults.

    Args:
        watched: where.
        names: of cases; all if empty.
        most: calls to disturb per kind and error; None for the value of each case.
        quick: without evaluation, MLflow and a second variant.
    """
    chosen = [case for case in cases() if case.name in names or not names]
    states = prepared(watched, {case.state for case in chosen}, quick)
    for case in chosen:
        row, faults = disturbed(watched, case, states[case.state], most or case.most)
        print(case.name, json.dumps(row), *faults, sep="\n", flush=True)
        yield case.name, row | {"faults": faults, "commit": measured.BEGAN}
    shutil.rmtree(watched.folder)


def summary(rows: Mapping[str, dict]) -> dict:
    """Return the record of some commands, in the order of a pipeline."""
    return {
        "calls": sum(sum(row["calls"].values()) for row in rows.values()),
        "injected": sum(row["injected"] for row in rows.values()),
        "commands": {case.name: rows[case.name] for case in cases() if case.name in rows},
        "faults": [f"{name}: {fault}" for name, row in rows.items() for fault in row["faults"]],
    }


def disturbed(watched: Watched, case: Case, state: Path, most: int) -> tuple[dict, list[str]]:
    """Return a command's calls, how many were made to fail in which way, and the faults found."""
    folder = watched.folder

    def start() -> None:
        restore(folder, state)
        for pattern in case.removed:
            for path in folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        case.change(folder)

    start()
    before = content(folder)
    reference = watched.run(case.command)
    if reference.status:
        return {"calls": {}, "injected": 0}, [f"undisturbed, it failed: {reference.stderr}"]
    after, stored = content(folder), store(folder)
    injected: Counter[str] = Counter()
    endings: Counter[str] = Counter()
    faults: list[str] = []
    for kind, number, error in _injections(reference.counts, most):
        start()
        ended = watched.run(case.command, (kind, number, error))
        if not ended.at:  # fewer calls than undisturbed
            continue
        injected[f"{kind} {error}"] += 1
        found = list(inspect(ended, error, before, after, content(folder)))
        again = watched.run(case.command)
        if again.status:
            found.append(f"the next run failed: {again.stderr}")
        now = content(folder)
        differ = [name for name in after.keys() | now if after.get(name) != now.get(name)]
        found += [f"differs: {name}" for name in sorted(differ)]
        left = (path.relative_to(folder) for path in folder.rglob(".partial-*"))
        # Those in .foldlab/runs are removed when the next run starts.
        found += [f"left: {path}" for path in left if path.parts[:2] != (".foldlab", "runs")]
        if store(folder) != stored:
            found.append("MLflow has something else")
        endings["refused" if ended.status > 0 else "killed" if ended.status else "went on"] += 1
        faults += [f"{kind} {number} ({error}, {ended.at}): {what}" for what in found]
    row = {"calls": reference.counts, "injected": injected.total(), "by_error": dict(injected)}
    return row | {"endings": dict(endings)}, faults


def _injections(counts: dict[str, int], most: int) -> Iterator[tuple[str, int, str]]:
    for kind, count in counts.items():
        numbers = np.unique(np.linspace(1, count, min(count, most)).round().astype(int)).tolist()
        for error in ERRORS[kind]:
            yield from ((kind, number, error) for number in numbers)


def inspect(ended: Ended, error: str, before: Files, after: Files, now: Files) -> Iterator[str]:
    """Yield what is wrong right after a disturbed command."""
    lines = ended.stderr.splitlines()
    sentences = [line for line in lines if line.startswith("foldlab: ")]
    if error == "kill":
        if ended.status != -9:
            yield f"it was not killed: status {ended.status}"
    elif ended.status > 0 and not (len(sentences) == 1 and sentences[0] == lines[-1]):
        yield f"status {ended.status}, but not one sentence: {ended.stderr[-600:]}"
    elif ended.status < 0:
        yield f"status {ended.status}: {ended.stderr[-600:]}"
    elif error == "short" and ended.status:
        yield f"a short write is no error: {ended.stderr[-600:]}"
    elif not ended.status and not sentences:  # the fault had no consequence
        differ = (name for name in after if now.get(name) != after[name])
        yield from (f"status 0 and nothing said, but it differs: {name}" for name in differ)
    for name, data in now.items():
        if data not in (before.get(name), after.get(name)) and not fnmatch(name, NOTES):
            yield f"half-written: {name}"


def main() -> None:
    """Disturb, compare, and write a record; status 1 on any fault.

    It is benchmarks/records/faults.json. With --complete, which takes hours, folds are trained in
    the command's own process, and each command is added to benchmarks/records/faults-complete.json
    when it is done.
    """
    parser = inputs.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="COMMAND", help="such as 'plot'; default: all")
    parser.add_argument("--most", type=int, help="calls to disturb per kind and error")
    parser.add_argument("--complete", action="store_true", help="make every single call fail")
    chosen = parser.parse_args()
    preloaded.restart("benchmarks.faults")
    most = sys.maxsize if chosen.complete else chosen.most
    names, most = (QUICK, 2) if chosen.quick else (chosen.names, most)
    name = "faults-complete" if chosen.complete else "faults"
    path, rows = chosen.folder / f"{name}.json", {}
    if chosen.complete and path.exists():
        rows = read_json(path)["commands"]
    watched = Watched(1 if chosen.quick or chosen.complete else 2)
    for command, row in measure(watched, names, most, chosen.quick):
        rows[command] = row
        if chosen.complete:
            measured.write(name, summary(rows), chosen.folder)
    measured.end(name, summary(rows), chosen.folder)


if __name__ == "__main__":
    main()
