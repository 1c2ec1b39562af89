import numpy as np
import pytest

from stages.figures.learning_curve import learning_curve
from stages.statistics.learning_curve import fit

IMAGES = np.array([400.0, 800.0, 1600.0, 3200.0])


def drawn(names, metric="accuracy", bump=0.0, slope=-0.5):
    errors = 0.03 * (IMAGES / 3200) ** slope + [0.0, bump, 0.0, 0.0]
    folds = errors[:, np.newaxis] + 1e-4 * np.random.default_rng(0).standard_normal((4, 5))
    best = 0 if metric == "log_loss" else 1
    rows = [
        {"variant": name, "images": int(n), "mean": best - e, "std": 0.01, "n": 5, "metric": metric}
        for name in names
        for n, e in zip(IMAGES, errors, strict=True)
    ]
    return learning_curve(rows, {name: fit(IMAGES, folds, 5) for name in names})


@pytest.mark.parametrize(("metric", "top"), [("accuracy", 97.0), ("log_loss", -0.03)])
def test_the_law_passes_through_the_points_and_is_dashed_to_twice_the_images(metric, top):
    (axes,) = drawn(["basic"], metric).axes
    laws = [line for line in axes.lines if len(line.get_xdata()) == 100]
    solid, dashed = sorted(laws, key=lambda line: line.get_xdata()[0])
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert solid.get_xdata()[[0, -1]] == pytest.approx([400, 3200])
    assert dashed.get_xdata()[[0, -1]] == pytest.approx([3200, 6400])
    assert solid.get_ydata()[-1] == pytest.approx(top, rel=0.01)
    assert dashed.get_ydata()[-1] > solid.get_ydata()[-1] > solid.get_ydata()[0]
    assert axes.get_xscale() == "log"


def test_every_variant_is_named_and_numbers_of_images_are_plain(texts):
    figure = drawn(["basic", "resnet"])
    figure.draw_without_rendering()
    assert {"basic", "resnet", "400", "3,200", "6,400"} <= {*texts(figure)}


def test_five_variants_look_different():
    (axes,) = drawn("abcde").axes
    shown = [container.lines[0] for container in axes.containers]
    assert len({(line.get_color(), line.get_marker()) for line in shown}) == 5


def test_the_legend_covers_no_curve_that_falls():
    figure = drawn("ab", slope=0.5)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    curves = [axes.transData.transform(line.get_xydata()) for line in axes.lines]
    assert not any(legend.count_contains(points) for points in curves)


def test_without_a_power_law_only_the_points_are_drawn():
    (axes,) = drawn(["basic"], bump=0.05).axes
    assert [line for line in axes.lines if len(line.get_xdata()) == 100] == []
