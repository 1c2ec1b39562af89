"""Errors that the user can fix, each in one sentence; all other exceptions are bugs."""

import errno
from pathlib import Path

# Error numbers of a full disk, missing permissions or a broken device.
USER_ERRORS = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE)
)


class UserError(ValueError):
    """An error in settings, data, files or services that the user can fix.

    Its message is one sentence: what was found, what is allowed, and the next step. Commands print
    it without a traceback. It is a ValueError so that pydantic's validators can raise it.
    """


def system_refusal(error: OSError) -> str | None:
    """Return one sentence for an OSError that the user can fix, and None for any other."""
    if error.errno not in USER_ERRORS:
        return None
    what = f"{error.filename} cannot be used" if error.filename else "a system call failed"
    return f"{what} ({error.strerror}); fix this and run the same command again."


def unwritable(path: Path, error: OSError) -> UserError:
    """Return the error to raise when the system does not allow `path` to be written."""
    action = "free disk space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "fix this"
    return UserError(
        f"{path} cannot be written ({error.strerror}); {action} and run the same command again: "
        "finished work is saved."
    )
