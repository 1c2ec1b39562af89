"""Sign models before MLflow gets them, and check downloaded ones, with OpenSSF's model-signing.

Two environment variables name PEM files of an elliptic curve key: with FOLDLAB_PRIVATE_KEY, models
are signed when they are published; with FOLDLAB_PUBLIC_KEY, no model is taken from MLflow without a
signature of that key. A model in MLflow is published again if its signature is not by this key, or
the model was changed since. The whole folder of a model
is signed, because it also holds the code that serves it, and Python would import a file that is
added there.

The package comes with requirements-team.txt, so it is imported where it is used.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.errors import UserError

NAME = "model.sig"  # in a model's folder
PRIVATE, PUBLIC = "FOLDLAB_PRIVATE_KEY", "FOLDLAB_PUBLIC_KEY"
ADDED = "registered_model_meta"  # MLflow adds this file, with the version, when it downloads


def check_key() -> None:
    """Check that models can be signed, if FOLDLAB_PRIVATE_KEY is set; see `sign`."""
    if os.environ.get(PRIVATE):
        _signing()


def sign(folder: Path) -> None:
    """Write the signature of a model's folder into it.

    Raises:
        UserError: if FOLDLAB_PRIVATE_KEY names no such key, or model-signing is not installed.
    """
    config = _signing()
    from model_signing import hashing

    everything = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    config.set_hashing_config(everything).sign(folder, folder / NAME)


def _signing() -> Any:
    """Return the configuration that signs with the key in FOLDLAB_PRIVATE_KEY."""
    with _package(PRIVATE):
        from model_signing import signing

    key = _file(PRIVATE)
    try:
        return signing.Config().use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise _no_key(PRIVATE, error) from None


def is_own(folder: Path) -> bool:
    """Return whether the key in FOLDLAB_PRIVATE_KEY has signed the folder as it is; see `sign`."""
    _signing()  # refuses what is no such key
    from cryptography.hazmat.primitives import serialization

    pem = _file(PRIVATE).read_bytes()
    public = serialization.load_pem_private_key(pem, password=None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    with tempfile.NamedTemporaryFile() as file:
        file.write(public.public_bytes(serialization.Encoding.PEM, form))
        file.flush()
        return not _problem(folder, Path(file.name))


def check(folder: Path, model: str) -> None:
    """Check the signature of the folder of `model`, if FOLDLAB_PUBLIC_KEY is set.

    Raises:
        UserError: if there is no signature of that key, or a file was changed, added or removed
            since; or if the variable names no key, or model-signing is not installed.
    """
    if not os.environ.get(PUBLIC):
        return
    if reason := _problem(folder, key := _file(PUBLIC)):
        raise UserError(
            f"{model} fails the signature check with the key {key}: {reason}; run `make publish` "
            f"with {PRIVATE} set, which signs it or registers a signed version, or unset {PUBLIC} "
            "to use it unchecked."
        )


def _problem(folder: Path, key: Path) -> str:
    """Return why the signature of a folder is not by this public key, or "" if it is."""
    with _package(PUBLIC):
        from cryptography.exceptions import InvalidSignature
        from model_signing import hashing, verifying

    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except ValueError as error:
        raise _no_key(PUBLIC, error) from None
    signature = folder / NAME
    if not signature.is_file():
        return "it has no signature"
    ignored = [signature, folder / ADDED]
    everything = hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)
    try:
        config.set_hashing_config(everything).verify(folder, signature)
    except (LookupError, TypeError):
        return f"its {NAME} is damaged"
    except (ValueError, InvalidSignature) as error:
        return str(error).strip().split("\n")[0].rstrip(".") or "another key signed it"
    return ""


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
