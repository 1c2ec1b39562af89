"""The stage `prepare`: from a source of images to checked arrays, a test set and folds."""

import hashlib
import json
from pathlib import Path

import numpy as np

from stages import data, entry, files, params
from stages.data import folds
from stages.data.source import Source

PREPARED = Path("data/prepared")


def prepare() -> None:
    """Read the images that params.yaml names, check them, divide them, write data/prepared."""
    from stages.training import recipe  # knows all registries, which nothing else here needs

    settings = params.load()
    recipe.check(settings)
    source = data.load(settings.data)
    arrays = divide(source, settings)
    try:
        write(source, arrays, PREPARED)
    except OSError as error:
        raise OSError(
            f"{PREPARED} cannot be written ({error.strerror}); make it a folder that can be."
        ) from None
    image_shape = "x".join(str(size) for size in source.train_images.shape[1:])
    repeats, images = arrays["folds"].shape
    print(
        f"{source.name}: {images} training and {len(arrays['test_labels'])} test images of "
        f"{image_shape} in {len(source.classes)} classes, {settings.folds.count} folds, "
        f"{repeats} {'repeat' if repeats == 1 else 'repeats'}"
    )


def divide(source: Source, settings: params.Params) -> dict[str, np.ndarray]:
    """Hold out a test set where there is none, apply `data.limit`, and assign the folds.

    Args:
        source: a checked source; its order is kept in each split.
        settings: the sections `data` and `folds` are used.

    Returns:
        `train_images` uint8 (n, height, width, channels), `train_labels` int64 (n,),
        `test_images` and `test_labels` likewise, and `folds` int16 (repeats, n).

    Raises:
        ValueError: when a class has too few images for this.
    """
    chosen, classes = settings.data, source.classes
    train_images, train_labels = source.train_images, source.train_labels
    test_images, test_labels = source.test_images, source.test_labels
    if test_images is None:
        train, test = folds.hold_out(train_labels, classes, chosen.test_fraction, chosen.seed)
        test_images, test_labels = train_images[test], train_labels[test]
        train_images, train_labels = train_images[train], train_labels[train]
    if chosen.limit:
        train = folds.at_most(chosen.limit, train_labels, classes, chosen.seed)
        train_images, train_labels = train_images[train], train_labels[train]
        test = folds.at_most(chosen.limit, test_labels, classes, chosen.seed)
        test_images, test_labels = test_images[test], test_labels[test]
    cut = settings.folds
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
        "folds": folds.stratified_folds(train_labels, classes, cut.count, cut.repeats, cut.seed),
    }


def write(source: Source, arrays: dict[str, np.ndarray], folder: Path) -> None:
    """Write each array as <name>.npy, and dataset.json, which describes them, last.

    Args:
        source: where the images come from.
        arrays: what `divide` returned.
        folder: created when it is missing.
    """
    for name, array in arrays.items():
        with files.replacing(folder / f"{name}.npy") as beside:
            np.save(beside, array, allow_pickle=False)
    repeats = len(arrays["folds"])
    files.write_json(
        folder / "dataset.json",
        {
            "source": source.name,
            "licence": source.licence,
            "classes": list(source.classes),
            "image_shape": list(source.train_images.shape[1:]),
            "train": _counts(arrays["train_labels"], source.classes),
            "test": _counts(arrays["test_labels"], source.classes),
            "folds": {"count": int(arrays["folds"].max()) + 1, "repeats": repeats},
            "sha256": content_hash(arrays, source.classes),
        },
    )


def content_hash(arrays: dict[str, np.ndarray], classes: tuple[str, ...]) -> str:
    """Return the SHA-256 of the class names and of each array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _counts(labels: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Return how many images a split has, and how many of each class."""
    per_class = np.bincount(labels, minlength=len(classes))
    return {"images": len(labels), "per_class": per_class.tolist()}


if __name__ == "__main__":
    entry.run(prepare)
