"""Descriptions on MLflow's pages: they follow ours, unless somebody has written another.

A variant's run shows the verdict of the latest comparison, if any, then its row's description.
"""

import hashlib
from collections.abc import Iterable, Mapping

NOTE = "mlflow.note.content"  # MLflow's tag for the description of a run
VERDICT = "foldlab.verdict"  # a tag, so that the run table can show it as a column
WRITTEN = "foldlab.description_sha256"  # tag: hash of the description that we wrote last
LINK = " ([comparison]("  # after a verdict
LENGTH = 5000  # most characters of a description: MLflow's registry and pages take no more


def first(text: str) -> dict[str, str]:
    """Return the tags of a new run with a description; none if it is empty."""
    return {NOTE: text.strip(), WRITTEN: digest(text)} if text.strip() else {}


def updated(tags: Mapping[str, str], text: str) -> dict[str, str]:
    """Return the tags of a run that differ if its description becomes `text`, after the verdict."""
    verdict, own = split(tags.get(NOTE, ""), [tags.get(VERDICT, "")])
    if not is_ours(own, tags, text):
        return {}
    new = {NOTE: f"{verdict}\n\n{text.strip()}".strip(), WRITTEN: digest(text)}
    return {key: value for key, value in new.items() if tags.get(key, "") != value}


def split(note: str, verdicts: Iterable[str]) -> tuple[str, str]:
    """Return the first paragraph if it shows one of these verdicts, else "", and the rest."""
    paragraph, _, rest = note.partition("\n\n")
    if any(text and paragraph.startswith(text + LINK) for text in verdicts):
        return paragraph, rest.strip()
    return "", note.strip()


def is_ours(own: str, tags: Mapping[str, str], text: str) -> bool:
    """Return whether a description is the one that we wrote last, or is `text` already."""
    return own.strip() == text.strip() or digest(own) == tags.get(WRITTEN, "")


def digest(text: str) -> str:
    """Return the hash of a description; "" for none, which older runs have."""
    return hashlib.sha256(text.strip().encode()).hexdigest() if text.strip() else ""
