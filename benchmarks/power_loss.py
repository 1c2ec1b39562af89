"""`python -m benchmarks.power_loss`: what a power loss leaves, and whether the next run recovers.

A training and a sweep run from scratch while their writes are logged. The log is replayed onto a
copy up to each fsync. Of the writes that were not flushed by then, a file system may have kept
nothing, the names only, or the names and half of each file; all three are tried. No file under its
final name may be damaged, no finished fold may be trained again, and running the same command must
end with the undisturbed bytes.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import inputs, measured, preloaded
from benchmarks.contents import Files, content
from benchmarks.fault_cases import TRAINED, prepared, restore
from benchmarks.preloaded import Watched

COMMANDS = (["train", "basic"], ["sweep"])
QUICK = 3  # states to try
FOLDS = ".foldlab/folds/*/fold-*.npz"
WAYS = ("nothing", "names", "halves")  # what is left of unflushed writes


class Call(NamedTuple):
    """One line of the log of faults.c; paths are relative to the folder."""

    name: str  # truncate, write, fsync, rename, mkdir, unlink, rmdir or link
    path: str
    to: str  # of a rename or link
    at: int  # offset of a write, or size of a truncation
    data: bytes


class Disk:
    """Files as processes see them, and as last flushed."""

    def __init__(self, folder: Path) -> None:
        """Read the files of a folder, all of which count as flushed."""
        paths = [path for path in folder.rglob("*") if path.is_file()]
        self.contents: list[bytearray] = [bytearray(path.read_bytes()) for path in paths]
        self.flushed: dict[int, bytes] = dict(enumerate(map(bytes, self.contents)))
        self.names = {str(path.relative_to(folder)): n for n, path in enumerate(paths)}
        self.flushed_names = dict(self.names)

    def apply(self, call: Call) -> None:
        """Apply a logged call."""
        path, to = call.path, call.to
        if call.name in ("truncate", "write"):
            if path not in self.names:
                self.names[path] = len(self.contents)
                self.contents.append(bytearray())
            data = self.contents[self.names[path]]
            if call.name == "truncate":
                del data[call.at :]
            end = call.at + len(call.data)
            data.extend(bytes(max(0, end - len(data))))
            data[call.at : end] = call.data
        elif call.name == "fsync" and path in self.names:
            self.flushed[self.names[path]] = bytes(self.contents[self.names[path]])
        elif call.name == "fsync":
            for name in {*self.names, *self.flushed_names}:
                if str(Path(name).parent) == path:
                    self.flushed_names.pop(name, None)
                    if name in self.names:
                        self.flushed_names[name] = self.names[name]
        elif call.name == "rename" and path in self.names:
            self.names[to] = self.names.pop(path)
        elif call.name == "rename":  # a folder
            for name in [name for name in self.names if name.startswith(f"{path}/")]:
                self.names[to + name.removeprefix(path)] = self.names.pop(name)
        elif call.name == "link":
            self.names[to] = self.names[path]
        elif call.name == "unlink":
            self.names.pop(path, None)

    def after_power_loss(self, way: str) -> dict[str, bytes]:
        """Return name -> bytes of the files after a restart of the machine."""
        if way == "nothing":
            return {name: self.flushed.get(n, b"") for name, n in self.flushed_names.items()}
        found = {}
        for name, n in self.names.items():
            whole, flushed = self.contents[n], self.flushed.get(n)
            half = bytes(whole[: len(whole) // 2]) if way == "halves" else b""
            found[name] = flushed if flushed == whole else half
        return found


def calls(log: Path, folder: Path) -> Iterator[Call]:
    """Yield the calls that faults.c logged, except those on deleted files."""
    with log.open("rb") as file:
        while line := file.readline():
            name, path, to, at, size = line.decode().removesuffix("\n").split("\t")
            data = file.read(int(size))
            if not path.endswith(" (deleted)"):
                source, target = (os.path.relpath(p, folder) if p else "" for p in (path, to))
                yield Call(name, source, target, int(at), data)


def measure(watched: Watched, quick: bool) -> dict:
    """Return for each command the flushes, the states they may leave, and the faults found."""
    folder = watched.folder
    state = prepared(watched, {"done"}, quick)["done"]
    shutil.rmtree(state / ".foldlab")
    for name in TRAINED:
        for path in state.glob(f"results/*/{name}"):
            path.unlink()
    found: dict = {"commands": {}, "faults": []}
    for command in COMMANDS[:1] if quick else COMMANDS:
        restore(folder, state)
        before = content(folder)
        reference = watched.run(command, log=True)
        assert reference.status == 0, reference.stderr
        after = content(folder)
        disk, states, flushes = Disk(state), [], 0
        for call in calls(watched.log, folder):
            disk.apply(call)
            if call.name == "fsync":
                flushes += 1
                for way in WAYS:
                    left = disk.after_power_loss(way)
                    if left not in [one for _, one in states]:
                        states.append((f"flush {flushes} ({call.path}), {way} written", left))
        chosen = states[:: max(1, len(states) // QUICK)] if quick else states
        for name, left in chosen:
            faults = recovered(watched, command, left, before, after)
            found["faults"] += [f"{' '.join(command)}: {name}: {fault}" for fault in faults]
        row = {"flushes": flushes, "seconds_flushing": reference.flushing}
        row |= {"states": len(states), "tried": len(chosen)}
        found["commands"][" ".join(command)] = row
        print(" ".join(command), row, *found["faults"], sep="\n", flush=True)
    shutil.rmtree(folder)
    return found


def recovered(
    watched: Watched, command: list[str], left: Files, before: Files, after: Files
) -> Iterator[str]:
    """Run a command on what a power loss has left; yield what is wrong."""
    folder = watched.folder
    shutil.rmtree(folder)
    for name, data in left.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for name, data in content(folder).items():
        if data not in (before.get(name), after.get(name)):
            yield f"half-written: {name}"
    kept = {path: path.stat().st_mtime_ns for path in folder.glob(FOLDS)}
    ended = watched.run(command)
    if ended.status:
        yield f"the next run ended with status {ended.status}: {ended.stderr}"
    now = content(folder)
    yield from (f"differs: {name}" for name in after if after[name] != now.get(name))
    yield from (f"left: {path.relative_to(folder)}" for path in folder.rglob(".partial-*"))
    again = [path.name for path, time in kept.items() if path.stat().st_mtime_ns != time]
    yield from (f"trained again: {name}" for name in again)


def main() -> None:
    """Replay, compare, and write benchmarks/records/power_loss.json; status 1 on any fault."""
    chosen = inputs.parser(__doc__).parse_args()
    preloaded.restart("benchmarks.power_loss")
    found = measure(Watched(1 if chosen.quick else 2), chosen.quick)
    measured.end("power_loss", found, chosen.folder)


if __name__ == "__main__":
    main()
