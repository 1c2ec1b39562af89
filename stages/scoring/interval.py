"""The interval of an accuracy that was counted on so many images; needs no scipy.

Source:
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal
        of the American Statistical Association 22, 1927, doi:10.1080/01621459.1927.10502953.
"""

from math import sqrt
from statistics import NormalDist

from stages.errors import UserError

CERTAIN = 0.95


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, without continuity correction (Wilson 1927).

    It is honest near 1, where accuracies lie and mean +- 2 standard errors is not. It speaks of
    other images of the same kind, for one finished model; not of training anew.

    Args:
        hits: how many images are predicted rightly, 0 to n.
        n: how many images there are, at least 1.

    Returns:
        The lower and the upper end, fractions.

    Raises:
        UserError: when the counts are impossible.
    """
    if n < 1 or not 0 <= hits <= n:
        raise UserError(
            f"{hits} hits of {n} images came where hits are 0 to n and n is at least 1; "
            "count the images again."
        )
    z = NormalDist().inv_cdf((1 + CERTAIN) / 2)
    share = hits / n
    centre = share + z**2 / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + sign * reach) / (1 + z**2 / n) for sign in (-1, 1))
    # at the ends the interval is exact, but for rounding
    return (low if hits else 0.0), (high if hits < n else 1.0)
