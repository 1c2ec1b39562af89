"""Temperature scaling: divide all logits by one number, so that confidence fits accuracy.

Source: C. Guo, G. Pleiss, Y. Sun and K. Weinberger, "On calibration of modern neural networks",
ICML 2017, section 4.2. Logarithms of probabilities serve as logits, which have no fixed zero.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from stages.settings.sections import Train

LOWEST, HIGHEST = 0.5, 10.0  # where all predictions are correct, the lowest would be 0
DECIMALS = 3  # of a temperature, so that the last bits of a processor's logarithm do not matter
TINY = 1e-12


def calibration(
    probability: np.ndarray, folds: np.ndarray, label: np.ndarray, train: Train
) -> tuple[float, np.ndarray]:
    """Return the temperature of a variant's model, and its scaled out-of-fold probabilities.

    Only single networks are scaled. A mean over several networks, or over views, is less confident,
    and calibrated well enough without scaling (docs/experiments.md, 2026-11-28). Arguments are as
    for `cross_fitted`.
    """
    if train.final == "soft_vote" or train.predict_views > 1:
        return 1.0, probability
    every = probability.reshape(-1, probability.shape[-1])
    value = fit(every, np.tile(label, len(probability)))
    return value, cross_fitted(probability, folds, label)


def fit(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature with the lowest log loss; above 1 it lowers confidence.

    `probability` is float (n, classes), and `label` int (n,).
    """
    logits = np.log(np.clip(probability.astype(np.float64), TINY, 1))
    rows = np.arange(len(label))

    def loss(exponent: float) -> float:
        return float(-log_softmax(logits / np.exp(exponent), axis=1)[rows, label].mean())

    found = minimize_scalar(loss, bounds=np.log((LOWEST, HIGHEST)), method="bounded")
    return round(float(np.exp(found.x)), DECIMALS)


def scaled(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities at another temperature: float32 (..., classes)."""
    logits = np.log(np.clip(probability.astype(np.float64), TINY, 1))
    return softmax(logits / temperature, axis=-1).astype(np.float32)


def cross_fitted(probability: np.ndarray, folds: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Scale out-of-fold probabilities, each fold by the temperature of the other folds.

    `probability` is float32 (repeats, n, classes), like the result; `folds` is int16 (repeats, n),
    each image's fold, and `label` int (n,).
    """
    result = probability.copy()
    for repeat, assigned in enumerate(folds):
        for fold in range(int(assigned.max()) + 1):
            own = assigned == fold
            temperature = fit(probability[repeat, ~own], label[~own])
            result[repeat, own] = scaled(probability[repeat, own], temperature)
    return result
