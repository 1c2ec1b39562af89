"""`python -m stages predict IMAGE...`: classify image files and plot the model's inputs.

Images may be grey or colour, of any size. For a model of MNIST, digits, dark on light or light on
dark, are converted to its style; for other data sets, images are read as in training. A CSV file of
pixels is used as it is.
MLflow is needed only for a model that is given as a `models:/` address.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stages.commands import models
from stages.commands.predict_inputs import blocks
from stages.errors import UserError
from stages.figures import gallery, style
from stages.figures.occlusion import beside
from stages.files import PREPARED, check_writable, read_arrays, read_dataset, write_table
from stages.settings import params
from stages.statistics import conformal, occlusion

PREDICTIONS = "predictions.npz"  # beside a variant's model


def predict(
    images: Sequence[str],
    model: str = "",
    output: Path = Path("predictions.png"),
    csv: Path | None = None,
    coverage: float | None = None,
    explain: bool = False,
) -> bool:
    """Classify image files, print one line per file or write a table, and draw a figure of them.

    Args:
        images: image files, CSV files with one image per row, or folders of image files.
        model: as for `stages.commands.models.find`.
        output: the figure to write, a .png file.
        csv: the .csv file to write instead of printing, with the columns `file`, `predicted` and
            `probability`; for a single folder, files are named by their paths below it.
        coverage: print each image's prediction set, such that this share of the sets contain the
            true class, see `stages.statistics.conformal`. A table gets the column `sure`, which
            says whether the set has one class. None: `predict.coverage`, for a variant.
        explain: show beside each image in the figure where the model looks, see
            `stages.statistics.occlusion`.

    Returns:
        Whether all files could be classified; stderr gets one sentence for each that could not.

    Raises:
        UserError: if a file to write has a wrong suffix or a folder that cannot be written to, the
            model is unknown or does not fit the prepared data set, or no file could be read.
        OSError: if the model's file cannot be read or the figure cannot be written.
    """
    dataset = read_dataset(PREPARED)
    settings, classes = params.load(), dataset["classes"]
    _check_target("--output", output, ".png", images)
    if csv:
        _check_target("--csv", csv, ".csv", images)
    found: list[tuple[str, np.ndarray]] = []  # name, probabilities
    first: dict[str, np.ndarray] = {}  # pixels of the images in the figure
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path, title, label = models.find(model, dataset, Path(folder))
        models.check(path, dataset)
        if coverage is None and path.with_name(PREDICTIONS).is_file():
            coverage = settings.predict.coverage
        lowest = _threshold(path, coverage) if coverage else None
        probabilities = _scorer(path, label, len(classes))
        for pixels in tqdm(blocks(images, dataset, failed), unit="block", disable=None):
            if pixels:
                first |= dict(list(pixels.items())[: gallery.OWN - len(first)])
                scored = probabilities(np.stack(list(pixels.values())))
                found += zip(pixels, scored, strict=True)
        if not found:
            raise UserError("none of these files could be classified; give image files.")
        shown, probability = np.stack(list(first.values())), np.array([row for _, row in found])
        if explain:
            shown, certain = shown[: gallery.COUNT], probability[: gallery.COUNT]
            drops = occlusion.explain(shown, certain, probabilities)
            shown = np.stack([beside(*one) for one in zip(shown, drops, strict=True)])
    names = [Path(file).name for file in first]
    unsure: set[int] = set()
    if lowest is not None:
        unsure = {*np.flatnonzero(conformal.sets(probability, lowest).sum(axis=1) != 1).tolist()}
    drawn = gallery.predictions(
        shown, names, probability, classes, model=title, explained=explain, unsure=unsure
    )
    style.save(drawn, output)
    print(f"model: {label}")
    if csv:
        top = Path(images[0]) if len(images) == 1 and Path(images[0]).is_dir() else None
        _write(csv, found, classes, lowest, top)
        print(f"table: {csv}, {len(found):,} images")
    else:
        for file, row in found:
            print(f"{file}: {_answer(row, classes, lowest)}")
    print(f"picture: {output}")
    return not failed


def _check_target(option: str, target: Path, suffix: str, images: Sequence[str]) -> None:
    if target.suffix.lower() != suffix:
        raise UserError(
            f"{option} is {str(target)!r}, but this file is written as {suffix[1:].upper()}; "
            f"give it a name that ends in {suffix}."
        )
    if target.resolve() in [Path(image).resolve() for image in images]:
        raise UserError(f"{option} is {str(target)!r}, a file to classify; give another name.")
    check_writable(target.absolute().parent)


def _write(
    csv: Path,
    found: Sequence[tuple[str, np.ndarray]],
    classes: Sequence[str],
    lowest: float | None,
    top: Path | None,
) -> None:
    """Write the table of predictions; files are named by their paths below `top`, if given."""
    columns = ["file", "predicted", "probability"]
    rows: list[list[Any]] = []
    for file, row in found:
        name = Path(file).relative_to(top) if top else file
        rows.append([name, classes[int(row.argmax())], row.max()])
        if lowest is not None:
            rows[-1].append("yes" if conformal.sets(row, lowest).sum() == 1 else "no")
    write_table(csv, columns if lowest is None else [*columns, "sure"], rows)


def _answer(probability: np.ndarray, classes: Sequence[str], lowest: float | None) -> str:
    """Return the two most probable classes, or those of at least the probability `lowest`."""
    texts = [
        f"{classes[index]} ({gallery.as_percent(probability[index])})"
        for index in probability.argsort()[::-1]
    ]
    if lowest is None:
        return ", then ".join(texts[:2])
    count = int(conformal.sets(probability, lowest).sum())
    if count == 1:
        return texts[0]
    return f"unsure: {' or '.join(texts[:count])}" if count else f"unsure: at best {texts[0]}"


def _threshold(model: Path, coverage: float) -> float:
    """Return the threshold of prediction sets, from a variant's out-of-fold predictions.

    Raises:
        UserError: for a model file without its own predictions beside it.
    """
    file = model.with_name(PREDICTIONS)
    if not models.is_scored(model):
        problem = "are of another model" if file.is_file() else "are missing"
        raise UserError(
            f"a coverage needs the predictions of {model} that evaluate writes, but those in "
            f"{file.name} beside it {problem}; give a variant as --model, and run `dvc repro`."
        )
    stored = read_arrays(file, ("oof_probability", "oof_label"))
    return conformal.threshold(stored["oof_probability"], stored["oof_label"], coverage)


def _scorer(path: Path, label: str, classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from images to probabilities; UserError if the model has other classes."""
    from stages.training.export import scorer  # TensorFlow's import takes seconds

    score = scorer(path, "portable")

    def probabilities(images: np.ndarray) -> np.ndarray:
        probability, _ = score(images)
        models.check_classes(label, probability.shape[1], classes)
        return probability

    return probabilities
