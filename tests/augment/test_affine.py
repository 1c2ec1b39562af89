import numpy as np
import pytest
import tensorflow as tf

from stages.augment import augmenter
from stages.augment.affine import AFFINE, resample
from stages.settings.sections import Named


def batch(count=8, side=9, channels=1):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels)).astype("f4")


def test_no_draw_of_an_epoch_is_another_one_of_the_next():
    """The seed of an epoch is (seed, epoch); two ops must not share random values."""
    found = []

    def recorded(draw, size):
        found.append(draw(0.0, 1.0).numpy())
        return tf.eye(3, batch_shape=[4])

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(AFFINE, "recorded", recorded)
        for epoch in range(1, 5):
            ops = [Named(name="recorded", arguments={})] * 3
            resample(tf.zeros([4, 5, 5, 1]), ops, tf.constant([1, epoch]))
    assert len(np.unique(np.concatenate(found))) == 4 * 3 * 4


def apply(ops, images, seed=(1, 2)):
    named = [Named(name=name, arguments=arguments) for name, arguments in ops]
    labels = np.eye(len(images), dtype="f4")
    moved, same = augmenter(named)(tf.constant(images), tf.constant(labels), tf.constant(seed))
    np.testing.assert_array_equal(same, labels)
    return moved.numpy()


def fixed(monkeypatch, **matrices):
    """Replace ops by ones that give the same matrix for every image."""
    for name, matrix in matrices.items():
        stack = np.array(matrix, "f4")
        monkeypatch.setitem(
            AFFINE,
            name,
            lambda draw, size, stack=stack: tf.repeat(stack[None], tf.shape(draw(0.0, 1.0))[0], 0),
        )


def test_a_shift_moves_whole_pixels_exactly(monkeypatch):
    fixed(monkeypatch, shift=[[1, 0, 2], [0, 1, -1], [0, 0, 1]])
    images = batch()
    moved = resample(tf.constant(images), [Named(name="shift")], tf.constant([0, 0])).numpy()
    # Output (x, y) is sampled at (x + 2, y - 1).
    np.testing.assert_allclose(moved[:, 1:, :-2], images[:, :-1, 2:], atol=1e-3)
    np.testing.assert_array_equal(moved[:, 0], 0)
    np.testing.assert_array_equal(moved[:, :, -2:], 0)


def test_whole_shifts_move_and_never_blur():
    """A single bright pixel stays one pixel, at another place within the shift's range."""
    images = np.zeros((400, 9, 9, 1), "f4")
    images[:, 4, 4] = 200
    moved = apply([("shift", {"fraction": 0.3, "whole": True})], images)[..., 0]
    np.testing.assert_allclose(moved.max((1, 2)), 200, atol=0.01)
    np.testing.assert_allclose(moved.sum((1, 2)), 200, atol=0.1)
    places = {divmod(int(image.argmax()), 9) for image in moved}
    assert {row for row, _ in places} == {column for _, column in places} == set(range(1, 8))
    blurred = apply([("shift", {"fraction": 0.3})], images)
    assert blurred.max((1, 2, 3)).min() < 190


def test_a_quarter_turn_about_the_centre_is_exact(monkeypatch):
    fixed(monkeypatch, rotate=[[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    images = batch()
    moved = resample(tf.constant(images), [Named(name="rotate")], tf.constant([0, 0])).numpy()
    np.testing.assert_allclose(moved, np.rot90(images, 1, axes=(1, 2)), atol=1e-2)


def test_ops_apply_in_the_order_of_the_list(monkeypatch):
    """Shifting and then rotating differs from rotating and then shifting."""
    fixed(
        monkeypatch,
        rotate=[[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        shift=[[1, 0, -2], [0, 1, 0], [0, 0, 1]],
    )
    images = tf.constant(batch())

    def one(name, given):
        return resample(given, [Named(name=name)], tf.constant([0, 0]))

    fused = resample(images, [Named(name="shift"), Named(name="rotate")], tf.constant([0, 0]))
    np.testing.assert_allclose(fused, one("rotate", one("shift", images)), atol=0.1)
    assert not np.allclose(fused, one("shift", one("rotate", images)), atol=1)


def test_a_list_is_resampled_once():
    """Resampling once keeps the image sharper than resampling for each op."""
    ops = {"rotate": {"degrees": 30}, "shift": {"fraction": 0.2}, "noise": {"deviation": 3}}
    ops |= {"zoom": {"factor": 0.3}, "shear": {"degrees": 20}}
    named = [Named(name=name, arguments=arguments) for name, arguments in ops.items()]
    graph = tf.function(augmenter(named)).get_concrete_function(
        tf.TensorSpec((None, 9, 9, 1)), tf.TensorSpec((None, 2)), tf.TensorSpec((2,), tf.int32)
    )
    kinds = [operation.type for operation in graph.graph.get_operations()]
    assert kinds.count("ImageProjectiveTransformV3") == 1


def test_no_ops_give_the_batch_itself():
    images = tf.constant(batch())
    assert augmenter([])(images, images, tf.constant([0, 0]))[0] is images


def test_shift_reaches_its_fraction_and_no_further():
    images = np.zeros((400, 11, 11, 1), "f4")
    images[:, 5, 5] = 255
    moved = apply([("shift", {"fraction": 0.2})], images)[..., 0]
    rows = (moved.sum(2) * np.arange(11)).sum(1) / moved.sum((1, 2))
    assert np.abs(rows - 5).max() <= 0.2 * 11 + 1e-3
    assert np.abs(rows - 5).max() > 0.18 * 11


def test_zoom_enlarges_and_shrinks():
    images = np.zeros((200, 21, 21, 1), "f4")
    images[:, 5:16, 5:16] = 255
    area = apply([("zoom", {"factor": 0.3})], images).sum((1, 2, 3)) / (255 * 121)
    assert area.min() == pytest.approx(0.7**2, abs=0.06)
    assert area.max() == pytest.approx(1.3**2, abs=0.06)


def test_shear_slants_an_upright_line_and_keeps_rows():
    images = np.zeros((200, 21, 21, 1), "f4")
    images[:, 5:16, 10] = 255
    slanted = apply([("shear", {"degrees": 30})], images)[..., 0]
    np.testing.assert_allclose(slanted.sum(2), images[..., 0].sum(2), atol=0.1)
    columns = (slanted * np.arange(21)).sum(2)[:, 5:16] / 255
    lean = (columns[:, 0] - columns[:, -1]) / 10
    assert np.abs(lean).max() <= np.tan(np.pi / 6) + 1e-3
    assert np.abs(lean).max() > 0.95 * np.tan(np.pi / 6)
    np.testing.assert_allclose(columns[:, 5], 10, atol=1e-3)
