"""The model card of one variant in Markdown: description, scores, failures, limits, loading."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.results import Result
from stages.report.settings import ON_VALIDATION, environment, flat, on_validation
from stages.report.templates import TEMPLATES, plain
from stages.statistics import classification
from stages.statistics.interval import wilson

FINAL = {
    "soft_vote": "the mean of the probabilities of its {n} fold models, as one Keras model",
    "refit": "one model, trained on all training images after cross-validation",
    "ensemble": "the mean of the probabilities of other variants' models, as one Keras model",
    "best_fold": "the fold model with the best validation accuracy, of {n}",
}
CONFIDENT = 0.9  # the confidence from which a mistake counts as confident


def model_card(variant: str, dataset: Mapping[str, Any], result: Result) -> str:
    """Return the whole card; `dataset` is the content of dataset.json."""
    training, metrics = result.training, result.metrics
    settings, test, images = training["settings"], metrics["test"], len(result.test_label)
    classes = [plain(name) for name in dataset["classes"]]
    folds, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    return TEMPLATES.get_template("model_card.md.j2").render(
        variant=variant,
        description=training["description"],
        classes=classes,
        shape=dataset["image_shape"],
        final=FINAL[training["final"]].format(n=folds * repeats),
        settings=flat(settings),
        parameters=f"{metrics['parameters']:,}",
        environment=environment(training),
        fingerprint=training["fingerprint"],
        dataset=dataset,
        train=_counts(dataset["train"]),
        test=_counts(dataset["test"]),
        folds=folds,
        repeats=repeats,
        scores=test,
        cv=metrics["cv"]["accuracy"],
        interval=_interval(round(test["accuracy"] * images), images),
        images=f"{images:,}",
        failures=_failures(classes, result),
        chosen=[ON_VALIDATION[key] for key in on_validation(settings)],
    )


def _counts(split: Mapping[str, Any]) -> str:
    low, high = min(split["per_class"]), max(split["per_class"])
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{split['images']:,} images, {each} a class"


def _interval(correct: int, n: int) -> str:
    low, high = (100 * end for end in wilson(correct, n))
    return f"95 %: {low:.1f} to {high:.1f} %"


def _failures(classes: Sequence[str], result: Result) -> list[str]:
    """Return sentences on confident mistakes, the hardest class and confused pairs."""
    wrong, counts = result.mistakes, result.counts
    if not wrong:
        return []
    confident = sum(confidence >= CONFIDENT for *_, confidence in wrong)
    hardest = classification.hardest_class(counts)
    correct, support = counts[hardest, hardest], counts[hardest].sum()
    pairs = [
        f"{classes[actual]} taken for {classes[predicted]} ({images})"
        for actual, predicted, images in classification.most_confused_pairs(counts, 3)
    ]
    return [
        f"{len(wrong):,} of {counts.sum():,} test images are wrong, {confident:,} of them with "
        f"a confidence of {100 * CONFIDENT:.0f} % or more.",
        f"The hardest class is {classes[hardest]}: {correct:,} of {support:,} "
        f"found ({_interval(correct, support)}).",
        f"Most often confused: {', '.join(pairs)}.",
        "`mistakes.csv` lists all mistakes, `plots/mistakes.png` shows the most confident.",
    ]
