import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from stages.figures.curves import curves


def history_of(*epochs: int) -> dict[str, np.ndarray]:
    """Return a history of one fold per argument, which ran so many epochs."""
    fold = np.repeat(np.arange(len(epochs)), epochs)
    epoch = np.concatenate([np.arange(1, count + 1) for count in epochs])
    return {
        "fold": fold,
        "epoch": epoch,
        "loss": 1.0 / epoch,
        "accuracy": 1 - 0.5 / epoch,
        "val_loss": (1.2 + fold) / epoch,
        "val_accuracy": 1 - (0.6 + 0.01 * fold) / epoch,
    }


def folds_in(axes) -> list[np.ndarray]:
    lines = [item for item in axes.collections if isinstance(item, LineCollection)]
    return [segment for item in lines for segment in item.get_segments()]


def test_an_ensemble_says_that_there_was_nothing_to_train(texts, fits):
    history = {"fold": [0, 1], "epoch": [0, 0], "val_accuracy": [0.9, 0.8], "loss": ["", ""]}
    figure = curves(history, {0: 0, 1: 0}, variant="vote")
    assert any("nothing to train: an ensemble" in text for text in texts(figure))
    assert figure.axes == []
    assert fits(figure)


def test_each_fold_is_a_line_and_the_mean_is_over_the_folds_still_running():
    history = history_of(4, 2, 3)
    figure = curves(history, {0: 4, 1: 1, 2: 3}, variant="basic")
    assert isinstance(figure, Figure)
    for axes, measure in zip(figure.axes, ("loss", "accuracy"), strict=True):
        assert len(folds_in(axes)) == 3 * 2
        training, validation = axes.lines
        for line, column in ((training, measure), (validation, f"val_{measure}")):
            values = history[column]
            at_3 = values[(history["epoch"] == 3)]
            assert len(at_3) == 2
            assert line.get_xdata().tolist() == [1, 2, 3, 4]
            assert line.get_ydata()[2] == pytest.approx(at_3.mean())
            assert line.get_linewidth() > 2


def test_rings_mark_the_kept_epochs_on_the_validation_lines():
    figure = curves(history_of(4, 2), {0: 3, 1: 1}, variant="basic")
    (ring,) = (item for item in figure.axes[1].collections if isinstance(item, PathCollection))
    assert ring.get_offsets().tolist() == [[3, 1 - 0.6 / 3], [1, pytest.approx(1 - 0.61)]]


def test_accuracy_shows_all_from_the_second_epoch_and_every_ring():
    late = curves(history_of(9, 9), {0: 9, 1: 9}, variant="basic").axes[1].get_ylim()
    assert 0.5 < late[0] < 1 - 0.61 / 2
    early = curves(history_of(9, 9), {0: 9, 1: 1}, variant="basic").axes[1].get_ylim()
    assert early[0] < 1 - 0.61


@pytest.mark.parametrize(
    ("epochs", "note"),
    [
        ((3,), "n = 1 fold"),
        ((1,), "n = 1 fold"),
        ((1, 1), "n = 2 folds (thin) and their mean (thick)"),
        ((3, 2), "n = 2 folds (thin) and the mean of those still running (thick)"),
        ((2,) * 50, "n = 50 folds (thin) and their mean (thick)"),
    ],
)
def test_says_variant_and_n(epochs, note, texts, fits):
    figure = curves(history_of(*epochs), dict.fromkeys(range(50), 1), variant="double_conv")
    written = texts(figure)
    assert note in written
    assert "double_conv: training and validation" in written
    assert {"training", "validation", "kept epoch of a fold"} <= set(written)
    assert fits(figure)


def test_one_epoch_is_visible_as_a_dot():
    figure = curves(history_of(1), {0: 1}, variant="basic")
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "o"]


@pytest.mark.parametrize(
    ("loss", "where"),
    [
        (0.0, slice(None)),
        (0.0, slice(2, 3)),
        (np.nan, slice(None)),
        (np.nan, slice(2, 3)),
        (np.inf, slice(2, 3)),
        (1e-9, slice(2, 3)),
    ],
)
def test_draws_losses_that_a_logarithm_refuses(loss, where):
    history = history_of(4, 4)
    history["loss"][where] = loss
    curves(history, {0: 1, 1: 2}, variant="basic").draw_without_rendering()
