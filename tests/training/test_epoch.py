import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.augment import augmenter, keys
from stages.settings.sections import Named
from stages.training.epoch import SCORING_BATCH, compiled_epoch, loss_and_accuracy, resident, scorer
from tests.prepared import recipe

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 2, 2, 1), dtype="uint8")
LABELS = np.arange(10) % 3
SEED = np.int32([1, 1])


def linear():
    """Return a model of one dense layer that always has the same weights."""
    keras.utils.set_random_seed(1)
    pixels = keras.Input((2, 2, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(3)(x))


def epoch(model, batch_size, ops=(), weights=None, **settings):
    """Return loss and accuracy of one epoch."""
    chosen = recipe(ops=ops, batch_size=batch_size, **settings)
    optimizer = keras.optimizers.SGD(0.0)  # weights stay, so batches add up to the whole
    optimizer.build(model.trainable_variables)
    run = compiled_epoch(tf, model, optimizer, IMAGES, LABELS, 3, chosen, weights)
    return [float(value) for value in run(np.arange(10, dtype="i4"), SEED)]


def test_loss_and_accuracy_of_an_epoch_count_every_image_once():
    """Batches of four leave two images."""
    model = linear()
    probability = scorer(tf, model, IMAGES, model)(np.arange(10))
    assert epoch(model, 4) == pytest.approx(loss_and_accuracy(probability, LABELS), abs=1e-6)


@pytest.mark.parametrize("ops", [[], [Named(name="mixup", arguments={"alpha": 1.0})]])
def test_smoothing_penalties_and_class_weights_enter_the_loss(ops):
    """A mixed image is weighted by the shares of its classes."""
    model, weights = linear(), np.array([[0.5], [1.0], [3.0]], "f4")
    settings = {"label_smoothing": 0.3, "l2": 0.1}
    pixels, labels = tf.cast(IMAGES, tf.float32), tf.one_hot(LABELS, 3)
    pixels, target = augmenter(ops)(pixels, labels, keys.of_batch(tf, SEED, 0))
    losses = tf.nn.softmax_cross_entropy_with_logits(0.7 * target + 0.1, model(pixels))
    squares = np.square(model.layers[-1].kernel.numpy()).sum()
    expected = np.mean(losses * (target @ weights)[:, 0]) + 0.1 * squares
    assert epoch(model, 10, ops, weights[:, 0], **settings)[0] == pytest.approx(expected, rel=1e-5)


def test_scores_of_more_images_than_a_batch_are_in_their_order():
    model = linear()
    rows = np.random.default_rng(1).integers(0, 10, SCORING_BATCH + 7)
    score = scorer(tf, model, IMAGES, model)
    np.testing.assert_allclose(score(rows), score(np.arange(10))[rows], atol=1e-6)
    assert score(rows[:0]).shape == (0, 3)


def test_loss_and_accuracy_are_those_of_the_formula():
    probability = np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]], "f4")
    loss, accuracy = loss_and_accuracy(probability, np.array([0, 2, 0]))
    never = -np.log(np.finfo("f4").eps)  # the loss of probability 0 is finite
    assert loss == pytest.approx((-np.log(0.5) - np.log(0.7) + never) / 3, rel=1e-6)
    assert accuracy == pytest.approx(2 / 3)
    assert np.isnan(loss_and_accuracy(probability[:0], np.array([], int))).all()


def anonymous_mib():
    """Return how much memory of this process is not backed by a file."""
    (kib,) = re.findall(r"^Anonymous: +(\d+)", Path("/proc/self/smaps_rollup").read_text(), re.M)
    return int(kib) / 1024


@pytest.mark.parametrize("mode", ["r", "c"])
def test_mapped_images_are_taken_without_a_copy(tmp_path, mode):
    images = np.random.default_rng(0).integers(0, 256, (4096, 64, 64, 3), dtype="uint8")  # 48 MiB
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode=mode)
    tf.gather(resident(tf, mapped), [0])  # warm up
    before = anonymous_mib()
    tensor = resident(tf, mapped)
    rows = tf.gather(tensor, [4095, 7])
    assert anonymous_mib() - before < 10
    np.testing.assert_array_equal(rows, images[[4095, 7]])
    assert tensor.shape == images.shape


@pytest.mark.parametrize(
    "awkward",
    [
        np.frombuffer(b"\0" + IMAGES.tobytes(), "u1")[1:].reshape(IMAGES.shape),
        np.asfortranarray(IMAGES),
        np.repeat(IMAGES, 2, axis=0)[::2],
    ],
)
def test_images_in_awkward_memory_are_copied(awkward):
    np.testing.assert_array_equal(resident(tf, awkward), IMAGES)
