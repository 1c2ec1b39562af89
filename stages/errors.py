"""What the user can fix, told in one sentence; every other exception is a bug of ours."""

import errno

# What a full disk, missing permissions or a broken device make the system answer.
REFUSALS = frozenset(
    (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE)
)


class UserError(ValueError):
    """Settings, data, files or services that the user can put right.

    Its text is one sentence: what came, what is allowed, and the next step. Commands print it
    without a traceback. It is a ValueError so that pydantic's validators may raise it.
    """


def system_refusal(error: OSError) -> str | None:
    """Return one sentence for an OSError that only the user can fix, None for any other."""
    if error.errno not in REFUSALS:
        return None
    where = f"{error.filename} cannot be used" if error.filename else "the system refused"
    return f"{where} ({error.strerror}); make that possible and run the same command again."
