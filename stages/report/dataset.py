"""Facts about the data set from dataset.json, as sentences for the report and the data card."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 3  # unreadable files and pairs of duplicates that are named


def facts(dataset: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (name, sentence) for each fact in dataset.json except the counts.

    Facts that an earlier `prepare` did not write are left out.
    """
    found = [
        (name.replace("_", " "), format_(dataset[name]))
        for name, format_ in FACTS.items()
        if name in dataset
    ]
    return [(name, sentence) for name, sentence in found if sentence]


def _pixels(fact: Mapping[str, Sequence[float]]) -> str:
    each = zip(fact["mean"], fact["std"], strict=True)
    return "mean ± sd " + ", ".join(f"{mean:.1f} ± {std:.1f}" for mean, std in each)


def _imbalance(fact: Mapping[str, Any]) -> str:
    if fact["ratio"] == 1:
        return "none: each class has as many training images as any other"
    return (
        f"the largest class, {fact['largest']}, has {fact['ratio']:.3g} times as many training "
        f"images as the smallest, {fact['smallest']}"
    )


def _groups(fact: Mapping[str, int]) -> str:
    if not fact:
        return ""
    return (
        f"{fact['train']:,} in the training set, {fact['test']:,} others in the test set; "
        "none is divided between folds"
    )


def _duplicates(fact: Mapping[str, Mapping]) -> str:
    parts = []
    for key, one in fact.items():
        pictures = "one picture" if one["groups"] == 1 else f"{one['groups']:,} pictures"
        if not one["groups"]:
            continue
        if key == "other_label":
            parts.append(f"{pictures} of the training set under two labels or more")
        elif key == "between":
            pairs = [f"{pair['train'][0]} and {pair['test'][0]}" for pair in one["first"][:SHOWN]]
            where = f"(training and test: {', '.join(pairs)})"
            parts.append(f"{pictures} in both training and test set {where}")
        else:
            what = {"train": "training", "test": "test"}[key]
            parts.append(f"{one['images']:,} {what} images show only {pictures}")
    return "; ".join(parts) or "none: no two images have the same pixels"


def _near_duplicates(fact: Mapping[str, Any]) -> str:
    if not fact["searched"]:
        return (
            "not searched for: images are smaller than 32 pixels, there are over 100,000, or "
            "data.near_duplicates is ignore"
        )
    if not fact["groups"]:
        return "none found"
    parts = [f"{fact['images']:,} images in {fact['groups']:,} groups"]
    if fact["between"]:
        parts.append(f"{fact['between']:,} of them in both training and test set")
    if fact["two_labels"]:
        parts.append(f"{fact['two_labels']:,} under more than one label")
    return f"{', '.join(parts)}; near_duplicates.csv in data/prepared lists them"


def _odd_images(fact: Mapping[str, int]) -> str:
    counts = ", ".join(f"{count:,} {ODD[what]}" for what, count in fact.items())
    return f"{counts}; odd_images.csv in data/prepared lists them" if fact else "none found"


def _unreadable(fact: Mapping[str, str]) -> str:
    if not fact:
        return "none"
    named = "; ".join(f"{file}: {reason}" for file, reason in list(fact.items())[:SHOWN])
    more = f"; and {len(fact) - SHOWN:,} more in dataset.json" if len(fact) > SHOWN else ""
    return f"{len(fact):,} {'file' if len(fact) == 1 else 'files'} left out ({named}{more})"


ODD = {
    "black": "nearly black",
    "white": "nearly white",
    "blurred": "blurred",
    "shape": "of an unusual shape",
}
FACTS = {
    "pixels": _pixels,
    "imbalance": _imbalance,
    "groups": _groups,
    "duplicates": _duplicates,
    "near_duplicates": _near_duplicates,
    "odd_images": _odd_images,
    "unreadable": _unreadable,
    "notes": " ".join,
}
