"""`python -m benchmarks.learning_curve`: how often the interval of a learning curve is right.

Errors of folds are drawn around known power laws, and `stages.statistics.learning_curve.fit`
estimates the gain from twice as many images. docs/statistics.md has the result.
"""

from typing import Any, NamedTuple

import numpy as np

from benchmarks import inputs, measured
from stages.statistics.interval import wilson
from stages.statistics.learning_curve import fit

IMAGES = np.array([400.0, 800.0, 1600.0, 3200.0])
VALIDATION = 800  # images per fold
SEED = 1


class Curve(NamedTuple):
    """A power law with the noise of folds: the error is floor + drop * (images / 3200)^-exponent.

    The variance of a fold's own deviation grows with the error to the power `growth`. The fraction
    `common` of it is shared by all folds, as if their training sets overlapped.
    """

    text: str
    floor: float
    drop: float
    exponent: float
    effect: float = 0.1  # sd of a fold's effect at all sizes, relative to the error
    own: float = 0.1  # sd of a fold's own deviation with all images, relative to the error
    common: float = 0.2
    growth: float = 1.0
    folds: int = 5

    @property
    def gain(self) -> float:
        """Return how much twice as many images reduce the error."""
        return self.drop * (1 - 2**-self.exponent)

    def draw(self, random: np.random.Generator) -> np.ndarray:
        """Return the errors of folds, float (sizes, folds), in whole images."""
        error = self.floor + self.drop * (IMAGES / IMAGES[-1]) ** -self.exponent
        own = self.own * error[-1] * (error / error[-1]) ** (self.growth / 2)
        each = np.sqrt(1 - self.common) * random.standard_normal((len(IMAGES), self.folds))
        shared = np.sqrt(self.common) * random.standard_normal((len(IMAGES), 1))
        effect = 1 + self.effect * random.standard_normal(self.folds)
        drawn = error[:, np.newaxis] * effect + own[:, np.newaxis] * (each + shared)
        return np.round(np.clip(drawn, 0, 1) * VALIDATION) / VALIDATION


CURVES = {
    "no_floor": Curve("no floor", 0.0, 0.03, 0.5),
    "slow": Curve("no floor, slow", 0.0, 0.03, 0.2),
    "fast": Curve("no floor, fast", 0.0, 0.01, 0.9),
    "floor": Curve("floor of a third of the error", 0.01, 0.02, 0.5),
    "near_floor": Curve("near the floor", 0.025, 0.005, 1.0),
    "large_error": Curve("large error", 0.1, 0.2, 0.3, effect=0.03, own=0.03),
    "flat": Curve("no gain", 0.03, 0.0, 0.5),
    "noisy": Curve("much noise", 0.01, 0.02, 0.5, effect=0.2, own=0.3),
    "independent": Curve("independent folds", 0.01, 0.02, 0.5, common=0.0),
    "constant": Curve("the same noise at all sizes", 0.01, 0.02, 0.5, growth=0.0),
    "proportional": Curve("noise proportional to the error", 0.01, 0.02, 0.5, growth=2.0),
    "folds_10": Curve("10 folds", 0.01, 0.02, 0.5, common=0.1, folds=10),
    "folds_3": Curve("3 folds", 0.01, 0.02, 0.5, common=1 / 3, folds=3),
}


def simulated(curve: Curve, replicates: int) -> dict[str, Any]:
    """Return the coverage of the interval, and other statistics of the fits."""
    random = np.random.default_rng(SEED)
    laws = [fit(IMAGES, curve.draw(random), curve.folds) for _ in range(replicates)]
    covered = sum(law.low <= curve.gain <= law.high for law in laws)
    low, high = wilson(covered, replicates)
    return {
        "text": curve.text,
        "gain": curve.gain,
        "replicates": replicates,
        "covered": covered / replicates,
        "covered_low": low,
        "covered_high": high,
        "median_gain": float(np.median([law.gain for law in laws])),
        "median_width": float(np.median([law.high - law.low for law in laws])),
        "includes_none": float(np.mean([law.low <= 0 <= law.high for law in laws])),
        "no_power_law": float(np.mean([not law.fits for law in laws])),
    }


def main() -> None:
    """Simulate all curves, and write benchmarks/records/learning_curve.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    chosen = parser.parse_args()
    replicates = 20 if chosen.quick else chosen.replicates
    found = {name: simulated(curve, replicates) for name, curve in CURVES.items()}
    print(measured.write("learning_curve", {"curves": found}, chosen.folder))


if __name__ == "__main__":
    main()
