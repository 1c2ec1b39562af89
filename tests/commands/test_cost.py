from pathlib import Path

import numpy as np
import pytest

from stages import publish
from stages.commands.cost import cost
from stages.engine import latency
from stages.errors import UserError
from stages.files import read_table, write_table
from tests.tracking.logged import runs_of
from tests.tracking.made_results import everything, make_repository

TIMES = {"basic": 4.0, "other": 1.0, "third": 5.0}  # milliseconds


@pytest.fixture
def compared(repository, monkeypatch):
    """Return a repository with a comparison of three variants, and times instead of a clock."""
    make_repository(repository, *TIMES, folds=5)
    np.save(repository / "data/prepared/test_images.npy", np.zeros((20, 28, 28, 1), np.uint8))
    table = ("variant", "cv_mean", "cv_std", "n", "metric", "outcome")
    rows = [("basic", 0.92, 0.01, 5, "accuracy", "baseline")]
    rows += [(name, 0.91, 0.01, 5, "accuracy", "no difference") for name in ("other", "third")]
    write_table(repository / "results/comparison.csv", table, rows)

    def measured(path, images, calls, kernels):
        time = TIMES[path.parent.name]
        return {
            "one_image_ms": {"median": time},
            "images_per_second": round(3000 / time),
            "file_bytes": 2_000_000,
            "parameters": 1234,
            "multiply_adds": None,
        }

    monkeypatch.setattr(latency, "measure", measured)
    return repository


@pytest.mark.slow
def test_the_front_has_what_nothing_beats_in_both_and_runs_get_their_latency(compared, capsys):
    publish.publish("other")
    Path("results/other/timing.csv").unlink()  # it was trained elsewhere
    cost()
    rows = read_table(compared / "results/cost.csv")
    assert [(row["variant"], row["front"]) for row in rows] == [
        ("basic", "True"),
        ("other", "True"),
        ("third", "False"),
    ]
    assert [row["multiply_adds"] for row in rows] == ["", "", ""]
    printed = capsys.readouterr().out.splitlines()
    (other,) = [line for line in printed if line.startswith("other *")]
    assert " 0.25 " in other  # of the baseline's time
    assert printed[-1].startswith("other: no difference from basic")
    assert (compared / "results/plots/cost.png").stat().st_size > 10_000
    assert [row["fit_seconds"] for row in rows] == ["10.0", "", "10.0"]
    assert runs_of(compared, "parent")["other"]["tags"]["latency"] == "1.00 ms"
    attached = {path.rpartition("artifacts/")[2] for path in everything(compared)["artifacts"]}
    assert {"cost.csv", "plots/cost.png"} <= attached


def test_without_a_comparison_or_a_model_nothing_is_measured(compared):
    Path("results/other/model.keras").unlink()
    with pytest.raises(UserError, match="train@other"):
        cost()
    Path("data/prepared/test_images.npy").unlink()  # as in a new clone, whose results are committed
    with pytest.raises(UserError, match="dvc repro prepare"):
        cost()
    Path("results/comparison.csv").unlink()
    with pytest.raises(UserError, match=r"comparison\.csv"):
        cost()
    assert not Path("results/cost.csv").exists()
