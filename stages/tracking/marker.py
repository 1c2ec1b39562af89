"""The result files of a variant, and the marker that `publish` writes about them for DVC."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stages.files import RESULTS, listed, read_json, sha256, write_json

# The files that compare reads, apart from the figures; DVC sees their hashes in the marker.
COMPARED = (
    "fold_scores.csv",
    "folds.csv",
    "history.csv",
    "predictions.npz",
    "metrics.json",
    "training.json",
)
TRAINED = ("folds.csv", "history.csv", "model.keras")  # their digest identifies the results
NEEDED = {  # stage -> its files without which nothing is published
    "train": ("folds.csv", "history.csv", "training.json", "model.keras"),
    "evaluate": ("fold_scores.csv", "predictions.npz", "metrics.json", "per_class.csv"),
    "plot": (
        "model_card.md",
        "plots/curves.png",
        "plots/confusion_matrix.png",
        "plots/calibration.png",
        "plots/data_card.png",
        "plots/mistakes.png",
    ),
}

IN_GIT = ("folds.csv", "history.csv", "metrics.json")

ATTACHED = (  # uploaded, with all figures
    "fold_scores.csv",
    "folds.csv",
    "history.csv",
    "per_class.csv",
    "confusion.csv",
    "mistakes.csv",
    "metrics.json",
    "model_card.md",
)


class Identity(NamedTuple):
    """Identifies a training in a store that may be shared by several checkouts.

    The fingerprint alone is not enough, because results may differ between machines.
    """

    fingerprint: str
    results_sha256: str | None  # of the files that training wrote; None while it runs


def missing(variant: str) -> list[tuple[str, Path]]:
    """Return (stage, path) of each needed file that does not exist."""
    return [(stage, path) for stage, path in _needed(variant) if not path.is_file()]


def has_results(variant: str) -> bool:
    """Return whether any of the needed files exists that a fresh clone does not have."""
    return any(path.is_file() and path.name not in IN_GIT for _, path in _needed(variant))


def _needed(variant: str) -> list[tuple[str, Path]]:
    return [(stage, RESULTS / variant / name) for stage in NEEDED for name in NEEDED[stage]]


def write(variant: str, identity: Identity) -> None:
    """Write results/published/<variant>.json, whose content depends on result files only."""
    folder = RESULTS / variant
    figures = [f"plots/{path.name}" for path in listed(folder / "plots", "*.png")]
    hashes = {name: sha256(folder / name) for name in (*COMPARED, *figures)}
    write_json(_path(variant), {"variant": variant, **identity._asdict(), "sha256": hashes})


def published(variant: str) -> Identity | None:
    """Return the identity in a variant's marker; None if it is missing or from an older version."""
    with suppress(FileNotFoundError, KeyError):
        content = read_json(_path(variant))
        return Identity(content["fingerprint"], content["results_sha256"])
    return None


def trained(variant: str) -> dict[str, str]:
    """Return name -> SHA-256 of the files that training wrote."""
    return {name: sha256(RESULTS / variant / name) for name in TRAINED}


def is_published(variant: str, identity: Identity) -> bool:
    """Return whether the files that training wrote are those that were published as `identity`."""
    with suppress(FileNotFoundError):
        return combined(trained(variant).items()) == identity.results_sha256
    return False


def _path(variant: str) -> Path:
    return RESULTS / "published" / f"{variant}.json"


def combined_sha256(paths: Iterable[Path]) -> str:
    """Return one hash of the names and contents of several files."""
    return combined((path.name, sha256(path)) for path in paths)


def combined(hashes: Iterable[tuple[str, str]]) -> str:
    """Return one hash of several files' (name, hash)."""
    lines = sorted(f"{name} {each}\n" for name, each in hashes)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
