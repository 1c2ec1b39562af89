"""`python -m stages promote NAME`: make a variant's current model the champion by hand.

The version says who did it and why. The rule of `stages.commands.champion` leaves such a champion
alone, whatever `dvc repro` finds, until another is promoted or `--release` gives it back.
"""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from stages import params
from stages.errors import UserError
from stages.tracking import record as records
from stages.tracking import store


def promote(name: str, reason: str = "") -> str:
    """Move the alias `champion` to the model of a variant's present results.

    Args:
        name: a row of params.yaml whose results are there and published.
        reason: why, in the person's words.

    Returns:
        The sentence that is written on the version.

    Raises:
        UserError: when the variant is unknown, has no results, or they are no version yet.
        OSError: when the store cannot be used.
    """
    settings = params.load()
    wanted = records.read(name, settings)
    model = settings.tracking.model_name
    with _opened(settings) as (client, registry):
        version = registry.find(client, model, wanted.identity)
        if version is None:
            raise UserError(
                f"the present results of {name} are no version of {model!r} in MLflow at "
                f"{store.safe(store.location())}; run `make publish`."
            )
        return registry.promote(client, model, version, _who(), reason)


def release() -> str:
    """Give a champion that was made by hand back to the rule; return a sentence that says so.

    Raises:
        UserError: when there is no champion.
        OSError: when the store cannot be used.
    """
    settings = params.load()
    model = settings.tracking.model_name
    with _opened(settings) as (client, registry):
        if registry.release(client, model) is None:
            raise UserError(f"{model!r} has no champion in MLflow; run `make publish`.")
    return f"The rule decides on the champion of {model!r} again, next time in `make publish`."


@contextmanager
def _opened(settings: params.Params) -> Iterator[tuple[store.Client, ModuleType]]:
    """Open the store and yield its client and the module `registry`; what fails is an OSError."""
    try:
        with store.opened(settings.tracking.experiment) as (client, _):
            from stages.tracking import registry  # it imports MLflow, which takes seconds

            yield client, registry
    except Exception as error:
        if not store.failed(error):
            raise
        place = store.safe(store.location())
        raise UserError(f"MLflow at {place} refused: {store.why(error)}.") from None


def _who() -> str:
    """Return the person's name at a server with passwords, else on this machine."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "somebody"
