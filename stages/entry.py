"""What every stage's command shares: its arguments, and how it says that it cannot go on."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path


def root() -> Path:
    """Return the repository's folder, also inside one of DVC's temporary experiments."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def end_in_order() -> None:
    """Make SIGTERM an exception like any exit, so that temporary files go and workers end.

    Python drops an exception that strikes while it collects garbage, and tells a hook; the signal
    is then sent once more.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    told = sys.unraisablehook

    def once_more(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, SystemExit):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        else:
            told(dropped)

    sys.unraisablehook = once_more


def run(stage: Callable, **arguments: str) -> None:
    """Parse the command line, call `stage` with its values, and end with status 1 on a refusal.

    The user's mistakes (ValueError) and the machine's refusals (OSError) are one sentence on
    stderr. Anything else is our mistake and keeps its traceback.

    Args:
        stage: the function to call.
        arguments: positional argument -> its help text.
    """
    end_in_order()
    parser = argparse.ArgumentParser(description=(stage.__doc__ or "").splitlines()[0])
    for name, text in arguments.items():
        parser.add_argument(name, help=text)
    try:
        stage(**vars(parser.parse_args()))
    except (ValueError, OSError) as error:
        sys.exit(f"foldlab: {error}")
