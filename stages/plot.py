"""The stage `plot@<variant>`: draw the figures of a variant and write its model card."""

from stages import files
from stages.figures import style
from stages.figures.augmentation import augmentation
from stages.figures.calibration import calibration
from stages.figures.confusion import confusion_matrix
from stages.figures.curves import curves
from stages.figures.data_card import data_card
from stages.figures.gallery import mistakes, samples
from stages.figures.occlusion import occlusion
from stages.figures.two_classes import two_classes
from stages.report.dataset import facts
from stages.report.model_card import model_card
from stages.report.results import read
from stages.report.settings import formatted


def plot(variant: str) -> None:
    """Draw the figures of a trained and evaluated variant and write its model card.

    Raises:
        UserError: when a file of an earlier stage is missing or damaged.
    """
    folder = files.RESULTS / variant
    result = read(variant)
    path = files.existing(folder / "augmentation.npz", f"train@{variant}")
    original, changed = files.read_arrays(path, ("original", "changed")).values()
    path = files.existing(folder / "occlusion.npz", f"evaluate@{variant}")
    (drops,) = files.read_arrays(path, ("drops",)).values()
    dataset = files.read_dataset(files.PREPARED)
    images, train_images, train_labels = files.read_prepared(
        "test_images", "train_images", "train_labels"
    )
    classes, label, source = dataset["classes"], result.test_label, dataset["source"]
    error = result.metrics["test"]["expected_calibration_error"]
    named = {"classes": classes, "variant": variant}
    figures = {
        "curves": curves(result.history, variant=variant, scored=result.curve_images),
        "confusion_matrix": confusion_matrix(result.counts, **named),
        "confusion_matrix_normalized": confusion_matrix(result.counts, **named, normalized=True),
        "calibration": calibration(result.bins, error, variant=variant),
        "mistakes": mistakes(images, result.mistakes, **named),
        "occlusion": occlusion(images, result.mistakes, drops, **named),
        "samples": samples(images, label, result.test_predicted, **named),
        "data_card": data_card(
            train_images, train_labels, label, classes, facts(dataset), source=source
        ),
    }
    if len(classes) == 2:
        oof, test = result.curves["oof"], result.curves["test"]
        share = label.mean()
        figures["two_classes"] = two_classes(test, oof, share, positive=classes[1], variant=variant)
    if len(changed):
        ops = [formatted(op) for op in result.training["settings"]["augmentation"]]
        names = [*ops, "all of them, in this order"][: len(changed)]
        figures["augmentation"] = augmentation(original, changed, names, variant=variant)
    for name, figure in figures.items():
        style.save(figure, folder / "plots" / f"{name}.png")
    files.write_text(folder / "model_card.md", model_card(variant, dataset, result))
