"""`python -m benchmarks.cluster`: the overhead of a Ray cluster over local processes.

Two Ray nodes of one core each run on this machine. For a queue of tasks, it measures the time that
the engine adds to each, and the driver's memory. Then it trains folds of `basic` on full MNIST, one
epoch each, on the two nodes and on two local workers in alternation, all already started.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import psutil

from benchmarks import inputs, measured, nodes
from stages.data import load
from stages.data.folds import stratified_folds
from stages.engine import cluster, workers
from stages.engine.resolve import recipe
from stages.settings import params
from stages.settings.sections import Data, Folds, Named, Parallel, Train
from stages.training.fold import train_fold
from stages.training.recipe import Recipe

FOLDS, VARIANTS = 10, 20  # of the queue
NODES = 2


def timed(function: Callable, *task: Any) -> tuple[float, Any]:
    """Call `function(*task)` on a worker; return its seconds too."""
    began = time.perf_counter()
    result = function(*task)
    return time.perf_counter() - began, result


def queued(function: Callable, tasks: Sequence[tuple], parallel: Parallel) -> dict[str, Any]:
    """Run the tasks as one queue.

    Returns:
        The engine's overhead per unit, in ms: the time of the queue minus the mean time that a node
        computes; and the driver's resident memory, in MiB, after a tenth of the units and after
        all. As in the pipeline, results are dropped as they arrive.
    """
    within, memory = [], []
    began = time.perf_counter()
    for _, (seconds, _result) in cluster.run(timed, [(function, *t) for t in tasks], parallel):
        within.append(seconds)
        memory.append(psutil.Process().memory_info().rss / 2**20)
    wall = time.perf_counter() - began
    return {
        "units": len(tasks),
        "seconds": round(wall, 2),
        "ms_a_unit_inside": round(1000 * statistics.mean(within), 2),
        "ms_a_unit_overhead": round(1000 * (wall - sum(within) / NODES) / len(tasks), 2),
        "driver_mib_after_a_tenth": round(memory[len(tasks) // 10], 1),
        "driver_mib_at_the_end": round(memory[-1], 1),
    }


def nothing(number: int) -> int:
    """Return the number: a unit that costs nothing."""
    return number


def tiny_units(count: int) -> list[tuple]:
    """Return the arguments of `train_fold` for units of a tiny model on 60 images of noise."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, 12, 12, 1), dtype=np.uint8)
    labels, folds = np.arange(60) % 2, (np.arange(60) // 2 % FOLDS).astype(np.int16)
    tiny = Recipe(
        variant="tiny",
        architecture=Named(name="basic", arguments={"dense": 8, "dropout": 0.2}),
        augmentation=[],
        train=Train(
            epochs=1, batch_size=16, optimizer="adam", learning_rate=0.001, schedule="constant"
        ),
    )
    variants = [tiny.model_copy(update={"variant": f"v{n}"}) for n in range(count // FOLDS + 1)]
    units = [(variants[unit // FOLDS], unit % FOLDS) for unit in range(count)]
    return [(images, labels, folds, 2, *unit, None) for unit in units]


def basic_folds(data: dict[str, Any], count: int) -> list[tuple]:
    """Return the arguments of `train_fold` for `count` folds of `basic`, one epoch each."""
    source = load(Data(**data))
    images, labels = source.train.images, source.train.labels.astype(np.int64)
    folds = stratified_folds(labels, source.classes, Folds(count=count))[0]
    chosen = recipe(params.parse(inputs.defaults()), "basic")
    chosen = chosen.model_copy(update={"train": chosen.train.model_copy(update={"epochs": 1})})
    return [(images, labels, folds, 10, chosen, fold, None) for fold in range(count)]


def against(tasks: Sequence[tuple], parallel: Parallel, rounds: int) -> dict[str, Any]:
    """Train the same folds on two local workers and on the cluster in turn, both warmed up."""
    engines = {
        "local": lambda units: workers.run(train_fold, units, NODES),
        "ray": lambda units: cluster.run(train_fold, units, parallel),
    }
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    list(workers.run(train_fold, tiny_units(NODES), NODES))  # starts them; the nodes already run
    for _ in range(rounds):
        for name, engine in engines.items():
            began = time.perf_counter()
            list(engine(tasks))
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    images = sum(len(task[1]) - int((task[2] == task[5]).sum()) for task in tasks)
    return {
        "folds": len(tasks),
        "epochs": 1,
        "images_trained": images,
        "seconds": {name: [round(one, 2) for one in each] for name, each in seconds.items()},
        "images_a_second_local": round(images / medians["local"]),
        "ray_to_local": round(medians["ray"] / medians["local"], 3),
    }


def main() -> None:
    """Measure, and write benchmarks/records/cluster.json."""
    chosen = inputs.parser(__doc__).parse_args()
    units, rounds = (20, 1) if chosen.quick else (FOLDS * VARIANTS, 3)
    folds = tiny_units(2) if chosen.quick else basic_folds(inputs.data(chosen), 8)
    with nodes.two() as started:
        parallel = nodes.on(started)
        list(cluster.run(train_fold, tiny_units(NODES), parallel))  # starts both
        found = {
            "ray": version("ray"),
            "trivial": queued(nothing, [(number,) for number in range(units)], parallel),
            "tiny": queued(train_fold, tiny_units(2 if chosen.quick else units), parallel),
            "basic": against(folds, parallel, rounds),
        }
    print(measured.write("cluster", found, chosen.folder))


if __name__ == "__main__":
    main()
