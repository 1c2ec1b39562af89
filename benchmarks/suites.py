"""`python -m benchmarks.suites`: false positives of the mean difference over several data sets.

A suite consists of data sets of a simulated member of verdict_battery.py, or, for `mixed_members`,
of all members in turn. Variants are equally good, so every rejection is a false positive. It counts
rejections by the mean for one variant, by the mean for two after Holm's correction, by the test
whether differences depend on the source, and by two other rules for the mean: the common
fixed-effect meta-analysis, a normal test with weights of 1 / scale^2, and the same normal test with
equal weights. docs/statistics.md has the result.
"""

import dataclasses
import os
from typing import Any

import numpy as np
from scipy.stats import norm

from benchmarks import inputs, measured
from benchmarks.verdict_battery import DESIGNS, SIMULATED, cross_validated, simulated
from benchmarks.verdict_rules import rates
from stages.statistics import paired, suite

MEMBERS = ("nearest_mean", "nearest_mean_weak", "half", "chance", "nearest_100", "tree_100")
SIZES = (2, 5, 10)  # sources per suite
VARIANTS = 3  # a baseline and two others
MIXED = "mixed_members"


def estimates(member: str, number: int) -> list[suite.Estimate]:
    """Return the estimates of the two differences from the baseline on one data set."""
    few = dataclasses.replace(SIMULATED[member], learners=SIMULATED[member].learners[:VARIANTS])
    seed = (MEMBERS.index(member), number)
    fit, labels = simulated(few, seed)
    scores, _ = cross_validated(fit, VARIANTS, labels, DESIGNS["k5"], seed)
    differences = scores[1:] - scores[0]
    variances = paired.variances(differences)
    return [
        paired.expected_difference(one, 5, variance)
        for one, variance in zip(differences, variances, strict=True)
    ]


def normal(own: list[suite.Estimate], weighted: bool) -> float:
    """Return p of a normal test of the mean, with weights of 1 / scale^2 or equal ones.

    Weighting leaves out sources with a constant difference, whose weight would be infinite.
    """
    scale = np.array([expected.args[2] if expected else 0.0 for _, expected in own])
    centre = np.array([one for one, _ in own])
    if weighted:
        centre, scale = centre[scale > 0], scale[scale > 0]
    weight = scale**-2 if weighted else np.ones(len(scale))
    error = np.sqrt(np.sum((weight * scale) ** 2))
    return float(2 * norm.sf(abs(weight @ centre) / error)) if error else 1.0


def rejected(suites: list[list[list[suite.Estimate]]]) -> dict[str, Any]:
    """Return the rates of false positives; `suites` is suite -> source -> variant -> estimate."""
    found: dict[str, list[bool]] = {}
    for one in suites:
        first, second = (list(own) for own in zip(*one, strict=True))
        p = [paired.tested(*suite.mean(own))["p"] for own in (first, second)]
        counted = {
            "mean": p[0],
            "mean_of_two_variants": min(paired.holm(p)),
            "equal_weights_normal": normal(first, weighted=False),
            "fixed_effect_meta_analysis": normal(first, weighted=True),
        }
        if differ := suite.between(first):
            counted["between"] = differ["between_p"]
        for name, value in counted.items():
            found.setdefault(name, []).append(value < paired.SIGNIFICANCE)
    return {name: rates(np.array(each)) for name, each in found.items()}


def main() -> None:
    """Simulate all members, and write benchmarks/records/suites.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--sets", type=int, default=3000, help="data sets per member")
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # more threads would mostly wait for each other
    count = 10 if chosen.quick else chosen.sets
    pools = {name: [estimates(name, number) for number in range(count)] for name in MEMBERS}
    of_each = -(-count // len(MEMBERS))  # the first data sets of each member, in turn
    pools[MIXED] = [pools[name][number] for number in range(of_each) for name in MEMBERS][:count]
    result = {
        name: {
            str(size): rejected(
                [pool[at : at + size] for at in range(0, len(pool) - size + 1, size)]
            )
            for size in SIZES
        }
        for name, pool in pools.items()
    }
    texts = {name: SIMULATED[name].text for name in MEMBERS} | {MIXED: "all of these in turns"}
    about = {"folds": 5, "texts": texts}
    print(measured.write("suites", about | {"members": result}, chosen.folder))


if __name__ == "__main__":
    main()
