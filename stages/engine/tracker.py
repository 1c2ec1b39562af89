"""Live tracking: a start marker for each training, and the process that logs its progress.

That process, `python -m stages live`, reads finished folds from the fold store. Training never
waits for it, and loses nothing if it fails, hangs or is killed. No tracker is imported here.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from stages.engine import fold_store
from stages.files import read_json, write_json
from stages.settings.sections import Tracking
from stages.training.recipe import Recipe

DONE = b"done"  # sent when training ends normally; a killed process only closes the pipe


def write_start_marker(
    fingerprint: str, recipe: Recipe, description: str, dataset: Mapping[str, Any]
) -> int:
    """Write what is known before a training's first fold ends; `dataset` is dataset.json's content.

    Returns when the training began, in ms since 1970. A resumed training keeps its first start.
    """
    path = start_marker(fingerprint)
    began = read_json(path, ("began",))["began"] if path.is_file() else round(time.time() * 1000)
    content = {
        "variant": recipe.variant,
        "description": description,
        "fingerprint": fingerprint,
        "settings": recipe.model_dump(exclude={"variant"}),
        "dataset": dataset,
        "began": began,
    }
    write_json(path, content)
    return began


def start_marker(fingerprint: str) -> Path:
    """Return the path of a training's start marker."""
    return fold_store.folder(fingerprint) / "training.json"


@contextmanager
def tracked(fingerprints: Sequence[str], tracking: Tracking) -> Iterator[None]:
    """Lock training runs and log their progress in a second process while the block runs.

    The second process sees the end of the block, or the death of this process, as the end of its
    input. Training runs that another process has locked are left to that process.
    """
    with ExitStack() as stack:
        own = []
        for fingerprint in fingerprints:
            path = fold_store.lock_path(fingerprint)
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):  # a process that only tests the lock holds it for a moment
                stack.enter_context(FileLock(path, timeout=1))
                own.append(fingerprint)
        tracker = None
        if own and tracking.live_after is not None:
            tracker = _start(str(tracking.live_after), tracking.experiment, *own)
        if tracker:
            stack.enter_context(tracker)
        yield
        if tracker:
            with suppress(OSError):
                tracker.write(DONE)


def _start(*arguments: str) -> IO[bytes] | None:
    """Start the tracker in its own session, so that Ctrl-C leaves it time to log the end."""
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "stages", "live", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        ).stdin
    except OSError:  # no memory for another process: training matters more
        return None
