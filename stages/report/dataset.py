"""Facts on the data set from dataset.json, as sentences for the report and the data card."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 3  # unreadable files and pairs of duplicates that are named


def facts(dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, sentence) for each fact in dataset.json but the counts.

    Facts that an earlier `prepare` did not write are left out.
    """
    found = [(name, format_(dataset[name])) for name, format_ in FACTS.items() if name in dataset]
    return [(name, sentence) for name, sentence in found if sentence]


def pixels(of: Mapping[str, Sequence[float]]) -> str:
    """Format mean and standard deviation of each channel."""
    each = zip(of["mean"], of["std"], strict=True)
    return "mean ± sd " + ", ".join(f"{mean:.1f} ± {std:.1f}" for mean, std in each)


def imbalance(of: Mapping[str, Any]) -> str:
    """Describe class imbalance."""
    if of["ratio"] == 1:
        return "none: each class has as many training images as any other"
    return (
        f"the largest class, {of['largest']}, has {of['ratio']:.3g} times as many training images "
        f"as the smallest, {of['smallest']}"
    )


def groups(of: Mapping[str, int]) -> str:
    """Describe the number of groups in each split, if there are groups."""
    return of and (
        f"{of['train']:,} in the training set, {of['test']:,} others in the test set; "
        "none is divided between folds"
    )


def duplicates(of: Mapping[str, Mapping]) -> str:
    """Describe duplicate images."""
    parts = [
        f"{of[split]['images']:,} {what} images are {_number(of[split]['groups'])} repeated"
        for split, what in (("train", "training"), ("test", "test"))
        if of[split]["groups"]
    ]
    if number := of["other_label"]["groups"]:
        parts.append(f"{_number(number)} of the training set under two labels or more")
    if number := of["between"]["groups"]:
        pairs = of["between"]["first"][:SHOWN]
        named = ", ".join(f"{pair['train'][0]} and {pair['test'][0]}" for pair in pairs)
        parts.append(
            f"{_number(number)} in both training and test set (training and test: {named})"
        )
    return "; ".join(parts) or "none: no two images have the same pixels"


def unreadable(of: Mapping[str, str]) -> str:
    """Describe the files that were left out, with the reason for the first of them."""
    if not of:
        return "none"
    named = "; ".join(f"{file}: {reason}" for file, reason in list(of.items())[:SHOWN])
    more = f"; and {len(of) - SHOWN:,} more in dataset.json" if len(of) > SHOWN else ""
    return f"{len(of):,} {'file' if len(of) == 1 else 'files'} left out ({named}{more})"


def notes(of: Sequence[str]) -> str:
    """Describe how the images were converted."""
    return " ".join(of)


def _number(groups: int) -> str:
    return "one picture" if groups == 1 else f"{groups:,} pictures"


FACTS = {f.__name__: f for f in (pixels, imbalance, groups, duplicates, unreadable, notes)}
