"""How far a classifier's confidence can be believed.

Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
arXiv:1706.04599, section 2: equation 3 is the expected calibration error.
"""

import numpy as np

BINS = 15  # as in Guo et al.


def reliability_bins(
    probability: np.ndarray, label: np.ndarray, bins: int = BINS
) -> dict[str, np.ndarray]:
    """Group images by the confidence of their prediction in bins of equal width.

    Args:
        probability: float (n, classes), each row sums to 1; its highest value is the confidence.
        label: int (n,).
        bins: number of bins between 0 and 1; bin i holds i / bins < confidence <= (i + 1) / bins.

    Returns:
        Arrays (bins,): `confidence` and `accuracy`, the means over a bin's images (0 where it has
        none), and `count`, the number of its images.
    """
    confidence = probability.max(axis=1).astype(np.float64)
    right = probability.argmax(axis=1) == np.asarray(label)
    # clip: rounding may leave a softmax slightly above 1
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(number, minlength=bins)
    return {
        "confidence": np.bincount(number, confidence, minlength=bins) / np.maximum(count, 1),
        "accuracy": np.bincount(number, right, minlength=bins) / np.maximum(count, 1),
        "count": count,
    }


def expected_calibration_error(
    probability: np.ndarray, label: np.ndarray, bins: int = BINS
) -> float:
    """Return the mean distance of confidence and accuracy over the bins, weighted by images.

    Args:
        probability: float (n, classes), n at least 1.
        label: int (n,).
        bins: number of bins of equal width.

    Returns:
        A fraction, 0 to 1; 0.02 means that confidence is off by 2 points on average.
    """
    found = reliability_bins(probability, label, bins)
    gap = np.abs(found["confidence"] - found["accuracy"])
    return float((gap * found["count"]).sum() / found["count"].sum())
