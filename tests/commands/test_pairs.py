import re

import numpy as np
import pytest

from stages.commands.pairs import pairs
from stages.errors import UserError
from stages.statistics.paired import corrected_resampled_t, holm, variances
from tests.compared import BETTER, TIED, WORSE, choose, write_variant

pytestmark = pytest.mark.usefixtures("folder")


def test_every_pair_is_tested_with_the_better_variant_first(capsys):
    scores = {"worse_one": WORSE, "basic": TIED, "better_one": BETTER}
    choose(*scores)
    for name, accuracy in scores.items():
        write_variant(name, accuracy)
    pairs()
    _, _, *lines = capsys.readouterr().out.splitlines()
    cells = [re.split(r"\s{2,}", line) for line in lines]
    best_first = [("better_one", "basic"), ("better_one", "worse_one"), ("basic", "worse_one")]
    assert [cell[0] for cell in cells] == [f"{one} - {other}" for one, other in best_first]
    gains = np.array([BETTER - TIED, BETTER - WORSE, TIED - WORSE])
    p = [
        corrected_resampled_t(gained, 5, variance)["p"]
        for gained, variance in zip(gains, variances(gains, most=8), strict=True)
    ]
    assert [float(cell[2]) for cell in cells] == pytest.approx(holm(p), abs=0.0006)
    assert [cell[3] for cell in cells] == ["undecided", "better", "undecided"]


def test_one_variant_is_no_pair():
    choose("basic")
    with pytest.raises(UserError, match=r"compare\.variants"):
        pairs()
