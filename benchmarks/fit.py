"""`python -m benchmarks.fit`: training rates, as images/s and as a share of the matrix peak.

The peak is the median rate of float32 products of two 2048 x 2048 matrices on one thread, or of
two processes at once, measured in the same workers right before the trainings. A training is
`train_fold` on all images; its first epoch, which compiles, does not count.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured
from stages.data import load
from stages.engine import latency, workers
from stages.engine import resolve as recipes
from stages.settings import params
from stages.settings.sections import Data
from stages.training.fold import network, train_fold
from stages.training.tf_runtime import import_tensorflow

SIDE, PRODUCTS = 2048, 20
EPOCHS = 3  # that count
WORK = 2.5e11  # FLOP per epoch, so that small and large networks take about as long
LEAST, MOST = 1_000, 30_000  # images per epoch


def flops(model) -> tuple[int, int]:
    """Count the floating-point operations of one image, forwards and in training.

    Convolutions and dense layers only: 2 x (values of the output) x (inputs of each), one
    multiplication and one addition; biases, activations, pooling and normalisation are left out.
    Training computes each layer's output, the gradient of its weights and that of its input, each
    at the same cost; the first layer's input needs no gradient.

    Args:
        model: a built Keras model.

    Returns:
        (forward, training) for one image.

    Raises:
        ValueError: for another kind of layer with a matrix of weights.
    """
    each = [2 * count for count in latency.products(model)]
    return sum(each), 3 * sum(each) - each[0]


def counted(recipe: recipes.Recipe, shape: tuple[int, int, int], classes: int) -> tuple[int, int]:
    """Build a variant's model in this process, and count."""
    import_tensorflow("native")
    import keras

    keras.utils.clear_session()
    return flops(network(recipe, shape, classes))


def products(side: int, times: int, precision: str) -> list[float]:
    """Return the rate of each of `times` matrix products, in FLOP/s."""
    tf = import_tensorflow("native")
    kind = tf.float32 if precision == "float32" else tf.bfloat16
    one, other = (tf.cast(tf.random.stateless_normal((side, side), (n, 1)), kind) for n in (1, 2))
    multiply = tf.function(lambda: tf.reduce_sum(tf.cast(one @ other, tf.float32)))
    multiply().numpy()
    rates = []
    for _ in range(times):
        began = time.perf_counter()
        multiply().numpy()
        rates.append(2 * side**3 / (time.perf_counter() - began))
    return rates


def rates(images: np.ndarray, labels: np.ndarray, classes: int, recipe: recipes.Recipe) -> list:
    """Train on all images; return images/s of each epoch but the first."""
    record = train_fold(images, labels, None, classes, recipe, "rate")
    return [len(labels) / seconds for seconds in record.times[1:, 1].tolist()]


def together(function: Callable, task: tuple, jobs: int) -> dict[str, Any]:
    """Call `function(*task)` in `jobs` processes at once; sum their median rates."""
    with tempfile.TemporaryDirectory() as name:
        tasks = [(function, task, Path(name), number, jobs) for number in range(jobs)]
        each = [result for _, result in workers.run(_at_once, tasks, jobs)]
    return {"rate": sum(statistics.median(one) for one in each), "each": each}


def _at_once(function: Callable, task: tuple, folder: Path, number: int, jobs: int) -> Any:
    """Begin when all processes have imported TensorFlow and created their file."""
    import_tensorflow("native")
    (folder / str(number)).touch()
    while len(list(folder.iterdir())) < jobs:
        time.sleep(0.01)
    return function(*task)


def measure(variants: list[str], precision: str, quick: bool) -> dict[str, Any]:
    """Return peaks and each variant's rates, on one core and on two at once."""
    source = load(Data(source="mnist-5k"))
    shape, classes = source.train.images.shape[1:], len(source.classes)
    side, times, epochs = (256, 3, 1) if quick else (SIDE, PRODUCTS, EPOCHS)
    found: dict[str, Any] = {}
    for variant in variants:
        chosen = inputs.on_mnist(variant, train={"precision": precision})
        chosen["variants"][variant]["train"]["epochs"] = 1 + epochs
        recipe = recipes.recipe(params.parse(chosen), variant)
        ((_, (forward, training)),) = workers.run(counted, [(recipe, shape, classes)], 1)
        count = 200 if quick else int(np.clip(WORK / training, LEAST, MOST))
        rows = np.arange(count) % len(source.train.labels)
        task = (source.train.images[rows], source.train.labels[rows], classes, recipe)
        row: dict[str, Any] = {"flop_forward": forward, "flop_training": training, "images": count}
        for jobs in (1, 2):
            peak = together(products, (side, times, precision), jobs)
            fit = together(rates, task, jobs)
            row["one_worker" if jobs == 1 else "two_workers"] = {
                "images_per_second": fit["rate"],
                "gflop_per_second": fit["rate"] * training / 1e9,
                "peak_gflop_per_second": peak["rate"] / 1e9,
                "share_of_peak": fit["rate"] * training / peak["rate"],
                "images_per_second_each": fit["each"],
                "peak_flop_per_second_each": peak["each"],
            }
        found[variant] = row
    return found


def main() -> None:
    """Measure, and write benchmarks/records/fit-<precision>.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("variants", nargs="*", help="rows of the shipped params.yaml; default: all")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    chosen = parser.parse_args()
    rows = inputs.defaults()["variants"]
    trained = [name for name, row in rows.items() if "ensemble" not in row]
    variants = chosen.variants or (["sprint"] if chosen.quick else trained)
    if unknown := sorted(set(variants) - set(trained)):
        sys.exit(
            f"foldlab: no rows of the shipped params.yaml are {', '.join(unknown)}; give others."
        )
    found = measure(variants, chosen.precision, chosen.quick)
    about = {"precision": chosen.precision, "product": 256 if chosen.quick else SIDE}
    print(measured.write(f"fit-{chosen.precision}", about | {"variants": found}, chosen.folder))


if __name__ == "__main__":
    main()
