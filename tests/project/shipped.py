"""Tests of this project's own documents, workflows and committed state: a user's may differ.

They are skipped where settings or committed results are no longer those that Foldlab is shipped
with, unless the environment has FOLDLAB_PROJECT, as in `.ci/run`. Then they fail there.
"""

import os
import subprocess

import pytest

from benchmarks.inputs import ROOT, SHIPPED

PROJECT = bool(os.environ.get("FOLDLAB_PROJECT"))


def own():
    """Return how this repository differs from what Foldlab is shipped with, or ""."""
    if (ROOT / "params.yaml").read_bytes() != SHIPPED.read_bytes():
        return f"params.yaml is not {SHIPPED.relative_to(ROOT)}"
    command = ["git", "show", "HEAD:results/comparison.md"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    table = "\n".join(line for line in shown.splitlines() if line.startswith("|"))
    readme = ROOT / "README.md"
    if not (readme.is_file() and table.count("\n") > 2 and table in readme.read_text()):
        return "README.md does not have the table of the committed results/comparison.md"
    return ""


def skip_unless_shipped():
    """Skip the calling module if this is another project's repository."""
    if not PROJECT and (reason := own()):
        text = f"tests/project checks what Foldlab is shipped with: {reason}"
        pytest.skip(text, allow_module_level=True)
