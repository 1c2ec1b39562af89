"""Register functions under their names, look them up, and check their arguments."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import create_model

from stages.errors import UserError
from stages.settings.base import Settings, nearest, validate

Value = TypeVar("Value")


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


def lookup(kind: str, table: Mapping[str, Value], name: str, where: str) -> Value:
    """Return the entry of `table` under `name`, which is the value of the setting `where`.

    Raises:
        UserError: when there is no such entry; names its `kind` ("architecture") and the known
            names.
    """
    if name not in table:
        raise UserError(
            f"{where} is {name!r}, which is not a known {kind}; "
            f"known are {', '.join(sorted(table)) or 'none'}.{nearest(name, table)}"
        )
    return table[name]


def check_arguments(function: Callable, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return all keyword-only parameters of a function, from `arguments` or else the default.

    Args:
        function: a registered function; its annotated keyword-only parameters are its settings.
        arguments: the arguments in params.yaml.
        where: the path of the arguments, for the message.

    Raises:
        UserError: for an unknown, missing, wrongly typed or out-of-range argument, or one without
            annotation.
    """
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        if parameter.annotation is parameter.empty:
            raise UserError(
                f"{where}: the argument {parameter.name} of the function {function.__name__} has "
                f"no annotation to check it by; add one, such as {parameter.name}: int."
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    model = create_model(function.__name__, __base__=Settings, **fields)
    return validate(model, arguments, where).model_dump()
