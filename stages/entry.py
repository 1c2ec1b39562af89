"""What every stage's command shares: its arguments, and how it says that it cannot go on."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


def root() -> Path:
    """Return the repository's folder, also inside one of DVC's temporary experiments."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def run(stage: Callable, **arguments: str) -> None:
    """Parse the command line, call `stage` with its values, and end with status 1 on a refusal.

    The user's mistakes (ValueError) and the machine's refusals (OSError) are one sentence on
    stderr. Anything else is our mistake and keeps its traceback. SIGTERM becomes an orderly exit,
    so that temporary files are removed and worker processes end.

    Args:
        stage: the function to call.
        arguments: positional argument -> its help text.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description=(stage.__doc__ or "").splitlines()[0])
    for name, text in arguments.items():
        parser.add_argument(name, help=text)
    try:
        stage(**vars(parser.parse_args()))
    except (ValueError, OSError) as error:
        sys.exit(f"foldlab: {error}")
