"""`python -m stages fetch models:/foldlab/3`: download a model to start a variant from.

The file is stored in `.foldlab/models/` under the SHA-256 of its content. The printed setting holds
that hash, so it identifies the model whatever its source, and training does not need MLflow.
"""

import hashlib
import re
import tempfile
from pathlib import Path

from stages import files
from stages.engine.saved_model import model_path, starting_layers
from stages.errors import UserError
from stages.models.transfer import REGISTERED


def fetch(model: str) -> None:
    """Download a registered model and print the `architecture` setting that starts from it.

    The setting names the version even if `model` is an alias, `models:/name@alias`.

    Raises:
        UserError: if `model` is not a registered model, no variant can start from it, or the store
            cannot be used.
    """
    if not re.fullmatch(REGISTERED, model):
        raise UserError(
            f"{model!r} is not a registered model; give models:/name/version or models:/name@alias."
        )
    from stages.tracking.model import fetch as download  # MLflow's import takes seconds

    with tempfile.TemporaryDirectory() as folder:
        path, pinned = download(model, Path(folder))
        content = path.read_bytes()
    starting_layers(content, pinned)
    sha256 = hashlib.sha256(content).hexdigest()
    files.write_bytes(model_path(sha256), content)
    print(f"architecture: {{from_model: {{model: '{pinned}', sha256: {sha256}}}}}")
