"""What every command's process needs: handle SIGTERM, and run one process per stage."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
    signals = {SystemExit: signal.SIGTERM, KeyboardInterrupt: signal.SIGINT}

    def resend(dropped: "sys.UnraisableHookArgs") -> None:
        if dropped.exc_type in signals:
            threading.Timer(0.05, os.kill, (os.getpid(), signals[dropped.exc_type])).start()
        else:
            original_hook(dropped)

    sys.unraisablehook = resend


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait while another process runs the stage of this name in this folder, then run the block.

    A killed dvc leaves its stage running. The next run waits for it and then uses its folds, so
    that two processes never write to the same folder. The system releases the lock of a killed
    process.
    """
    path = Path(".foldlab") / "running" / f"{name}.lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        print(
            f"foldlab: another process runs {name} here, perhaps left by a dvc that was killed; "
            "this one waits for it to end.",
            file=sys.stderr,
            flush=True,
        )
        lock.acquire()
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield
    finally:
        lock.release()
