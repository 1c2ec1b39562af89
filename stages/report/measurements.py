"""results/measurements.html: what commands measured on demand, on one page beside the report.

Times depend on the machine, and learning curves and suites take long. So the report, which has the
same bytes in every run, cannot contain them.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from matplotlib.figure import Figure
from tabulate import tabulate

from stages import files
from stages.figures import style
from stages.files import RESULTS
from stages.report import pictures
from stages.report.templates import TEMPLATES

STORED = RESULTS / "measurements.json"  # the sections so far
PAGE = RESULTS / "measurements.html"
LEFT = ("variant", "source", "n", "verdict")  # columns of text in the printed table
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
    page = TEMPLATES.get_template("measurements.html.j2").render(sections=shown)
    files.write_text(PAGE, page)


def show(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    fields: Sequence[str],
    figure: Figure,
    shown: Sequence[Mapping[str, str]],
    sentences: Sequence[str],
) -> None:
    """Write results/`name`.csv and its picture, add both to the page, and print the table.

    `rows` are the content of the CSV file, with the columns `fields`. `shown` is the table as text,
    one mapping from title to cell per row. The rest is as for `add`.
    """
    table = ([row[key] for key in fields] for row in rows)
    files.write_table(RESULTS / f"{name}.csv", fields, table)
    style.save(figure, RESULTS / "plots" / f"{name}.png")
    columns, cells = [*shown[0]], [[*row.values()] for row in shown]
    add(name, columns, cells, sentences)
    align = ["left" if title in LEFT else "right" for title in columns]
    print(tabulate(cells, columns, disable_numparse=True, colalign=align), "", *sentences, sep="\n")
