"""Register functions under their names, look them up, and check their arguments."""

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from stages.errors import UserError


def register(table: dict[str, Callable]) -> Callable[[Callable], Callable]:
    """Return a decorator that adds a function to `table` under its own name.

    The decorator raises ValueError when the name is taken.
    """

    def add(function: Callable) -> Callable:
        if function.__name__ in table:
            raise ValueError(f"{function.__name__} is registered twice; rename one of them.")
        table[function.__name__] = function
        return function

    return add


def nearest(name: str, known: Collection[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `known`, or "" if none is close."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def lookup(kind: str, table: Mapping[str, Callable], name: str, where: str) -> Callable:
    """Return the function registered under `name`.

    Args:
        kind: the kind of function, for the message ("architecture").
        table: name -> function.
        name: the name to look up.
        where: the setting with the name, for the message ("variants.basic.architecture").

    Raises:
        UserError: when the name is unknown; lists the known names and the nearest one.
    """
    if name not in table:
        raise UserError(
            f"{where} is {name!r}, which is not a known {kind}; "
            f"known are {', '.join(sorted(table))}.{nearest(name, table)}"
        )
    return table[name]


def check_arguments(function: Callable, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check `arguments` against a function's annotated keyword-only parameters.

    Args:
        function: a registered function; its keyword-only parameters are its settings.
        arguments: the arguments in params.yaml.
        where: the setting's path, for the message.

    Returns:
        All keyword-only parameters with the value in `arguments` or the default.

    Raises:
        UserError: for an unknown, missing, wrongly typed or out-of-range argument.
    """
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    fields = {
        parameter.name: (
            parameter.annotation,
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    strict = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    model = create_model(function.__name__, __config__=strict, **fields)
    try:
        return model(**arguments).model_dump()
    except ValidationError as error:
        raise UserError(describe(error, where, fields)) from None


def describe(error: ValidationError, where: str, known: Collection[str]) -> str:
    """Describe pydantic's first error in one sentence: key, value, what is allowed, nearest name.

    Args:
        error: the validation error.
        where: the path of the validated mapping ("" at the top level).
        known: names allowed at the level of an unknown key.
    """
    first = error.errors()[0]
    parts = [str(part) for part in (where, *first["loc"]) if part != ""]
    path = ".".join(part if part.isprintable() else repr(part) for part in parts)
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"{path} is unknown; known are {', '.join(known) or 'none'}.{nearest(name, known)}"
    if first["type"] == "missing":
        return f"{path} is missing; add it."
    requirement = re.sub(r"^(Value error, |\w+ (?=should))", "", first["msg"])
    return f"{path} is {first['input']!r}: it {requirement.rstrip('.')}."
