import errno
import os

import pytest

from stages.errors import system_refusal


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_system_refuses_is_a_sentence_with_the_file(number):
    refusal = system_refusal(OSError(number, os.strerror(number), "results/a.csv"))
    assert "results/a.csv" in refusal
    assert os.strerror(number) in refusal


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file", "a"), OSError("no number"), TimeoutError()]
)
def test_any_other_error_of_the_system_may_be_a_bug(error):
    assert system_refusal(error) is None
