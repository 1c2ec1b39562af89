"""Set `data.watch` in params.yaml to the path of the user's data, so that one path is enough.

DVC's templates cannot choose between a path and the name of a data set (docs/decisions.md).
"""

from pathlib import Path
from typing import Any

import yaml

from stages.data import watch
from stages.errors import UserError
from stages.files import replacing
from stages.settings import params

SETTINGS = Path("params.yaml")


def watched() -> None:
    """Set `data.watch` if DVC cannot watch it or would not notice changes; say so in a sentence.

    Every other byte of the file stays the same.

    Raises:
        UserError: when there is no path that DVC can watch, or it cannot be set automatically.
    """
    settings = params.load()
    if not watch.is_wrong(settings):
        return
    best = watch.best(settings.data, settings.folds.group)
    if best == settings.data.watch:
        return  # DVC reports that it is missing
    text = SETTINGS.read_bytes().decode("utf-8")
    data = _value(yaml.compose(text, yaml.SafeLoader), "data")
    if data is not None and not data.value:
        raise UserError(f"{SETTINGS} has an empty section data; set data.watch to {best!r}.")
    new = yaml.safe_dump(best, width=float("inf")).splitlines()[0]
    if data is None:
        start = end = 0
        new = f"data: {{watch: {new}}}\n"
    elif old := _value(data, "watch"):
        start, end = old.start_mark.index, old.end_mark.index
    else:  # before the first setting, in both styles of YAML
        first = data.value[0][0].start_mark
        start = end = first.index
        new = f"watch: {new}" + (", " if data.flow_style else "\n" + " " * first.column)
    with replacing(SETTINGS) as temporary:
        temporary.write_bytes((text[:start] + new + text[end:]).encode("utf-8"))
        expected = settings.data.model_copy(update={"watch": best})
        if params.load(temporary) != settings.model_copy(update={"data": expected}):
            raise UserError(f"could not find data.watch in {SETTINGS}; set it to {best!r}.")
    print(
        f"params.yaml: data.watch is now {best!r}, so that DVC notices changes to your data.",
        flush=True,
    )


def _value(mapping: Any, key: str) -> Any:
    """Return the node of a key's value, or None."""
    return next((value for name, value in mapping.value if name.value == key), None)
