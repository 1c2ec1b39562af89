"""`python -m stages new DATA`, which `make new` runs: set up params.yaml for your own images."""

import contextlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ruamel.yaml import YAML

from stages.data import SOURCES, look, near_duplicates, watch
from stages.data.look import Look
from stages.engine import backbones, resolve
from stages.errors import UserError
from stages.files import replacing, root, write_bytes
from stages.models.backbone import MINIMUM
from stages.search import rows
from stages.settings import params
from stages.settings.base import validate
from stages.settings.sections import Data, Variant
from stages.training.features import features
from stages.training.fold import train_fold

PARAMS, OLD = Path("params.yaml"), Path("params.yaml.old")
STEPS = 1000  # of the optimizer: what a small network needs at least
BATCH = 32
# Sides in pixels to which images are resized, and the factor by which small networks, for which
# large images would take long, shrink them. Pretrained networks expect 224 pixels.
SHRINK: dict[int, Literal[1, 2, 4]] = {224: 4, 128: 2, 64: 1}
MANY = 10_000  # images; more do not get the largest side, at which each takes 150 kB and 10 ms
RESET: tuple[str, ...] = ("format", "folder", "image_size", "channels", "bits", "limit")
RESET += ("label_pattern", "file_column", "label_column")  # of the section data
UNEVEN = 1.5  # times as many images in the largest class as in the smallest
SHOWN = 3
AUGMENTATION = [{"flip": {}}, {"rotate": {"degrees": 10}}, {"zoom": {"factor": 0.15}}]
AUGMENTATION += [{"shift": {"fraction": 0.1}}, {"brightness": {"factor": 0.2}}]
ROWS: dict[str, dict[str, Any]] = {
    "majority": {
        "description": "The class frequencies, whatever the image shows.",
        "architecture": "majority",
        "train": {"class_weight": None},
    },
    "logistic": {
        "description": "Logistic regression on the pixels, without a hidden layer.",
        "architecture": "logistic",
        "train": {"learning_rate": 0.0005},
    },
    "cnn": {"description": "A small residual network.", "architecture": "resnet"},
    "cnn_augmented": {
        "description": "The same with mirrored, rotated, zoomed, shifted and lighter images.",
        "architecture": "resnet",
        "augmentation": AUGMENTATION,
    },
}
PRETRAINED = {  # where images are large enough
    "pretrained": {
        "description": "A network trained on ImageNet; only its last layer is trained.",
        "architecture": {"backbone": {"name": "efficientnet_lite0"}},
    }
}
BASELINE = "cnn"
PROBED, NETWORKS = "cnn_augmented", 2  # the row that is timed; rows that take about as long


def new(data: str, data_format: str | None = None) -> None:
    """Look at the images, print what was found, and write the settings for them.

    The old params.yaml is kept as params.yaml.old. `data` is a folder or a file of images, and
    `data_format` the setting `data.format`, if it cannot be told from the files.

    Raises:
        UserError: if the images cannot be used as they are.
    """
    params.load()  # refuses invalid settings before anything is read
    path = Path(data).expanduser().absolute()
    if not data:
        raise UserError("DATA is missing; give a folder or a file: make new DATA=data/photos.")
    if not path.exists():
        known = "; for a known data set, set data.source instead" * (data in SOURCES)
        raise UserError(f"DATA is {data!r}, which does not exist; give a folder or a file{known}.")
    top = root().absolute()
    given = str(path.relative_to(top)) if path.is_relative_to(top) else str(path)
    chosen: dict[str, Any] = {"source": given, "format": data_format}
    chosen["watch"] = watch.best(validate(Data, chosen, "data"))
    found = look.look(validate(Data, chosen, "data"))
    print("\n".join(_lines(data, found)), flush=True)
    if (side := _side(found.sizes)) is not None:
        chosen["image_size"] = side
    factor = SHRINK[side or min(SHRINK)]
    for line in _near(found, validate(Data, chosen, "data")):
        print(line)
    height, width = (side, side) if side else found.sizes[0].tolist()
    chosen_rows = {name: row | {"shrink": factor} for name, row in ROWS.items()}
    chosen_rows |= PRETRAINED if min(height, width) >= MINIMUM else {}
    sections = _sections(found, chosen, [*chosen_rows])
    before, after = PARAMS.read_bytes(), _changed(chosen_rows, sections)
    if after != before:  # the same command again keeps the copy of the first file
        write_bytes(OLD, before)
        write_bytes(PARAMS, after)
    print(f"\nWrote {PARAMS}; the previous one is kept as {OLD}.", flush=True)
    training = round(sum(found.train) * (1.0 if any(found.test) else 0.8))
    shape = (height, width, 3 if found.colour else 1)
    minutes = _minutes(training, (height // factor, width // factor, shape[2]))
    for name in PRETRAINED.keys() & chosen_rows:
        minutes += _features_minutes(name, sum(found.train) + sum(found.test), shape)
    shown = f"{', '.join(chosen_rows)}, which takes about {max(1, round(minutes))} min here"
    print(f"`make repro` compares {shown}.")


def _lines(source: str, found: Look) -> list[str]:
    """Return what was found, one fact a line."""
    total = sum(found.train) + sum(found.test)
    lines = [f"{source}: {total:,} images in {len(found.classes)} classes"]
    width = max(map(len, found.classes))
    with_test = any(found.test)
    for name, train, test in zip(found.classes, found.train, found.test, strict=True):
        lines.append(
            f"  {name:{width}}  {train:>7,}" + f" to train, {test:>7,} to test" * with_test
        )
    heights, widths = found.sizes.T
    if len(np.unique(found.sizes, axis=0)) == 1:
        lines.append(f"size: {heights[0]} x {widths[0]} pixels")
    else:
        middle = "{:.0f} x {:.0f}".format(*np.median(found.sizes, axis=0))
        lines.append(
            f"sizes: {heights.min()} x {widths.min()} to {heights.max()} x {widths.max()} pixels, "
            f"median {middle}"
        )
    lines.append(f"colour: {'yes' if found.colour else 'no'}")
    if (ratio := _imbalance(found)) > UNEVEN:
        lines.append(f"imbalance: the largest class is {ratio:.3g} times as large as the smallest")
    if found.equal:
        first = " and ".join(found.equal[0][:2])
        lines.append(f"same content: {len(found.equal):,} groups of files, such as {first}")
    if found.in_two_classes:
        first = " and ".join(found.in_two_classes[0][:2])
        count = len(found.in_two_classes)
        lines.append(f"same content in two classes: {count:,} groups, such as {first}")
    if found.left_out:
        named = "; ".join(f"{file} {why}" for file, why in [*found.left_out.items()][:SHOWN])
        more = "; ..." * (len(found.left_out) > SHOWN)
        lines.append(f"files left out: {len(found.left_out):,} ({named}{more})")
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _near(found: Look, settings: Data) -> list[str]:
    """Return what was found about near duplicates, one fact a line, or who looks for them."""
    if not look.is_quick(found):
        searched = sum(found.train) + sum(found.test) <= near_duplicates.MOST
        return ["nearly equal: `make repro` looks for such images"] * searched
    return [
        f"{kind}: {len(groups):,}, such as {groups[0][0]} and {groups[0][-1]}"
        for kind, groups in look.near(settings, found).items()
        if groups
    ]


def _imbalance(found: Look) -> float:
    return max(found.train) / max(1, min(found.train))


def _side(sizes: np.ndarray) -> int | None:
    """Return the side in pixels to which images are resized; None keeps the size that all share."""
    if len(np.unique(sizes, axis=0)) == 1 and sizes.max() <= min(SHRINK) and sizes.min() >= 8:
        return None
    typical = np.median(sizes.max(axis=1))  # most images are at least as large
    sides = sorted(SHRINK)[: -1 if len(sizes) > MANY else None]
    return max((side for side in sides if side <= typical), default=min(SHRINK))


def _sections(found: Look, data: dict[str, Any], names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of each section that differ from the file's."""
    smallest = min(found.train)
    to_train = smallest if any(found.test) else int(smallest * 0.8)
    if to_train < 2:
        name = found.classes[found.train.index(smallest)]
        raise UserError(
            f"class {name!r} has only {smallest} images to train with; give it at least "
            "3, or 2 if there is a test set."
        )
    images = sum(found.train)
    return {
        "data": dict.fromkeys(RESET) | data,
        "folds": {"count": min(5, to_train), "group": None},
        "train": {
            "epochs": int(np.clip(np.ceil(STEPS * BATCH / images), 10, 30)),
            "batch_size": BATCH,
            "learning_rate": 0.002,
            "class_weight": "balanced" if _imbalance(found) > UNEVEN else None,
        },
        "compare": {
            "variants": names[::-1],
            "baseline": BASELINE,
            "metric": "balanced_accuracy" if _imbalance(found) > UNEVEN else "accuracy",
        },
    }


def _changed(
    variants: Mapping[str, Mapping[str, Any]], sections: Mapping[str, Mapping[str, Any]]
) -> bytes:
    """Return params.yaml with new variants and settings, once they are checked."""
    before = PARAMS.read_bytes()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_bytes(PARAMS, before)
        for name, row in variants.items():
            if name not in params.load().variants:
                rows.add(name, validate(Variant, row, f"variants.{name}"))
        _write(sections, {name: row.get("shrink", 1) for name, row in variants.items()})
        after, settings = PARAMS.read_bytes(), params.load()
    resolve.check(settings)
    return after


def _write(sections: Mapping[str, Mapping[str, Any]], shrink: Mapping[str, int]) -> None:
    """Change settings and the rows' `shrink` in params.yaml, and keep its comments."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    content = yaml.load(PARAMS)
    for name, section in sections.items():
        if not content.get(name):
            content[name] = {}
        for key, value in section.items():
            if isinstance(value, list) and isinstance(content[name].get(key), list):
                content[name][key][:] = value  # in its place, with its comment
            else:
                content[name][key] = value
    for name, factor in shrink.items():  # rows of an earlier call may be for images of another size
        if content["variants"][name].get("shrink", 1) != factor:
            content["variants"][name]["shrink"] = factor
    with replacing(PARAMS) as temporary:
        yaml.dump(content, temporary)


def _minutes(images: int, shape: tuple[int, int, int]) -> float:
    """Return about how many minutes the networks take here, from a few steps of one of them."""
    settings = params.load()
    recipe = resolve.recipe(settings, PROBED)
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 2})})
    few = np.zeros((4 * BATCH, *shape), np.uint8)
    labels = np.arange(len(few)) % 2
    seconds = float(train_fold(few, labels, None, 2, recipe, "probe").times[-1, 1])
    epochs = settings.train.epochs * settings.folds.count * NETWORKS
    return seconds / len(few) * images * epochs / 60


def _features_minutes(name: str, images: int, shape: tuple[int, int, int]) -> float:
    """Return about how many minutes a pretrained network takes for all images.

    A second pass over a few images is timed, since the first also builds the network.
    """
    recipe = resolve.recipe(params.load(), name)
    weights, few = backbones.weights(recipe), np.zeros((BATCH, *shape), np.uint8)
    for _ in range(2):
        began = time.perf_counter()
        features(few, recipe, weights)
        seconds = time.perf_counter() - began
    return seconds / len(few) * images / 60
