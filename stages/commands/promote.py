"""`python -m stages promote VARIANT`: make a variant's current model the champion by hand.

Tags of the version record who did it and why. `dvc repro` does not replace such a champion until
another one is promoted or `--release` is given.
"""

import os

from stages.errors import UserError
from stages.settings import params
from stages.tracking import address, origin, record, store


def promote(name: str, reason: str = "") -> str:
    """Move the alias `champion` to the model of a variant's current results.

    Returns the sentence that the version is tagged with; `reason` is the user's part of it.

    Raises:
        UserError: if the variant is unknown, if its results are missing, unpublished or made with
            `data.limit`, or if the store cannot be used.
    """
    settings = params.load()
    identity = record.read(name, settings).identity
    # on a server with passwords, the user name there
    who = os.environ.get("MLFLOW_TRACKING_USERNAME") or origin.user() or "somebody"
    with store.opened(settings.tracking) as client:
        from stages.tracking import champion, runs  # MLflow's import takes seconds

        run, version, _ = runs.look_up(client, identity)
        if run and runs.is_limited(run):
            raise UserError(
                f"{name} was trained with data.limit = {run.data.tags[runs.LIMIT]}, so its model "
                "is not registered; remove the limit and run `dvc repro`."
            )
        if version is None:
            raise UserError(
                f"the current results of {name} are not registered as {client.model_name!r} in "
                f"MLflow at {address.shown()}; run `make publish`."
            )
        return champion.promote(client, version, who, reason)


def release() -> str:
    """Allow `dvc repro` to replace a champion that was promoted by hand; return a confirmation.

    Raises:
        UserError: if there is no champion, or the store cannot be used.
    """
    with store.opened(params.load().tracking) as client:
        from stages.tracking import champion  # MLflow's import takes seconds

        name = repr(client.model_name)
        if champion.release(client) is None:
            raise UserError(f"{name} has no champion in MLflow; run `make publish`.")
    return f"Released: the next `make publish` chooses the champion of {name} by the test again."
