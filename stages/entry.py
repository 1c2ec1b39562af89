"""What the commands share: the repository's folder, orderly ends, one process per stage."""

import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from stages.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT)


def root() -> Path:
    """Return the repository's folder, also inside one of DVC's temporary experiments."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def find(given: str) -> Path:
    """Return where a path of params.yaml lies: in the working folder, else in the repository's.

    They are two in DVC's temporary experiments only. The working folder then has what Git and DVC
    track, as the experiment had it when it was queued; the repository's has what is there now.
    Where neither has it, this is the path in the repository's.
    """
    path = os.path.expanduser(given)
    here = Path.cwd() / path
    return here if os.path.exists(here) else root() / path


def end_in_order() -> None:
    """Make SIGTERM an exception like any exit, so that temporary files go and workers end.

    Python drops an exception that strikes while it collects garbage, and tells a hook; the signal
    is then sent once more, as is that of an interrupt.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    told = sys.unraisablehook

    def once_more(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, SystemExit):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        elif isinstance(dropped.exc_value, KeyboardInterrupt):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            told(dropped)

    sys.unraisablehook = once_more


def alone(stage: Callable) -> Callable:
    """Return `stage` as a function that waits while another process runs the same here.

    A dvc that is killed leaves its stage running: the next one waits for it, finds its folds kept,
    and never has two writers in one folder. The system frees the lock of a killed process.
    """

    @functools.wraps(stage)
    def waiting(**given: str) -> None:
        name = "-".join([stage.__name__, *given.values()])
        path = Path(".foldlab") / "running" / f"{name}.lock"
        lock = FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"foldlab: another process runs {name} here, perhaps left by a dvc that was "
                "killed; this one waits for its end.",
                file=sys.stderr,
                flush=True,
            )
            lock.acquire()
        except OSError as error:
            raise unwritable(path, error) from None
        try:
            stage(**given)
        finally:
            lock.release()

    return waiting


def unwritable(path: Path, error: OSError) -> UserError:
    """Return the refusal to go on where the system does not let `path` be written."""
    cure = "make room there" if error.errno in FULL else "mend that"
    return UserError(
        f"{path} cannot be written ({error.strerror}); {cure} and run the same command again: "
        "what is finished is kept."
    )
