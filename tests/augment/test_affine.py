import numpy as np
import pytest
import tensorflow as tf

from stages.augment import augmenter
from stages.augment.affine import AFFINE, resample
from stages.settings.sections import Named

QUARTER_TURN = [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 9, 9, 1)).astype("f4")


def named(**ops):
    return [Named(name=name, arguments=arguments) for name, arguments in ops.items()]


def apply(images, **ops):
    moved, _ = augmenter(named(**ops))(tf.constant(images), tf.eye(len(images)), [1, 2])
    return moved.numpy()


def resampled(images, *names):
    ops = named(**{name: {} for name in names})
    return resample(tf, tf.constant(images), ops, tf.constant([0, 0])).numpy()


def fixed(monkeypatch, **rows):
    """Replace ops with ones that give the same matrix for every image."""
    for name, given in rows.items():
        monkeypatch.setitem(AFFINE, name, lambda tf, draw, size, given=given: given)


def test_a_shift_moves_whole_pixels_exactly(monkeypatch):
    fixed(monkeypatch, shift=([1.0, 0.0, 2.0], [0.0, 1.0, -1.0]))
    expected = np.zeros_like(IMAGES)
    expected[:, 1:, :-2] = IMAGES[:, :-1, 2:]  # output (x, y) is sampled at (x + 2, y - 1)
    np.testing.assert_allclose(resampled(IMAGES, "shift"), expected, atol=1e-3)


def test_a_quarter_turn_about_the_centre_is_exact(monkeypatch):
    fixed(monkeypatch, rotate=QUARTER_TURN)
    turned = np.rot90(IMAGES, 1, axes=(1, 2))
    np.testing.assert_allclose(resampled(IMAGES, "rotate"), turned, atol=1e-2)


def test_ops_apply_in_the_order_of_the_list(monkeypatch):
    """Shifting and then rotating differs from rotating and then shifting."""
    fixed(monkeypatch, rotate=QUARTER_TURN, shift=([1.0, 0.0, -2.0], [0.0, 1.0, 0.0]))
    both = resampled(IMAGES, "shift", "rotate")
    np.testing.assert_allclose(both, resampled(resampled(IMAGES, "shift"), "rotate"), atol=0.1)
    assert not np.allclose(both, resampled(resampled(IMAGES, "rotate"), "shift"), atol=1)


def test_whole_shifts_move_and_never_blur():
    """A single bright pixel stays one pixel, at another place within the shift's range."""
    images = np.zeros((400, 9, 9, 1), "f4")
    images[:, 4, 4] = 200
    moved = apply(images, shift={"fraction": 0.3, "whole": True})[..., 0]
    np.testing.assert_allclose(moved.max((1, 2)), 200, atol=0.01)
    np.testing.assert_allclose(moved.sum((1, 2)), 200, atol=0.1)
    places = {divmod(int(image.argmax()), 9) for image in moved}
    assert {row for row, _ in places} == {column for _, column in places} == set(range(1, 8))
    assert apply(images, shift={"fraction": 0.3}).max((1, 2, 3)).min() < 190


def test_all_affine_ops_are_one_resampling_wherever_they_stand():
    """The same draws, applied at the position of the first affine op."""
    ops = {"rotate": {"degrees": 30}, "zoom": {"factor": 0.3}}
    alone = apply(IMAGES, **ops)
    rotate, zoom = named(**ops)
    (still,) = named(brightness={"factor": 0.0})
    for order in ([still, rotate, zoom], [rotate, still, zoom], [rotate, zoom, still]):
        graph = tf.function(augmenter(order)).get_concrete_function(
            tf.TensorSpec((None, 9, 9, 1)), tf.TensorSpec((None, 8)), tf.TensorSpec((2,), tf.int32)
        )
        kinds = [operation.type for operation in graph.graph.get_operations()]
        assert kinds.count("ImageProjectiveTransformV3") == 1
        moved, _ = graph(tf.constant(IMAGES), tf.eye(8), tf.constant([1, 2]))
        np.testing.assert_allclose(moved, alone, atol=1e-2)


def test_affine_ops_apply_where_the_first_of_them_stands():
    """Noise after a shift leaves about half of the black border black."""
    images = np.full((12, 9, 8, 1), 255, "f4")
    move, grain = {"shift": {"fraction": 0.2}}, {"noise": {"deviation": 1}}
    last = apply(images, **grain | move | {"zoom": {"factor": 0}})
    first = apply(images, **move | grain | {"zoom": {"factor": 0}})
    assert 0 < (first == 0).sum() < 0.7 * (last == 0).sum()


def test_shift_reaches_its_fraction_and_no_further():
    images = np.zeros((400, 11, 11, 1), "f4")
    images[:, 5, 5] = 255
    moved = apply(images, shift={"fraction": 0.2})[..., 0]
    rows = (moved.sum(2) * np.arange(11)).sum(1) / moved.sum((1, 2))
    assert 0.18 * 11 < np.abs(rows - 5).max() <= 0.2 * 11 + 1e-3


def test_zoom_enlarges_and_shrinks():
    images = np.zeros((200, 21, 21, 1), "f4")
    images[:, 5:16, 5:16] = 255
    area = apply(images, zoom={"factor": 0.3}).sum((1, 2, 3)) / (255 * 121)
    assert area.min() == pytest.approx(0.7**2, abs=0.06)
    assert area.max() == pytest.approx(1.3**2, abs=0.06)


def test_shear_slants_an_upright_line_and_keeps_rows():
    images = np.zeros((200, 21, 21, 1), "f4")
    images[:, 5:16, 10] = 255
    slanted = apply(images, shear={"degrees": 30})[..., 0]
    np.testing.assert_allclose(slanted.sum(2), images[..., 0].sum(2), atol=0.1)
    columns = (slanted * np.arange(21)).sum(2)[:, 5:16] / 255
    lean = (columns[:, 0] - columns[:, -1]) / 10
    assert 0.95 * np.tan(np.pi / 6) < np.abs(lean).max() <= np.tan(np.pi / 6) + 1e-3
    np.testing.assert_allclose(columns[:, 5], 10, atol=1e-3)


def test_crop_never_mixes_in_the_black_outside():
    white = np.full((400, 9, 12, 1), 255, "f4")
    np.testing.assert_allclose(apply(white, crop={"area": 0.9, "stretch": 0.5}), 255, rtol=1e-5)


def test_rotate_turns_by_up_to_its_angle_in_both_directions():
    images = np.zeros((400, 21, 21, 1), "f4")
    images[:, 9:12, 17:20] = 255  # 8 pixels right of the centre
    turned = apply(images, rotate={"degrees": 30})[..., 0]
    mass = turned.sum((1, 2))
    down = (turned.sum(2) * (np.arange(21) - 10)).sum(1) / mass
    right = (turned.sum(1) * (np.arange(21) - 10)).sum(1) / mass
    np.testing.assert_allclose(np.hypot(down, right), 8, atol=0.1)
    angles = np.degrees(np.arctan2(down, right))
    assert 28 < angles.max() <= 30.5
    assert -30.5 <= angles.min() < -28


def test_crop_enlarges_a_part_of_its_area_and_proportions_that_stays_inside():
    height, width = 21, 41
    ramps = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype("f4")
    images = np.repeat(ramps[None], 400, axis=0)  # each pixel holds its place: (x, y)
    cropped = apply(images, crop={"area": 0.5, "stretch": 0.25})
    sides = {}
    for axis, side in ((0, width), (1, height)):
        line = cropped[:, height // 2, :, 0] if axis == 0 else cropped[:, :, width // 2, 1]
        share = (line[:, -5] - line[:, 4]) / (side - 9)
        first = line[:, 4] - 4 * share
        assert first.min() > -1e-3
        assert (first + share * (side - 1)).max() < side - 1 + 1e-3
        sides[axis] = share
    area, ratio = sides[0] * sides[1], sides[0] / sides[1]
    assert 0.5 - 1e-3 <= area.min() < 0.55
    assert 0.9 < area.max() <= 1 + 1e-3
    assert 0.8 - 1e-3 <= ratio.min() < 0.82
    assert 1.22 < ratio.max() <= 1.25 + 1e-3


def test_crop_draws_areas_and_proportions_uniformly_between_their_limits():
    """The proportions of a large part hardly change, but never its area."""
    random = np.random.default_rng(0)
    (across, *_), (_, down, _) = AFFINE["crop"](
        np, lambda low, high: random.uniform(low, high, 20_000), (20, 30), area=0.2, stretch=0.5
    )
    area, ratio = across * down, across / down
    assert 0.8 - 1e-9 <= area.min() < 0.801
    np.testing.assert_allclose(np.quantile(area, (0.25, 0.5, 0.75)), (0.85, 0.9, 0.95), atol=0.005)
    assert ratio.max() == pytest.approx(1 / ratio.min(), rel=1e-3) == pytest.approx(1 / 0.8, 1e-3)
    assert max(across.max(), down.max()) <= 1
