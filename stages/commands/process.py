"""What every command's process needs: handle SIGTERM, and run one process per stage."""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from stages.errors import unwritable


def end_in_order() -> None:
    """Turn SIGTERM into SystemExit, so that temporary files are removed and workers end.

    Python drops an exception raised during garbage collection and calls a hook instead. The hook
    sends the signal, or an interrupt, once more.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    original_hook = sys.unraisablehook

    def resend(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, SystemExit):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        elif isinstance(dropped.exc_value, KeyboardInterrupt):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            original_hook(dropped)

    sys.unraisablehook = resend


def exclusive(stage: Callable) -> Callable:
    """Wrap `stage` to wait while another process runs the same stage in this folder.

    A killed dvc leaves its stage running. The next run waits for it and then uses its folds, so
    that two processes never write to the same folder. The system releases the lock of a killed
    process.
    """

    @functools.wraps(stage)
    def wrapper(**arguments: str) -> None:
        name = "-".join([stage.__name__, *arguments.values()])
        path = Path(".foldlab") / "running" / f"{name}.lock"
        lock = FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            print(
                f"foldlab: another process runs {name} here, perhaps left by a dvc that was "
                "killed; this one waits for it to end.",
                file=sys.stderr,
                flush=True,
            )
            lock.acquire()
        except OSError as error:
            raise unwritable(path, error) from None
        try:
            stage(**arguments)
        finally:
            lock.release()

    return wrapper
