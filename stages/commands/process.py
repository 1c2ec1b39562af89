"""What every command's process needs: handle SIGTERM, and run one process per stage."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stages.errors import unwritable


def exit_on_sigterm() -> None:
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


def exit_status(command: Callable[[], object]) -> int:
    """Call `command` in this process, a fork that will end by os._exit; return its exit status.

    Like Python at exit, print the exception that ended the command, and call the exit handlers;
    joblib's end its workers. Modules are not unloaded, which would take a second with TensorFlow.
    """
    status = _status(command)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    return status


def _status(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


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
        held = lock.acquire(timeout=0)
    except Timeout:
        print(
            f"foldlab: another process runs {name} here, perhaps left behind by a dvc that was "
            "killed; this one waits for it to end.",
            file=sys.stderr,
            flush=True,
        )
        held = lock.acquire()
    except OSError as error:
        raise unwritable(path, error) from None
    with held:
        yield
