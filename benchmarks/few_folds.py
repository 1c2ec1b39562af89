"""`python -m benchmarks.few_folds`: false positives of verdicts from fewer than five folds.

If a class has few images, `make new` sets fewer folds and repeats them. Here the variants of the
simulated members of verdict_battery.py, which are equal, are cross-validated with such numbers of
folds and repeats, and tested as the pipeline tests them. Every rejection is a false positive.
docs/statistics.md has the result.
"""

import dataclasses
import os
from multiprocessing import Pool
from typing import Any

import numpy as np

from benchmarks import inputs, measured
from benchmarks.verdict_battery import SIMULATED, cross_validated, simulated
from benchmarks.verdict_rules import rates
from stages.statistics import paired
from stages.statistics.baseline import compared_with

DESIGNS = ((2, 1), (3, 1), (4, 1), (5, 1), (2, 3), (3, 2), (4, 2))  # folds and repeats
# Expected accuracies of `mixed` differ; `forest` takes longer than all others together.
MEMBERS = [name for name, one in SIMULATED.items() if not one.centred and name != "forest"]
VARIANTS = 5  # with the baseline, as many as `make new` compares


def tests(member: str, number: int, folds: int, repeats: int) -> tuple[bool, bool]:
    """Return whether the first variant, and any after Holm's correction, is called different."""
    few = dataclasses.replace(SIMULATED[member], learners=SIMULATED[member].learners[:VARIANTS])
    seed = ([*SIMULATED].index(member), number)
    fit, labels = simulated(few, seed)
    scores, _ = cross_validated(fit, VARIANTS, labels, (folds, 0, repeats), seed)
    named = {str(variant): values for variant, values in enumerate(scores)}
    differences, variances = compared_with(named, "0", len(labels) / folds)
    p = [
        paired.corrected_resampled_t(one, folds, variance)["p"]
        for one, variance in zip(differences, variances, strict=True)
    ]
    return p[0] < paired.SIGNIFICANCE, min(paired.holm(p)) < paired.SIGNIFICANCE


def measure(member: str, count: int) -> dict[str, Any]:
    """Return the rates of false positives of one member by design, of a pair and of a family."""
    found = {}
    for folds, repeats in DESIGNS:
        rejected = [tests(member, number, folds, repeats) for number in range(count)]
        pair, family = (rates(np.array(each)) for each in zip(*rejected, strict=True))
        found[f"{folds} x {repeats}"] = {"pair": pair, "family": family}
    return {"text": SIMULATED[member].text, "designs": found}


def main() -> None:
    """Simulate all members, and write benchmarks/records/few_folds.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--sets", type=int, default=1000, help="data sets per member")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # more threads would mostly wait for each other
    count = 10 if chosen.quick else chosen.sets
    with Pool() as pool:
        found = pool.starmap(measure, [(name, count) for name in MEMBERS], chunksize=1)
    result = {"variants": VARIANTS - 1, "members": dict(zip(MEMBERS, found, strict=True))}
    print(measured.write("few_folds", result, chosen.folder))


if __name__ == "__main__":
    main()
