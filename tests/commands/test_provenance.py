import sys

from stages.commands import provenance

CONSTRAINTS = """\
# a comment
absl-py==2.5.1
keras==3.15.1
numpy==2.4.6 ; python_full_version < '3.12'
numpy==2.5.5 ; python_full_version >= '3.12'
"""


def test_pinned_versions_are_those_for_this_python():
    numpy = "2.4.6" if sys.version_info < (3, 12) else "2.5.5"
    assert provenance._pinned(CONSTRAINTS) == {"keras": "3.15.1", "numpy": numpy}
    assert provenance._pinned("") == {}
