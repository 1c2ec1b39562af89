import numpy as np
import pytest

from stages.figures.suite import DRAWN, suite
from stages.statistics.suite import against_baseline

RANDOM = np.random.default_rng(0)


def rows(gains, sources=("digits", "photos"), spread=0.002):
    """Return rows of variants whose mean differences on each source are near `gains`."""
    made = {}
    for source in sources:
        base = 0.9 + 0.01 * RANDOM.standard_normal(5)
        made[source] = {"basic": base} | {
            f"v{place}": base + gain + spread * RANDOM.standard_normal(5)
            for place, gain in enumerate(gains)
        }
    return against_baseline(made, "basic", 5, 0.0005, "accuracy", dict.fromkeys(made, 100))


def test_each_variant_has_its_sources_and_their_mean_the_best_variant_first():
    made = rows([-0.03, 0.05])
    (axes,) = suite(made, 0.0005).axes
    names = [text.get_text() for text in axes.texts if text.get_ha() == "right"]
    assert names == ["v1", "digits", "photos", "mean of 2", "v0", "digits", "photos", "mean of 2"]
    diamonds = [line for line in axes.lines if line.get_marker() == "D"]
    means = {row["variant"]: row["difference"] for row in made if row["source"] == "all"}
    drawn = [float(line.get_xdata()[0]) for line in diamonds]
    assert drawn == pytest.approx([100 * means["v1"], 100 * means["v0"]])
    outcomes = [text.get_text() for text in axes.texts if text.get_weight() == "bold"]
    assert "better" in outcomes
    assert "worse" in outcomes


def test_a_source_on_which_all_goes_wrong_does_not_squeeze_the_others():
    made = rows([0.01], [f"s{place}" for place in range(8)])
    far = next(row for row in made if row["variant"] == "v0")
    far |= {"difference": -0.8, "ci_low": -0.81, "ci_high": -0.79}
    (axes,) = suite(made, 0.0005).axes
    assert axes.get_xlim()[0] > -20
    assert [line.get_marker() for line in axes.lines].count("<") == 1


def test_of_many_variants_the_best_are_drawn_and_long_names_cut(texts):
    drawn = suite(rows(np.arange(DRAWN + 3) / 100, ["x" * 90, "y"]), 0.0005)
    written = texts(drawn)
    assert f"{DRAWN + 3} variants on 2 data sets, the best {DRAWN}" in written
    assert "v0" not in written
    assert "x" * 90 not in written
    assert any(text.startswith("xxx") and text.endswith("…") for text in written)
