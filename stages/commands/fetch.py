"""`python -m stages fetch models:/foldlab/3`: a registered model to start a variant from.

It is kept in `.foldlab/models/` under the digest of its content, which the printed row holds: the
row then names the model's bytes, wherever they come from, and training needs no MLflow.
"""

import hashlib
import re
import tempfile
from pathlib import Path

from stages import files, params
from stages.engine.saved_model import kept
from stages.errors import UserError
from stages.models.transfer import REGISTERED
from stages.tracking import store


def fetch(model: str) -> None:
    """Bring a registered model's file here, and print the row that starts from it.

    Args:
        model: `models:/name/version` or `models:/name@alias`; the row holds the version.

    Raises:
        UserError: when it is neither.
        OSError: when the store cannot be used or has no such model.
    """
    if not re.fullmatch(REGISTERED, model):
        raise UserError(
            f"{model!r} is no registered model; write models:/name/version or models:/name@alias."
        )
    try:
        with store.opened(params.load().tracking.experiment) as (client, _):
            from stages.tracking import registry  # it imports MLflow, which takes seconds

            version = registry.named(client, model)
    except Exception as error:
        if not store.failed(error):
            raise
        raise UserError(
            f"{model} is not to be had from {store.safe(store.location())}: {store.why(error)}; "
            "see `make ui` for what is registered."
        ) from None

    from stages.tracking.model import fetch as download

    pinned = f"models:/{version.name}/{version.version}"
    with tempfile.TemporaryDirectory() as folder:
        content = download(pinned, Path(folder)).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with files.replacing(kept(sha256)) as beside:
        beside.write_bytes(content)
    print(f"architecture: {{from_model: {{model: '{pinned}', sha256: {sha256}}}}}")
