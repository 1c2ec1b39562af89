"""The shipped settings, and copies of them with one value changed."""

import copy

from benchmarks import inputs

CONTENT = inputs.defaults()


def changed(path, value):
    """Return the shipped settings with the value at a path, separated by dots, replaced."""
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split(".")
    section = content
    for parent in parents:
        section = section.setdefault(parent, {})
    section[last] = value
    return content
