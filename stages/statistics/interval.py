"""95 % intervals of an accuracy or of a paired difference, over images.

Source:
    D. G. Bonett, R. M. Price, "Adjusted Wald Confidence Interval for a Difference of Binomial
        Proportions Based on Paired Data", Journal of Educational and Behavioral Statistics 37,
        2012, doi:10.3102/1076998611411915.
"""

import numpy as np
from scipy.stats import binomtest, norm

from stages.statistics.paired import CONFIDENCE


def wilson(correct: int, n: int) -> tuple[float, float]:
    """Return the ends of Wilson's interval (1927) of the accuracy correct / n, n at least 1.

    It has no continuity correction and stays accurate near 1, where mean +- 2 standard errors does
    not. It covers this model on other images of the same kind, not training it again.
    """
    interval = binomtest(correct, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def discordant(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the ends of Bonett and Price's interval (2012) of the difference (gained - lost) / n.

    Of n images, at least 1, one model alone predicts `gained` correctly and the other alone `lost`,
    as in McNemar's test. One more image of each kind keeps the interval from vanishing when two
    models agree on all n images, as that of a bootstrap would.
    """
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return max(-1.0, float(up - down - half)), min(1.0, float(up - down + half))
