"""What dataset.json says of the images, in words: for the report and for the data card's figure."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 3  # unreadable files and pairs of equal images that are named


def facts(dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (what, sentence) for each fact of the content of dataset.json that is worth saying.

    Counts are not among them; facts that an earlier `prepare` did not write are left out.
    """
    told = [(name, say(dataset[name])) for name, say in FACTS.items() if name in dataset]
    return [(name, sentence) for name, sentence in told if sentence]


def pixels(of: Mapping[str, Sequence[float]]) -> str:
    """Say mean and standard deviation of each channel."""
    each = zip(of["mean"], of["std"], strict=True)
    return "mean ± sd " + ", ".join(f"{mean:.1f} ± {std:.1f}" for mean, std in each)


def imbalance(of: Mapping[str, Any]) -> str:
    """Say how uneven the classes are."""
    if of["ratio"] == 1:
        return "none: each class has as many training images as any other"
    return (
        f"the largest class, {of['largest']}, has {of['ratio']:.3g} times as many training images "
        f"as the smallest, {of['smallest']}"
    )


def groups(of: Mapping[str, int]) -> str:
    """Say how many groups the splits have, where there are groups."""
    return of and (
        f"{of['train']:,} in the training set, {of['test']:,} others in the test set; "
        "none is divided between folds"
    )


def duplicates(of: Mapping[str, Mapping]) -> str:
    """Say what is there twice, and where."""
    said = [
        f"{of[split]['images']:,} {what} images are {_number(of[split]['groups'])} repeated"
        for split, what in (("train", "training"), ("test", "test"))
        if of[split]["groups"]
    ]
    if number := of["other_label"]["groups"]:
        said.append(f"{_number(number)} of the training set under two labels or more")
    if number := of["between"]["groups"]:
        pairs = of["between"]["first"][:SHOWN]
        named = ", ".join(f"{pair['train'][0]} and {pair['test'][0]}" for pair in pairs)
        said.append(f"{_number(number)} in both training and test set (training and test: {named})")
    return "; ".join(said) or "none: no two images have the same pixels"


def unreadable(of: Mapping[str, str]) -> str:
    """Say how many files were left out, and why the first of them."""
    if not of:
        return "none"
    named = "; ".join(f"{file}: {reason}" for file, reason in list(of.items())[:SHOWN])
    more = f"; and {len(of) - SHOWN:,} more in dataset.json" if len(of) > SHOWN else ""
    return f"{len(of):,} {'file' if len(of) == 1 else 'files'} left out ({named}{more})"


def notes(of: Sequence[str]) -> str:
    """Say what was done to the images."""
    return " ".join(of)


def _number(groups: int) -> str:
    return "one picture" if groups == 1 else f"{groups:,} pictures"


FACTS = {say.__name__: say for say in (pixels, imbalance, groups, duplicates, unreadable, notes)}
