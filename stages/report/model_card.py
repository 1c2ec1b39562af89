"""The model card of one variant in Markdown: description, scores, failures, limits, loading."""

from collections.abc import Mapping
from typing import Any

from stages.report.results import Result
from stages.report.settings import ON_VALIDATION, environment, on_validation, texts
from stages.report.templates import TEMPLATES, plain
from stages.statistics import classification
from stages.statistics.interval import wilson

FINAL = {
    "soft_vote": "one Keras model that averages the probabilities of {n} fold models",
    "refit": "one model, trained on all training images after cross-validation",
    "ensemble": "one Keras model that averages the probabilities of other variants' models",
    "best_fold": "the fold model with the best validation accuracy, of {n}",
}
CONFIDENT = 0.9  # a mistake with at least this confidence is a confident one


def model_card(variant: str, dataset: Mapping[str, Any], result: Result) -> str:
    """Return the whole card; `dataset` is the content of dataset.json."""
    training, metrics, counts = result.training, result.metrics, result.counts
    classes = [plain(name) for name in dataset["classes"]]
    folds = dataset["folds"]["count"] * dataset["folds"]["repeats"]
    views = training["settings"].get("train", {}).get("predict_views", 1)
    return TEMPLATES.get_template("model_card.md.j2").render(
        variant=variant,
        sha256=result.use.model_sha256,
        training=training,
        classes=classes,
        final=FINAL[training["final"]].format(n=folds),
        views=views,
        settings=texts(training["settings"]),
        metrics=metrics,
        environment=environment(training),
        dataset=dataset,
        wilson=wilson,
        correct=round(metrics["test"]["accuracy"] * len(result.test_label)),
        images=len(result.test_label),
        wrong=len(result.mistakes),
        confident=sum(confidence >= CONFIDENT for *_, confidence in result.mistakes),
        least=CONFIDENT,
        hardest=classification.hardest_class(counts),
        counts=counts,
        confused=result.confused(classes, 3),
        chosen=[ON_VALIDATION[key] for key in on_validation(training["settings"])],
    )
