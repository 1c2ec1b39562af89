"""Checks of a finished comparison, for faults that make its numbers misleading.

Each has a code, a severity and a row in docs/reading_results.md; `compare.ignore` leaves it out.
The thresholds are conventions, high enough to give no false alarm in the default comparison.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, get_args

import numpy as np
from scipy.stats import chi2_contingency

from stages.report.comparison import Comparison
from stages.report.results import Result
from stages.report.settings import rows
from stages.settings.sections import Check
from stages.statistics.metrics import METRICS

TRIVIAL = {"majority": "always answers the most frequent class", "logistic": "has no hidden layer"}
RISE, STANDARD_ERRORS = 0.1, 3.0  # of the validation loss above its minimum
FALL = 0.05  # of the validation loss in the last quarter of the epochs
TIMES = 3.0  # the error on training images, over the cross-validated error of the best variant
CHANCE = 0.001  # p below which folds differ by more than chance
FEW = 30  # test images of a class: a recall of 90 % is then known to within 11 points
FEW_VALIDATED = 5  # validation images of a class in a fold
BY_CLASS = (METRICS["balanced_accuracy"], METRICS["macro_f1"])  # means over classes
NAMED = 4  # most variants or classes that a sentence names


class Finding(NamedTuple):
    """The outcome of a check that applies."""

    code: str
    severity: str  # "warning": a score may be misleading; "note": what the data cannot show
    variants: list[str]  # the variants concerned; empty: the whole comparison
    text: str  # one sentence in Markdown


def findings(comparison: Comparison) -> list[Finding]:
    """Return what the checks find, warnings first, except for the ignored ones."""
    every = []
    for code, (severity, check) in CHECKS.items():
        if code not in comparison.ignore:
            every += [Finding(code, severity, *one) for one in check(comparison)]
    return sorted(every, key=lambda finding: finding.severity != "warning")


Problems = Iterator[tuple[list[str], str]]  # variants, sentence


def _beaten(comparison: Comparison) -> Problems:
    """Yield the networks whose score is not above that of a row without a hidden layer."""
    kinds = {name: architecture(result) for name, result in comparison.results.items()}
    score = {row["variant"]: row["cv_mean"] for row in comparison.rows}
    for simple, kind in kinds.items():
        names = [n for n in kinds if kinds[n] not in TRIVIAL and score[n] <= score[simple]]
        if kind in TRIVIAL and names:
            yield (
                names,
                f"{_code(names)} did not score above `{simple}`, which {TRIVIAL[kind]}: look at "
                "the images, the labels and the learning rate.",
            )


def _guesses(comparison: Comparison) -> Problems:
    """Yield variants that may be no better than guessing, by 2 standard errors over the folds."""
    level, texts = 1 / len(comparison.dataset["classes"]), {}
    for name, result in comparison.results.items():
        scores = result.scores["balanced_accuracy"]
        error = scores.std(ddof=1) / np.sqrt(len(scores))
        if architecture(result) != "majority" and scores.mean() - 2 * error <= level:
            texts[name] = f"{100 * scores.mean():.1f} %"
    if texts:
        yield (
            [*texts],
            f"The balanced accuracy of {_listed(texts)} is not shown to exceed that of guessing, "
            f"{100 * level:.1f} %: look at the images, the labels and the learning rate.",
        )


def _forced(comparison: Comparison) -> Problems:
    """Yield variants that start from a saved model whose training images are not checked."""
    names = [
        name
        for name, one in comparison.results.items()
        for row in rows(one.training["settings"])
        if row.get("architecture", {}).get("arguments", {}).get("force")
    ]
    if names:
        yield (
            names,
            f"{_code(names)} started from a saved model with `force: true`. If the model was "
            "trained on images used here, these scores are too good.",
        )


def _overfits(comparison: Comparison) -> Problems:
    """Yield variants whose mean validation loss rises again after its minimum."""
    texts = {}
    for name, losses in _losses(comparison):
        if _train(comparison.results[name]).get("early_stopping"):
            continue  # the best epoch is kept
        mean = losses.mean(axis=0)
        lowest = int(mean.argmin())
        rise = losses[:, -1] - losses[:, lowest]
        error = rise.std(ddof=1) / np.sqrt(len(rise)) if len(rise) > 1 else np.inf
        if rise.mean() > max(RISE * mean[lowest], STANDARD_ERRORS * error):
            texts[name] = f"{mean[lowest]:.3f} after epoch {lowest + 1}, {mean[-1]:.3f} at the end"
    if texts:
        yield (
            [*texts],
            f"The validation loss of {_listed(texts)} rises again: train for fewer epochs, "
            "set `train.early_stopping`, or add dropout or augmentation.",
        )


def _short(comparison: Comparison) -> Problems:
    """Yield variants that were still improving when their epochs ended.

    A schedule that lowers the learning rate to 0 flattens the end of every curve, so those variants
    are not checked.
    """
    names = []
    for name, losses in _losses(comparison):
        train, history = _train(comparison.results[name]), comparison.results[name].history
        if train.get("early_stopping"):
            chosen = history["epoch"][history["selected"].astype(bool)]
            if np.mean(chosen == train["epochs"]) > 0.5:
                names.append(name)
        elif train.get("schedule", {}).get("name") == "constant" and losses.shape[1] >= 4:
            mean = losses.mean(axis=0)
            if mean[-1] == mean.min() < (1 - FALL) * mean[: -(len(mean) // 4)].min():
                names.append(name)
    if names:
        yield (
            names,
            f"The validation scores of {_code(names)} were still improving when the epochs ended: "
            "with more `train.epochs` they may be higher.",
        )


def _underfits(comparison: Comparison) -> Problems:
    """Yield variants that do not fit even their training images, though another variant does."""
    least = min(1 - result.accuracy.mean() for result in comparison.results.values())
    texts = {}
    for name, result in comparison.results.items():
        history, augmented = result.history, result.training["settings"].get("augmentation")
        if architecture(result) in TRIVIAL or augmented or not len(history["epoch"]):
            continue
        # An epoch's training accuracy is measured with dropout, while the weights still change.
        of_epochs = 1 - history["accuracy"][history["selected"]].mean()
        error = min(of_epochs, 1 - result.accuracy.mean())
        if error > TIMES * least + 0.01:
            texts[name] = f"{100 * error:.1f} %"
    if texts:
        yield (
            [*texts],
            f"The error even on the training images is high: {_listed(texts)}. The best variant "
            f"has {100 * least:.1f} % on images it has not seen. Use more epochs, another learning "
            "rate or a larger network.",
        )


def _unstable(comparison: Comparison) -> Problems:
    """Yield variants whose folds differ by more than chance explains."""
    texts = {}
    for name, result in comparison.results.items():
        accuracy = result.accuracy[: comparison.folds]
        images = result.images[: comparison.folds]
        correct = np.round(accuracy * images)
        table = np.array([correct, images - correct])
        if table.sum(axis=1).min() <= 0:
            continue  # all correct, or none
        if chi2_contingency(table).pvalue < CHANCE:
            texts[name] = f"{100 * accuracy.min():.1f} to {100 * accuracy.max():.1f} %"
    if texts:
        yield (
            [*texts],
            f"The folds' accuracies of {_listed(texts)} differ by more than chance explains: the "
            "training is unstable, or some images belong together (`folds.group`).",
        )


def _near(comparison: Comparison) -> Problems:
    """Yield near duplicates of training images in the test set."""
    between = comparison.dataset.get("near_duplicates", {}).get("between", 0)
    if between:
        groups = "1 group" if between == 1 else f"{between:,} groups"
        yield (
            [],
            f"Training and test set share {groups} of near duplicates, so the test accuracy may be "
            "too high: `data/prepared/near_duplicates.csv` lists them, and `data.near_duplicates: "
            "group` keeps them together where the test set is held out.",
        )


def _rope(comparison: Comparison) -> Problems:
    """Yield a ROPE that is narrower than every variant's interval."""
    widths = [row["ci_high"] - row["ci_low"] for row in comparison.rows if row["p"] is not None]
    if comparison.tested and widths and comparison.rope and min(widths) > 2 * comparison.rope:
        metric = comparison.metric
        half, rope = metric.scale * min(widths) / 2, metric.amount(comparison.rope)
        yield (
            [],
            f"*No difference* cannot be shown here: even equal variants would be undecided, since "
            f"the narrowest interval is ± {half:.{metric.digits}f} {metric.unit} and "
            f"`compare.rope` is {rope}. More images or `folds.repeats` narrow it.",
        )


def _few(comparison: Comparison) -> Problems:
    """Yield classes whose recall rests on few test images."""
    counts = comparison.dataset["test"]["per_class"]
    few = dict(zip(comparison.dataset["classes"], counts, strict=True))
    texts = {name: str(count) for name, count in few.items() if count < FEW}
    if texts:
        yield (
            [],
            f"The test set has few images of {_listed(texts)}, so their precision and recall on it "
            "are imprecise.",
        )


def _few_validated(comparison: Comparison) -> Problems:
    """Yield classes with few validation images in a fold, if a mean over classes decides."""
    if comparison.metric not in BY_CLASS:
        return
    names, counts = comparison.dataset["classes"], comparison.dataset["train"]["per_class"]
    each = {name: count / comparison.folds for name, count in zip(names, counts, strict=True)}
    few = {name: f"{count:.0f}" for name, count in each.items() if count < FEW_VALIDATED}
    if few:
        yield (
            [],
            f"Each fold validates few images of {_listed(few)}, so a single image can move the "
            f"{comparison.metric.label} of a fold by {100 / len(each) / min(each.values()):.1f} "
            "points.",
        )


CHECKS: dict[str, tuple[str, Callable[[Comparison], Problems]]] = {
    "beaten-by-simple": ("warning", _beaten),
    "no-better-than-guessing": ("warning", _guesses),
    "unchecked-model": ("warning", _forced),
    "overfits": ("warning", _overfits),
    "too-few-epochs": ("warning", _short),
    "underfits": ("warning", _underfits),
    "folds-disagree": ("warning", _unstable),
    "near-duplicates": ("warning", _near),
    "rope-too-narrow": ("note", _rope),
    "few-validation-images": ("note", _few_validated),
    "few-test-images": ("note", _few),
}
assert set(CHECKS) == set(get_args(Check))


def _losses(comparison: Comparison) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each trained variant with its losses, float (folds, epochs of the shortest).

    If only the last epoch was scored on all validation images, it is left out: its loss differs
    from that of a sample by chance.
    """
    for name, result in comparison.results.items():
        history = result.history
        if len(history["epoch"]):
            folds = [history["val_loss"][history["fold"] == one] for one in set(history["fold"])]
            epochs = min(map(len, folds))
            if result.curve_images is not None and epochs > 1:
                epochs -= 1
            yield name, np.array([losses[:epochs] for losses in folds])


def _train(result: Result) -> dict:
    return result.training["settings"].get("train", {})


def architecture(result: Result) -> str:
    """Return the name of a variant's architecture; "" for an ensemble."""
    return result.training["settings"].get("architecture", {}).get("name", "")


def _code(names: list[str]) -> str:
    return _listed(dict.fromkeys(names, ""))


def _listed(texts: dict[str, str]) -> str:
    """Return `a` (text), `b` (text) and 3 more."""
    shown = [f"`{name}`" + (f" ({text})" if text else "") for name, text in texts.items()]
    more = len(shown) - NAMED
    return ", ".join(shown[:NAMED]) + (f" and {more} more" if more > 0 else "")
