"""The model card of one variant in Markdown: description, scores, failures, limits, loading."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.report.settings import ON_VALIDATION, environment, flat, on_validation
from stages.statistics import classification
from stages.statistics.interval import wilson

FINAL = {
    "soft_vote": "the mean of the probabilities of its {n} fold models, as one Keras model",
    "refit": "one model, trained on all training images after cross-validation",
    "ensemble": "the mean of the probabilities of other variants' models, as one Keras model",
    "best_fold": "the fold model with the best validation accuracy, of {n}",
}
CONFIDENT = 0.9  # the confidence from which a mistake counts as confident


def model_card(
    variant: str,
    *,
    dataset: Mapping[str, Any],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    probability: np.ndarray,
    label: np.ndarray,
) -> str:
    """Return the whole card.

    Args:
        variant: the row of params.yaml.
        dataset: the content of dataset.json.
        training: the content of training.json.
        metrics: the content of metrics.json.
        probability: float (n, classes), of the test images.
        label: int (n,), of the test images.
    """
    settings = flat(training["settings"])
    classes = [plain(name) for name in dataset["classes"]]
    shape = dataset["image_shape"]
    folds, repeats = dataset["folds"]["count"], dataset["folds"]["repeats"]
    final = FINAL[training["final"]].format(n=folds * repeats)
    description = plain(training.get("description", ""))
    trained = "\n".join(f"| {key} | {plain(text)} |" for key, text in settings.items())
    return f"""# Model card: `{variant}`

{description or "No description."}

## What it is

An image classifier: from {_shape(shape)} raw pixels (height x width x channels, 0 to 255) to the
probabilities of {len(classes)} classes.
Shipped is {final}: `model.keras`.
{_architecture(settings, training["parameters"])}
Trained with {plain(environment(training))}.
Fingerprint of settings, data, code and this environment: `{training["fingerprint"]}`.

## Data

{plain(dataset["source"])}; licence: {plain(dataset["licence"])}.

- Training: {_counts(dataset["train"])}, in {folds} stratified folds{_times(repeats)}.
- Test: {_counts(dataset["test"])}, scored by the shipped model, not trained on.
  `results/test_set_uses.csv` lists the trainings that they have scored.
- Classes: {", ".join(classes)}.
- SHA-256 of images, labels and folds: `{dataset["sha256"]}`.

## Training

| setting | value |
| --- | --- |
{trained}

## Scores

{_scores(metrics, len(label))}

## Where it fails

{_failures(classes, probability, label)}

## Limits

{_limits(training["settings"], len(label))}

## How to load

From the root of the repository:

```python
import keras
import numpy as np

model = keras.saving.load_model("results/{variant}/model.keras", compile=False)
images = np.zeros((1, {", ".join(map(str, shape))}), "uint8")  # raw pixels, 0 to 255
probability = model.predict(images, verbose=0)  # float32 (1, {len(classes)})
print(probability.argmax(axis=1))  # the number of a class, counted from 0 in the order above
```
"""


def plain(text: str) -> str:
    """Escape text for Markdown, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#&~])", r"\\\1", " ".join(text.split()))


def _architecture(settings: Mapping[str, str], parameters: int) -> str:
    if "ensemble" in settings:
        names = plain(settings["ensemble"])
        return f"Members: {names}; {parameters:,} parameters in one fold model of each together."
    return f"Architecture: {plain(settings['architecture'])}; {parameters:,} parameters a model."


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _counts(split: Mapping[str, Any]) -> str:
    low, high = min(split["per_class"]), max(split["per_class"])
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{split['images']:,} images, {each} a class"


def _times(repeats: int) -> str:
    return f", {repeats} times with other shuffles" if repeats > 1 else ""


def _scores(metrics: Mapping[str, Any], images: int) -> str:
    test, cv = metrics["test"], metrics["cv"]["accuracy"]
    reach = _interval(round(test["accuracy"] * images), images)
    accuracy = f"{100 * test['accuracy']:.2f} % ({reach}; n = {images:,})"
    rows = [("test accuracy", accuracy)]
    spread = f"{100 * cv['mean']:.2f} ± {100 * cv['std']:.2f} %"
    rows += [("cross-validated accuracy", f"{spread} (mean ± sd, n = {cv['n']} folds)")]
    rows += [("test top-2 accuracy", f"{100 * test['top_2_accuracy']:.2f} %")]
    rows += [("test macro F1", f"{test['macro_f1']:.4f}")]
    rows += [("test loss", f"{test['loss']:.4f} nats")]
    error = test["expected_calibration_error"]
    rows += [("expected calibration error", f"{100 * error:.2f} points")]
    lines = ["| score | value |", "| --- | --- |", *(f"| {key} | {text} |" for key, text in rows)]
    lines += ["", "The interval is Wilson's (1927): this model on other images of the same kind."]
    return "\n".join(lines)


def _interval(correct: int, n: int) -> str:
    low, high = (100 * end for end in wilson(correct, n))
    return f"95 %: {low:.1f} to {high:.1f} %"


def _failures(classes: Sequence[str], probability: np.ndarray, label: np.ndarray) -> str:
    """Return one line each on confident mistakes, the hardest class and confused pairs."""
    counts = classification.confusion_matrix(probability, label)
    present = np.flatnonzero(counts.sum(axis=1))
    recall = np.diag(counts)[present] / counts.sum(axis=1)[present]
    hardest = int(present[recall.argmin()])
    correct, support = int(counts[hardest, hardest]), int(counts[hardest].sum())
    wrong = classification.mistakes(probability, label)
    if not wrong:
        return f"No mistake on {len(label):,} test images."
    pairs = [
        f"{classes[actual]} taken for {classes[predicted]} ({images})"
        for actual, predicted, images in classification.most_confused_pairs(counts, 3)
    ]
    confident = sum(confidence >= CONFIDENT for *_, confidence in wrong)
    return "\n".join(
        [
            f"- {len(wrong):,} of {len(label):,} test images are wrong, {confident:,} of them with "
            f"a confidence of {100 * CONFIDENT:.0f} % or more.",
            f"- The hardest class is {classes[hardest]}: {correct:,} of {support:,} found "
            f"({_interval(correct, support)}).",
            f"- Most often confused: {', '.join(pairs)}.",
            "- `mistakes.csv` lists all mistakes, `plots/mistakes.png` shows the most confident.",
        ]
    )


def _limits(settings: Mapping[str, Any], images: int) -> str:
    lines = [
        "- The scores hold for images made like these. Other sources, sizes or preparations were "
        "not measured.",
        "- It always names one of its classes, also for an image that shows none of them.",
        "- Its probabilities were checked on the test images, and not corrected afterwards.",
        f"- Models whose accuracies on these {images:,} test images lie within the interval above "
        "cannot be ranked by them alone.",
        "- If this variant was chosen for its cross-validated accuracy, that number is biased "
        "upward.",
    ]
    if chosen := [ON_VALIDATION[key] for key in on_validation(settings)]:
        text = " and ".join(chosen)
        lines.append(
            f"- {text[0].upper()}{text[1:]} of each fold on the images that score it, which "
            "favours the cross-validated accuracy a little; the test accuracy is free of that."
        )
    return "\n".join(lines)
