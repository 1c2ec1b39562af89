"""`python -m benchmarks.heads`: heads on a frozen backbone, against one forward pass.

A thousand images of 224 pixels, three rows whose heads differ, five folds. Passes of plain Keras
and of Foldlab alternate, each in its own process, so importing and building the network count. Then
one sweep computes the features and trains all heads, and another one trains them again on the
stored features. Weights are random: neither time nor memory depends on them.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured, processes

SIDE = 224
BACKBONES = ("mobilenet_v3_small", "efficientnet_lite0")
DENSE = (None, 64, 256)  # units before the logits, of the three rows
PLAIN = """
import keras, numpy
images = numpy.load({images!r})
from stages.models.backbone import body
body({name!r}, images.shape[1:]).predict(images, batch_size=32, verbose=0)
"""
OURS = """
from stages.engine import features, fold_tasks
from stages.engine.resolve import recipe
from stages.files import PREPARED, read_dataset
from stages.settings import params
settings = params.load()
images = fold_tasks.read_training_data(read_dataset(PREPARED)).images
features.inputs({"": recipe(settings, "head_0")}, {"": images}, settings.parallel)
"""


def settings(name: str, images: Path, over: dict[str, Any]) -> dict[str, Any]:
    """Return settings with three heads on a backbone, and `over`; `images` is an .npz file."""
    rows = {
        f"head_{number}": {
            "architecture": {"backbone": {"name": name, "weights": None, "dense": dense}}
        }
        for number, dense in enumerate(DENSE)
    }
    made = inputs.defaults() | {
        "data": {"source": str(images), "watch": str(images), "duplicates": "allow"},
        "train": inputs.defaults()["train"] | {"epochs": 30, "batch_size": 32},
        "variants": rows,
        "compare": {"variants": [*rows], "baseline": "head_0"},
        "search": {},
        "tracking": {"live_after": None},
    }
    return inputs.merged(made, over)


def measure(
    name: str, shape: tuple[int, ...], over: dict[str, Any], runs: int, folder: Path
) -> dict[str, Any]:
    """Return the costs of both passes, of all heads, and the size of a shipped model.

    Args:
        name: of the backbone.
        shape: (images, height, width, channels); a fifth of the images is the test set.
        over: settings that override the default ones.
        runs: of each pass.
        folder: where to work.
    """
    random = np.random.default_rng(0)
    images = random.integers(0, 256, shape, np.uint8)
    source = folder / f"{name}.npz"
    np.savez(source, images=images, labels=np.arange(len(images)) % 5)
    chosen = settings(name, source, over)
    place = inputs.prepare(folder / name, chosen)
    prepared = place / "data" / "prepared" / "train_images.npy"
    passes = {"plain": PLAIN.format(name=name, images=str(prepared)), "ours": OURS}
    costs: dict[str, list[processes.Cost]] = {form: [] for form in passes}
    for _ in range(runs):
        for form, code in passes.items():
            shutil.rmtree(place / ".foldlab" / "features", ignore_errors=True)
            costs[form].append(processes.cost([sys.executable, "-c", code], place))
    sweeps = []
    for kept in ("nothing", "features"):
        for made in ("folds", "scores") if kept == "features" else ():
            shutil.rmtree(place / ".foldlab" / made)
        sweeps.append(processes.run_stage(place, "sweep"))
    processes.run_stage(place, "train", "head_0")
    (weights,) = (place / ".foldlab" / "backbones").iterdir()
    model = place / "results" / "head_0" / "model.keras"
    seconds = ([cost.seconds for cost in costs[form]] for form in ("ours", "plain"))
    return {
        "images": len(np.load(prepared, mmap_mode="r")),
        "passes": {form: processes.summaries(costs[form]) for form in passes},
        "ratio": processes.ratio(*seconds),
        "all_seconds": sweeps[0].seconds,
        "heads_seconds": sweeps[1].seconds,
        "heads": chosen["folds"]["count"] * len(chosen["compare"]["variants"]),
        "peak_mib": max(cost.peak_mib for cost in (*costs["ours"], *sweeps)),
        "model_over_backbone": model.stat().st_size / weights.stat().st_size,
    }


def main() -> None:
    """Measure both backbones, and write benchmarks/records/heads.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--backbones", nargs="+", default=[*BACKBONES])
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    shape, over = (1250, SIDE, SIDE, 3), {}
    if chosen.quick:
        shape = (60, 32, 32, 3)
        over = {"folds": {"count": 2}, "train": {"epochs": 1}, "compare": {"variants": ["head_0"]}}
        chosen.runs, chosen.backbones = 1, chosen.backbones[:1]
    with inputs.temporary_folder() as folder:
        found = {name: measure(name, shape, over, chosen.runs, folder) for name in chosen.backbones}
    print(measured.write("heads", {"side": shape[1], "backbones": found}, chosen.folder))


if __name__ == "__main__":
    main()
