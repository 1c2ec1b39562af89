"""The battery of `benchmarks.verdict_rules`: real replicates of whole cross-validations.

A replicate is one draw of images on which all variants are cross-validated in several designs. In
every simulated member, each variant sees its own features, drawn from the same distribution given
the class. So variants differ on each draw, yet have the same expected accuracy over draws, for any
number of training images: every "better" or "worse" is a false positive. Trained members are
networks on draws from MNIST; their variants are different seeds of one recipe, or two nearly equal
recipes.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learners import LEARNERS
from stages import files

Design = tuple[int, int, int]  # folds, number of the first repeat, repeats
# k5 is for all variants, the others for the first two
DESIGNS = {"k5": (5, 0, 1), "k5_more": (5, 1, 3), "k10": (10, 0, 1), "5x2": (2, 0, 5)}
CHUNK = 25  # simulated replicates in a file
Fit = Callable[[int, np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Member:
    """One member of the battery; `signal` is the distance of the two classes in each feature."""

    text: str
    images: int
    learners: tuple[str, ...] = ()  # simulated variants, the first is the baseline
    features: int = 5
    signal: float = 0.8
    share: float = 1.0  # factor for the number of simulated replicates
    centred: bool = False  # expected accuracies differ: subtract the long-run difference
    recipes: tuple[dict[str, Any], ...] = ()  # trained variants
    train: tuple[tuple[str, Any], ...] = ()

    @property
    def variants(self) -> int:
        """Return the number of variants."""
        return len(self.learners or self.recipes)


SEVEN = 7  # a baseline and six variants
BASIC: dict[str, Any] = {"architecture": "basic"}
SHORT = (("epochs", 4), ("batch_size", 64), ("optimizer", "adam"), ("schedule", "cosine"))
SHORT += (("learning_rate", 0.004),)
SIMULATED = {
    "nearest_mean": Member("nearest mean, n = 400", 400, ("nearest_mean",) * SEVEN, share=4),
    "nearest_mean_weak": Member(
        "nearest mean, one weak feature, n = 60", 60, ("nearest_mean",) * SEVEN, 1, 0.3, share=4
    ),
    "half": Member(
        "the same of half of the training images", 60, ("half",) * SEVEN, 1, 0.3, share=1.5
    ),
    "chance": Member(
        "nearest mean of 10 random training images, n = 2,000", 2000, ("chance",) * SEVEN
    ),
    "logistic": Member("logistic regression, n = 200", 200, ("logistic",) * SEVEN),
    "nearest_100": Member("1-NN, n = 100", 100, ("nearest",) * SEVEN),
    "nearest_400": Member("1-NN, n = 400", 400, ("nearest",) * SEVEN),
    "tree_100": Member("decision tree, n = 100", 100, ("tree",) * SEVEN),
    "tree_400": Member("decision tree, n = 400", 400, ("tree",) * SEVEN),
    "forest": Member("random forest of 5 trees, n = 100", 100, ("forest",) * SEVEN, share=0.3),
    "mixed": Member(
        "unlike learners, long-run differences taken away, n = 200",
        200,
        ("logistic", "tree", "nearest", "logistic", "nearest_mean", "tree", "nearest"),
        centred=True,
    ),
}
TRAINED = {
    "seeds_1000": Member("`basic`, other seeds, n = 1,000", 1000, recipes=(BASIC,) * 7),
    "dropout_1000": Member(
        "`basic`, dropout 0.5 and 0.45, n = 1,000",
        1000,
        recipes=(BASIC, {"architecture": {"basic": {"dropout": 0.45}}}),
    ),
    "batch_1000": Member(
        "`basic`, batches of 64 and 60, n = 1,000",
        1000,
        recipes=(BASIC, BASIC | {"train": {"batch_size": 60}}),
    ),
    "seeds_5000": Member("`basic`, other seeds, n = 5,000", 5000, recipes=(BASIC,) * 3),
}
MEMBERS = SIMULATED | TRAINED


def assigned(labels: np.ndarray, folds: int, random: np.random.Generator) -> np.ndarray:
    """Assign images to folds at random, stratified; int16 (n,)."""
    order = random.permutation(len(labels))
    result = np.empty(len(labels), np.int16)
    result[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels)) % folds
    return result


def cross_validated(
    fit: Fit, variants: int, labels: np.ndarray, design: Design, seed: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-validate the variants on the same folds.

    Args:
        fit: takes variant, folds (n,), fold, and the number of that fold over all repeats; returns
            whether the validation images are predicted correctly, bool (m,).
        design: folds, number of the first repeat, repeats.
        seed: of the folds.

    Returns:
        accuracies, float (variants, repeats * folds); correct, bool (variants, repeats, n).
    """
    folds, first, repeats = design
    scores = np.empty((variants, repeats * folds))
    correct = np.empty((variants, repeats, len(labels)), bool)
    for repeat in range(repeats):
        fold_of = assigned(labels, folds, np.random.default_rng([*seed, folds, first + repeat]))
        for fold in range(folds):
            for variant in range(variants):
                hit = fit(variant, fold_of, fold, (first + repeat) * folds + fold)
                scores[variant, repeat * folds + fold] = hit.mean()
                correct[variant, repeat, fold_of == fold] = hit
    return scores, correct


def simulated(member: Member, seed: tuple[int, ...]) -> tuple[Fit, np.ndarray]:
    """Draw a data set; return a function that fits its variants, and its labels (n,)."""
    random = np.random.default_rng(seed)
    labels = np.arange(member.images) % 2
    shape = (member.variants, member.images, member.features)
    features = random.normal(member.signal * labels[:, None], 1.0, shape)

    def fit(variant: int, fold_of: np.ndarray, fold: int, number: int) -> np.ndarray:
        validates = fold_of == fold
        x, trained = features[variant], labels[~validates]
        learn = LEARNERS[member.learners[variant]]
        return learn(x[~validates], trained, x[validates], number) == labels[validates]

    return fit, labels


def trained(
    member: Member, number: int, images: np.ndarray, labels: np.ndarray
) -> tuple[Fit, np.ndarray]:
    """Draw from MNIST's training images; return a function that trains variants, and labels (n,).

    Draws are disjoint until the 60,000 images are used up; then they are shuffled again.
    """
    from stages.engine.resolve import recipe
    from stages.settings import params
    from stages.training.fold import train_fold

    whole = len(labels) // member.images
    order = np.random.default_rng([number // whole]).permutation(len(labels))
    at = number % whole * member.images
    rows = np.sort(order[at : at + member.images])
    drawn, of_drawn = images[rows], labels[rows]
    names = [f"variant_{position}" for position in range(member.variants)]
    settings = params.parse(
        {
            "train": dict(member.train or SHORT),
            "variants": dict(zip(names, member.recipes, strict=True)),
            "compare": {"variants": names, "baseline": names[0]},
        }
    )

    def fit(variant: int, fold_of: np.ndarray, fold: int, place: int) -> np.ndarray:
        row = recipe(settings, names[variant])  # the seed depends on its name
        seeded = row.model_copy(update={"train": row.train.model_copy(update={"seed": number})})
        found = train_fold(drawn, of_drawn, fold_of, 10, seeded, place)
        return found.probability.argmax(axis=1) == of_drawn[found.validation]

    return fit, of_drawn


def add(name: str, replicates: int, designs: list[str], kept: Path, data: Any = None) -> None:
    """Make the missing replicates of a member, in files <kept>/<member>/<number>-<design>.npz.

    A file holds `scores`, float (replicates, variants, n), and `correct`, the bits of bool
    (replicates, variants, repeats, images). `data` has images and labels where the member trains.
    """
    member = MEMBERS[name]
    chunk = 1 if member.recipes else CHUNK
    for number in range(-(-replicates // chunk)):
        for design in designs:
            path = kept / name / f"{number:05}-{design}.npz"
            if path.exists():
                continue
            variants = member.variants if design == "k5" else 2
            made = []
            for replicate in range(number * chunk, (number + 1) * chunk):
                seed = (zlib.crc32(name.encode()), replicate)
                fit, labels = (
                    trained(member, replicate, data.images, data.labels)
                    if member.recipes
                    else simulated(member, seed)
                )
                made.append(cross_validated(fit, variants, labels, DESIGNS[design], seed))
            scores, correct = (np.stack(part) for part in zip(*made, strict=True))
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, scores=scores, correct=np.packbits(correct, axis=-1))


def read(name: str, kept: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return design -> number, scores and correct, as `add` stored them."""
    found = {}
    for design in DESIGNS:
        paths = sorted((kept / name).glob(f"*-{design}.npz"))
        parts = [dict(_arrays(path, MEMBERS[name].images)) for path in paths]
        if parts:
            found[design] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return found


def _arrays(path: Path, images: int) -> Iterator[tuple[str, np.ndarray]]:
    with np.load(path) as stored:
        scores = stored["scores"]
        yield "scores", scores
        yield "correct", np.unpackbits(stored["correct"], axis=-1, count=images).astype(bool)
        first = int(path.name.split("-")[0]) * len(scores)
        yield "number", np.arange(first, first + len(scores))
