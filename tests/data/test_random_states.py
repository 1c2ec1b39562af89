import itertools

import numpy as np

from stages.data.random_states import PURPOSES, random_state

DRAWS = 2000


def test_purposes_repeats_and_seeds_are_streams_of_their_own():
    chosen = itertools.product(PURPOSES, (0, 1, 2), (0, 1))
    streams = [random_state(purpose, seed, repeat) for purpose, seed, repeat in chosen]
    drawn = np.array([stream.random(DRAWS) for stream in streams])
    correlation = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlation).max() < 5 / np.sqrt(DRAWS)


def test_a_stream_is_repeatable():
    first, second = (random_state("folds", 3, 1).random(5) for _ in range(2))
    assert first.tolist() == second.tolist()
