"""Sign models before MLflow gets them, and check downloaded ones, with OpenSSF's model-signing.

Two environment variables name PEM files of an elliptic curve key: with FOLDLAB_PRIVATE_KEY, models
are signed when they are published; with FOLDLAB_PUBLIC_KEY, no model is taken from MLflow without a
signature of that key. The whole folder of a model is signed, because it also holds the code that
serves it, and Python would import a file that is added there.

The package comes with requirements-team.txt, so it is imported where it is used.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.errors import UserError

NAME = "model.sig"  # in a model's folder
PRIVATE, PUBLIC = "FOLDLAB_PRIVATE_KEY", "FOLDLAB_PUBLIC_KEY"
ADDED = "registered_model_meta"  # MLflow adds this file, with the version, when it downloads


def sign(folder: Path) -> None:
    """Write the signature of a model's folder into it.

    Raises:
        UserError: if FOLDLAB_PRIVATE_KEY names no such key, or model-signing is not installed.
    """
    with _package(PRIVATE):
        from model_signing import hashing, signing

    key = _file(PRIVATE)
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise _no_key(PRIVATE, error) from None
    everything = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    config.set_hashing_config(everything).sign(folder, folder / NAME)


def check(folder: Path, model: str) -> None:
    """Check the signature of the folder of `model`, if FOLDLAB_PUBLIC_KEY is set.

    Raises:
        UserError: if there is no signature of that key, or a file was changed, added or removed
            since; or if the variable names no key, or model-signing is not installed.
    """
    if not os.environ.get(PUBLIC):
        return
    with _package(PUBLIC):
        from cryptography.exceptions import InvalidSignature
        from model_signing import hashing, verifying

    key = _file(PUBLIC)
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except ValueError as error:
        raise _no_key(PUBLIC, error) from None
    signature = folder / NAME
    ignored = [signature, folder / ADDED]
    everything = hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)
    if not signature.is_file():
        reason = "it has no signature"
    else:
        try:
            config.set_hashing_config(everything).verify(folder, signature)
            return
        except (ValueError, InvalidSignature) as error:
            reason = str(error).strip().split("\n")[0] or "another key signed it"
    raise UserError(
        f"{model} fails the signature check with the key {key}: {reason}; publish it with "
        f"{PRIVATE} set, or unset {PUBLIC} to use it unchecked."
    )


@contextmanager
def _package(variable: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"{variable} is set, but the package {error.name} is not installed; run "
            "pip install -r requirements-team.txt -c constraints.txt, or unset it."
        ) from None


def _file(variable: str) -> Path:
    path = Path(os.environ[variable]).expanduser()
    if not path.is_file():
        raise UserError(f"{variable} is {str(path)!r}, which is not a file; give the key's file.")
    return path


def _no_key(variable: str, error: Exception) -> UserError:
    reason = str(error).rstrip(".")
    return UserError(
        f"the file in {variable} has no usable key ({reason}); give an unencrypted PEM file of an "
        "elliptic curve key, as docs/team_server.md makes it."
    )
