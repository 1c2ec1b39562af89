"""Classifiers that hypothesis draws: probabilities of any sharpness, with ties, and labels."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def _drawn(draw):
    count, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    sharp = draw(st.sampled_from([0.0, 0.5, 3.0, 50.0]))
    scores = np.exp(sharp * random.integers(-2, 3, (count, classes)))
    probability = scores / scores.sum(axis=1, keepdims=True)
    kind = draw(st.sampled_from([np.float32, np.float64]))
    return probability.astype(kind), random.integers(0, classes, count)


CLASSIFIERS = _drawn()  # (float (n, classes), int (n,))
