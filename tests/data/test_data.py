"""The registry of sources."""

import numpy as np
import pytest

from stages import data
from stages.data.source import Source
from stages.settings.sections import Data


def test_an_unknown_source_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"data\.source is 'mnist5k'.* Did you mean 'mnist-5k'"):
        data.load(Data(source="mnist5k"))


def test_each_source_has_a_function():
    assert set(data.SOURCES) == {"mnist-5k", "mnist", "fashion-mnist"}


def test_what_a_source_gives_is_checked(monkeypatch):
    def broken(settings):
        return Source("broken", "none", ("a", "b"), np.full((2, 1, 1, 1), np.nan), np.arange(2))

    monkeypatch.setitem(data.SOURCES, "broken", broken)
    with pytest.raises(ValueError, match="broken's training images have pixels that are NaN"):
        data.load(Data(source="broken"))
