"""The base class of all settings, and validation that gives one sentence for the first error."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from stages.errors import UserError


class Settings(BaseModel):
    """Base of all settings: rejects unknown keys, does not convert types, and is immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_keys(cls, content: Any) -> Any:
        for key in content if isinstance(content, Mapping) else ():
            if key not in cls.model_fields:
                known = ", ".join(cls.model_fields) or "none"
                suggestion = nearest(key, cls.model_fields)
                raise UserError(f"{_part(key)} is unknown; known are {known}.{suggestion}")
        return content


PLAIN = {  # pydantic's type of an error -> what is required, in the words of a YAML file
    "list_type": "must be a list, as in [a, b]",
    "model_type": "must be a mapping of settings",
    "dict_type": "must be a mapping",
    "string_type": "must be text",
    "finite_number": "must be a finite number",
    "too_short": "must have {min_length} or more values",
}
Model = TypeVar("Model", bound=Settings)


def validate(model: type[Model], content: Any, where: str = "") -> Model:
    """Return `content`, the value of the setting `where` in params.yaml, as a model.

    Raises:
        UserError: for the first invalid setting; gives its path, its value and what is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
    path = [_part(part) for part in (where, *first["loc"]) if part != ""]
    reason = first.get("ctx", {}).get("error")
    if isinstance(reason, UserError):  # an unknown key, with its message
        raise UserError(".".join([*path, str(reason)]))
    setting = ".".join(path)
    if first["type"] == "missing":
        raise UserError(f"{setting} is missing; add it.")
    if path[-1] == "[key]":
        where = ".".join(path[:-2])
        raise UserError(f"{where} has the key {first['input']!r}, which is not text; rename it.")
    context = first.get("ctx", {})
    requirement = PLAIN.get(first["type"], "").format(**context) or re.sub(
        r"^(Value error, |\w+ (?=should))", "", first["msg"]
    ).rstrip(".")
    allowed = re.findall(r"'([^']+)'", str(context.get("expected", "")))
    raise UserError(
        f"{setting} is {first['input']!r}: it {requirement}.{nearest(first['input'], allowed)}"
    )


def _part(part: object) -> str:
    return str(part) if str(part).isprintable() else repr(part)


def nearest(name: object, known: Collection[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `known`, or "" if none is close."""
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
