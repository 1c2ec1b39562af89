"""A command run in the test's own process."""

from stages.__main__ import handle, run


def status(*arguments: str) -> int | str:
    """Return the exit status of `python -m stages ARGUMENTS`, or the text it ends with."""
    try:
        handle(lambda: run(arguments))
    except SystemExit as end:
        return end.code or 0
    return 0
