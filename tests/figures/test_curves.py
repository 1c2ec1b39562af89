import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from stages.figures import style
from stages.figures.curves import curves


def history_of(*epochs: int, selected=()) -> dict[str, np.ndarray]:
    """Return a history with one fold per argument, its number of epochs."""
    fold = np.repeat(np.arange(len(epochs)), epochs)
    epoch = np.concatenate([np.arange(1, count + 1) for count in epochs])
    best = np.array([*selected, *[1] * len(epochs)])
    return {
        "fold": fold,
        "epoch": epoch,
        "loss": 1.0 / epoch,
        "accuracy": 1 - 0.5 / epoch,
        "val_loss": (1.2 + fold) / epoch,
        "val_accuracy": 1 - (0.6 + 0.01 * fold) / epoch,
        "selected": best[fold] == epoch,
    }


def test_an_ensemble_has_a_note_only(texts):
    empty = {key: column[:0] for key, column in history_of(2).items()}
    figure = curves(empty, variant="vote")
    assert any("ensemble" in text for text in texts(figure))
    assert figure.axes == []
    assert style.png(figure)


def test_each_fold_is_a_line_and_the_mean_is_over_the_folds_still_running():
    history = history_of(4, 2, 3)
    figure = curves(history, variant="basic")
    for axes, measure in zip(figure.axes, ("loss", "accuracy"), strict=True):
        lines = [item for item in axes.collections if isinstance(item, LineCollection)]
        assert sum(len(item.get_segments()) for item in lines) == 3 * 2
        training, validation = axes.lines
        for line, column in ((training, measure), (validation, f"val_{measure}")):
            at_3 = history[column][history["epoch"] == 3]
            assert len(at_3) == 2
            assert line.get_xdata().tolist() == [1, 2, 3, 4]
            assert line.get_ydata()[2] == pytest.approx(at_3.mean())


def test_the_picture_says_when_epochs_are_scored_on_a_part_of_the_images(texts):
    noted = {}
    for scored in (None, 2000):
        figure = curves(history_of(2, 2), variant="basic", scored=scored)
        noted[scored] = any("2,000 images" in text for text in texts(figure))
        assert style.png(figure)
    assert noted == {None: False, 2000: True}


def test_rings_mark_the_kept_epochs_on_the_validation_lines():
    figure = curves(history_of(4, 2, selected=(3, 1)), variant="basic")
    (ring,) = (item for item in figure.axes[1].collections if isinstance(item, PathCollection))
    assert ring.get_offsets().tolist() == [[3, 1 - 0.6 / 3], [1, pytest.approx(1 - 0.61)]]


def test_accuracy_shows_all_from_the_second_epoch_and_every_ring():
    late = curves(history_of(9, 9, selected=(9, 9)), variant="basic").axes[1].get_ylim()
    assert 0.5 < late[0] < 1 - 0.61 / 2
    early = curves(history_of(9, 9, selected=(9, 1)), variant="basic").axes[1].get_ylim()
    assert early[0] < 1 - 0.61


def test_variants_with_one_scale_have_the_same_axes():
    one, other = history_of(9, 9), history_of(4)
    other["val_accuracy"] = other["val_accuracy"] / 2
    scale = {key: np.concatenate([one[key], other[key]]) for key in one}
    figures = [curves(history, variant="v", scale=scale) for history in (one, other)]
    for mine, yours in zip(*(figure.axes for figure in figures), strict=True):
        assert mine.get_ylim() == yours.get_ylim()
        assert mine.get_xlim() == yours.get_xlim()
    assert figures[0].axes[1].get_ylim()[0] < 0.35


@pytest.mark.parametrize(
    ("epochs", "note"),
    [
        ((1,), "n = 1 fold"),
        ((1, 1), "n = 2 folds (thin) and their mean (thick)"),
        ((3, 2), "n = 2 folds (thin) and the mean of those still running (thick)"),
    ],
)
def test_names_variant_n_and_colours(epochs, note, texts):
    figure = curves(history_of(*epochs), variant="double_conv")
    dots = {line.get_marker() == "o" for line in figure.axes[0].lines}
    assert dots == {max(epochs) == 1}  # a line of one epoch is a dot
    written = texts(figure)
    assert {note, "training", "validation"} <= set(written)
    assert any("double_conv" in text for text in written)


@pytest.mark.parametrize(
    ("loss", "where"),
    [(0.0, slice(None)), (0.0, 2), (np.nan, slice(None)), (np.inf, 2), (1e-9, 2)],
)
def test_draws_losses_that_a_logarithm_refuses(loss, where):
    history = history_of(4, 4)
    history["loss"][where] = loss
    assert style.png(curves(history, variant="basic"))
