"""Refusals of what a user can correct: each is one line of whole sentences."""

import re
from contextlib import contextmanager

import pytest

from stages.errors import UserError
from tests.command import status


@contextmanager
def refused(match=None):
    """Check that the block ends with a UserError of one line that matches, and yield it."""
    with pytest.raises(UserError, match=match) as error:
        yield error
    assert re.fullmatch(r".+[.?]", str(error.value))


def refusal(function, *arguments, **named) -> str:
    """Return the sentence with which a call is refused."""
    with refused() as error:
        function(*arguments, **named)
    return str(error.value)


def command_refusal(*arguments: str) -> str:
    """Return the sentence with which `python -m stages ARGUMENTS` is refused, with status 1."""
    message = status(*arguments)
    assert isinstance(message, str), message
    assert re.fullmatch(r"foldlab: .+[.?]", message)
    return message.removeprefix("foldlab: ")
