"""results/measurements.html: what commands measured on demand, on one page beside the report.

Times belong to a machine, and learning curves and suites take long. So the report, which has the
same bytes in every run, cannot hold them.
"""

import json
from collections.abc import Sequence
from contextlib import suppress

from stages import files
from stages.files import RESULTS
from stages.report import pictures
from stages.report.templates import TEMPLATES

STORED = RESULTS / "measurements.json"  # the sections so far
PAGE = RESULTS / "measurements.html"
TITLES = {
    "cost": "Cost of a prediction",
    "learning_curve": "Would more images help?",
    "suite": "Several data sets",
    "export": "Exported models",
}


def add(
    name: str, columns: Sequence[str], cells: Sequence[Sequence[str]], sentences: Sequence[str]
) -> None:
    """Put a section on the page, in place of an earlier one of this name.

    Args:
        name: a key of TITLES. The picture is results/plots/`name`.png, if there is one.
        columns, cells: the table, as text.
        sentences: text above the table.
    """
    stored = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):
        content = json.loads(STORED.read_text(encoding="utf-8"))
        stored = content if isinstance(content, dict) else {}
    stored[name] = {"columns": columns, "cells": cells, "sentences": sentences}
    files.write_json(STORED, stored)
    shown = {}
    for key, title in TITLES.items():
        if key in stored:
            path = RESULTS / "plots" / f"{key}.png"
            drawn = pictures.embedded(path.read_bytes()) if path.is_file() else None
            shown[key] = {"title": title, "picture": drawn, **stored[key]}
    with files.replacing(PAGE) as temporary:
        page = TEMPLATES.get_template("measurements.html.j2").render(sections=shown)
        temporary.write_text(page, encoding="utf-8")
