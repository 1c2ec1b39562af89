import json
from pathlib import Path

from stages.settings.sections import Tracking
from stages.tracking import store
from tests.tracking.logged import publish

LONG = [f"{number:05d}_Plantae_Tracheophyta_Magnoliopsida" + "_" * 30 for number in range(200)]


def described(new=None):
    """Return the registered model's description, after changing it if one is given."""
    with store.opened(Tracking()) as client:
        if new:
            client.update_registered_model("foldlab", new)
        return client.get_registered_model("foldlab").description


def test_the_model_says_what_goes_in_and_out_unless_somebody_describes_it(repository):
    publish()
    for part in ("from 0 to 255", "(n, 28, 28, 1)", "zero, one.", "models:/foldlab@champion"):
        assert part in described()
    dataset = Path("data/prepared/dataset.json")
    dataset.write_text(dataset.read_text().replace('"zero"', '"none"'))
    publish()
    assert "none, one." in described()
    dataset.write_text(dataset.read_text().replace('["none", "one"]', json.dumps(LONG)))
    publish()
    assert f"{LONG[0]}, {LONG[1]}, " in described()
    assert ", ...." in described()
    assert 4900 < len(described()) <= 5000  # characters, the limit of MLflow's registry
    described("Ours, for the phone.")
    publish()
    assert described() == "Ours, for the phone."
