"""What a training leaves for a tracker that shows it while it runs; knows no tracker.

`python -m stages live` does the showing, in a process of its own: it reads the folds as
they are kept. Nothing waits for it, and nothing is lost when it fails, hangs or is killed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stages.engine import fold_store
from stages.files import read_json, write_json
from stages.sections import Tracking
from stages.training.recipe import Recipe

DONE = b"done"  # the last word of a training that ends well; one that is killed says nothing


def announce(mark: str, recipe: Recipe, description: str, dataset: Mapping[str, Any]) -> int:
    """Leave what there is to know of a training before its first fold ends.

    Args:
        mark: the training's fingerprint.
        recipe: the variant's settings.
        description: what params.yaml says of the variant.
        dataset: the content of dataset.json.

    Returns:
        When the training began, in ms since 1970: a resumed one began when it first did.
    """
    path = ticket(mark)
    try:
        began = int(read_json(path)["began"])
    except (OSError, KeyError, TypeError, ValueError):
        began = round(time.time() * 1000)
    content = {
        "variant": recipe.variant,
        "description": description,
        "fingerprint": mark,
        "settings": recipe.model_dump(exclude={"variant"}),
        "dataset": dataset,
        "began": began,
    }
    write_json(path, content)
    return began


def ticket(mark: str) -> Path:
    """Return the file that `announce` writes."""
    return fold_store.folder(mark) / "training.json"


def lock(mark: str) -> Path:
    """Return the file that is locked while a process trains this."""
    return fold_store.lock_path(mark)


@contextmanager
def shown(marks: Sequence[str], tracking: Tracking) -> Iterator[None]:
    """Let a process beside this one show announced trainings while the block runs.

    The process learns of the block's end, and of this process' death, by the end of its input.
    A training that another process has in hand already is left to that one.
    """
    with ExitStack() as stack:
        own = [mark for mark in marks if _locked(stack, mark)]
        if not own or tracking.live_after is None:
            yield
            return
        beside = _start(str(tracking.live_after), tracking.experiment, ",".join(own))
        try:
            yield
            with suppress(OSError):
                beside and beside.stdin.write(DONE)
        finally:
            with suppress(OSError):
                beside and beside.stdin.close()


def _locked(stack: ExitStack, mark: str) -> bool:
    path = lock(mark)
    path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path)
    try:
        held.acquire(timeout=1)  # who only looks whether it is free holds it for a moment
    except Timeout:
        return False
    stack.callback(held.release)
    return True


def _start(*arguments: str) -> subprocess.Popen | None:
    """Start the command; in a session of its own, so that Ctrl-C leaves it time to tell."""
    code = str(Path(__file__).parents[1])
    paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "stages", "live", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
            bufsize=0,
        )
    except OSError:  # no memory for one more process: the training comes first
        return None
