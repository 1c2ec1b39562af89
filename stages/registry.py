"""Names that stand for functions: how they are looked up and how their arguments are checked."""

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from stages.errors import UserError


def register(table: dict[str, Callable]) -> Callable[[Callable], Callable]:
    """Return a decorator that enters a function into `table` under its own name.

    Raises:
        UserError: when the decorated function's name is taken.
    """

    def enter(function: Callable) -> Callable:
        if function.__name__ in table:
            raise ValueError(f"{function.__name__} is registered twice; give one another name.")
        table[function.__name__] = function
        return function

    return enter


def nearest(name: str, known: Collection[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `known`, or "" when none is close."""
    close = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def lookup(kind: str, table: Mapping[str, Callable], name: str, where: str) -> Callable:
    """Return the function that `name` stands for.

    Args:
        kind: what the table holds, in the singular, for the message ("architecture").
        table: name -> function.
        name: the name asked for.
        where: the setting that asks, for the message ("variants.basic.architecture").

    Raises:
        UserError: when the name is unknown; says which are known and which is nearest.
    """
    if name not in table:
        raise UserError(
            f"{where} is {name!r}, which is no known {kind}; "
            f"known are {', '.join(sorted(table))}.{nearest(name, table)}"
        )
    return table[name]


def check_arguments(function: Callable, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check `arguments` against a function's annotated keyword-only parameters.

    Args:
        function: a registered function; its keyword-only parameters are its settings.
        arguments: what params.yaml gives for them.
        where: the setting's path, for the message.

    Returns:
        Every keyword-only parameter with the given value or its default.

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
    """Put pydantic's first finding in one sentence: key, value, what is allowed, nearest name.

    Args:
        error: what validation raised.
        where: the path of the validated mapping ("" at the top level).
        known: names allowed at the level of the first unknown key.
    """
    first = error.errors()[0]
    parts = [str(part) for part in (where, *first["loc"]) if part != ""]
    path = ".".join(part if part.isprintable() else repr(part) for part in parts)
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"{path} is unknown; known are {', '.join(known) or 'none'}.{nearest(name, known)}"
    if first["type"] == "missing":
        return f"{path} is missing; add it."
    said = re.sub(r"^(Value error, |\w+ (?=should))", "", first["msg"])
    return f"{path} is {first['input']!r}: it {said.rstrip('.')}."
