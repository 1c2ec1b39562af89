"""A small prepared data set and settings for it, as the stages after `prepare` find them."""

import hashlib

import numpy as np
import yaml

from benchmarks import inputs
from stages.files import write_json
from stages.settings import params
from stages.settings.sections import Named, Train
from stages.training.fold import HISTORY, FoldResult
from stages.training.recipe import Recipe

CLASSES = ("circle", "square", "star")
TRAIN = {  # all required settings of `train`
    "epochs": 2,
    "batch_size": 16,
    "optimizer": "adam",
    "learning_rate": 0.003,
    "schedule": "constant",
}


ONE = {  # the fewest sections: those of one variant
    "train": TRAIN,
    "variants": {"basic": {"architecture": "basic"}},
    "compare": {"variants": ["basic"], "baseline": "basic"},
}


def parse(**sections) -> params.Params:
    """Return valid settings with one variant and these sections."""
    return params.parse(ONE | sections)


def recipe(architecture="basic", ops=(), variant="small", **train) -> Recipe:
    """Return a recipe; names and arguments are not checked, nor completed by their defaults."""
    named = Named(name=architecture) if isinstance(architecture, str) else architecture
    settings = Train(**TRAIN | train)
    return Recipe(variant=variant, architecture=named, augmentation=[*ops], train=settings)


def record(accuracies, best) -> FoldResult:
    """Return the record of a fold with these validation accuracies, of which `best` is kept."""
    history = np.zeros((len(accuracies), len(HISTORY)))
    history[:, HISTORY.index("val_accuracy")] = accuracies
    return FoldResult(
        history=history,
        times=np.zeros((len(accuracies), 2)),
        best_epoch=np.array(best),
        validation=np.array([0]),
        probability=np.full((1, 2), 0.5, "f4"),
        train_images=np.array(4),
        weights=[np.array([best], "f4")],
    )


def dataset(source, classes, shape, train, test, folds, repeats=1, **more) -> dict:
    """Return the content of dataset.json; `train` and `test` are numbers of images per class."""
    return {
        "source": source,
        "licence": "none",
        "classes": [*classes],
        "image_shape": [*shape],
        "train": {"images": sum(train), "per_class": [*train]},
        "test": {"images": sum(test), "per_class": [*test]},
        "folds": {"count": folds, "repeats": repeats},
        "sha256": hashlib.sha256(repr((folds, repeats, train, test)).encode()).hexdigest(),
        "images_sha256": hashlib.sha256(repr((train, test)).encode()).hexdigest(),
        **more,
    }


def write(
    folder, *, folds=2, repeats=1, count=60, tests=15, shape=(12, 12, 1), parallel=None, **train
):
    """Write data/prepared and params.yaml into `folder`; a bright stripe marks the class."""
    random = np.random.default_rng(0)
    prepared = folder / "data" / "prepared"
    prepared.mkdir(parents=True)
    for split, images in (("train", count), ("test", tests)):
        labels = np.arange(images) % len(CLASSES)
        pixels = random.integers(0, 120, (images, *shape))
        for row in range(len(CLASSES)):
            pixels[labels == row, row * 4 : row * 4 + 3] += 80
        np.save(prepared / f"{split}_images.npy", pixels.astype("uint8"))
        np.save(prepared / f"{split}_labels.npy", labels.astype("int64"))
    assigned = [np.arange(count) // len(CLASSES) % folds] * repeats
    np.save(prepared / "folds.npy", np.array(assigned, "int16"))
    sizes = [[images // len(CLASSES)] * len(CLASSES) for images in (count, tests)]
    content = dataset("stripes", CLASSES, shape, *sizes, folds, repeats)
    write_json(prepared / "dataset.json", content)
    settings = {
        "train": TRAIN | train,
        "variants": {
            "plain": {"architecture": {"basic": {"dense": 8}}, "description": "The small one."},
            "normed": {"architecture": {"batchnorm": {"dense": 8}}},
        },
        "compare": {"variants": ["plain", "normed"], "baseline": "plain"},
        "folds": {"count": folds, "repeats": repeats},
        "parallel": parallel or {"jobs": 1},
        "tracking": {"live_after": None},  # no background process that may outlive a training
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))


def edit(folder, changes):
    """Change settings in params.yaml; a named choice is replaced as a whole."""
    settings = yaml.safe_load((folder / "params.yaml").read_text())
    inputs.write_settings(folder, inputs.merged(settings, changes))


def contents(results):
    """Return the bytes of all result files of a variant that DVC tracks."""
    return {path.name: path.read_bytes() for path in results.iterdir() if path.name != "timing.csv"}
