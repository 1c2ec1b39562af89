"""`python -m benchmarks.flops`: what training each variant costs, counted by `benchmarks.fit`."""

import argparse

from benchmarks import inputs
from benchmarks.fit import counted
from stages.engine.resolve import recipe
from stages.settings import params

SHAPE, CLASSES, IMAGES = (28, 28, 1), 10, 60_000  # full MNIST
COLUMNS = ("variant", "images", "epochs", "MFLOP per image", "TFLOP per epoch", "core-hours")


def rows(settings: params.Params, folds: int, gflops: float) -> list[tuple]:
    """Return the cells under COLUMNS of every variant that is trained.

    Args:
        settings: of the variants.
        folds: how many; each trains on all images but its own share.
        gflops: GFLOP/s of a core while it trains.
    """
    found = []
    for name, row in settings.variants.items():
        if row.ensemble:
            continue
        chosen = recipe(settings, name)
        images = IMAGES * (folds - 1) // folds
        flops, epochs = counted(chosen, SHAPE, CLASSES)[1], chosen.train.epochs
        hours = folds * epochs * images * flops / (gflops * 1e9) / 3600
        million, trillion = f"{flops / 1e6:.1f}", f"{images * flops / 1e12:.2f}"
        found.append((f"`{name}`", f"{images:,}", epochs, million, trillion, f"{hours:.2f}"))
    return found


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--gflops", type=float, default=50.0, help="GFLOP/s of a training core")
    chosen = parser.parse_args()
    settings = params.parse(inputs.defaults())
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows(settings, chosen.folds, chosen.gflops)]
    print("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


if __name__ == "__main__":
    main()
