from pathlib import Path

from stages.settings.sections import Tracking
from stages.tracking import store
from tests.tracking.logged import publish


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
    described("Ours, for the phone.")
    publish()
    assert described() == "Ours, for the phone."
