import pytest

from stages.errors import UserError
from stages.settings.params import parse
from stages.settings.renamed import with_new_names
from tests.settings.defaults import changed


def test_old_names_mean_the_new_ones_and_warn(capsys):
    old = {
        "train": {"clip_norm": 2.0},
        "variants": {"flat": {"augmentation": [{"erase": {}}], "train": {"clip_norm": None}}},
        "search": {"space": {"architecture.flat": {"choices": [{"x": {"pooled": 0.2}}]}}},
    }
    assert with_new_names(old) == {
        "train": {"global_clipnorm": 2.0},
        "variants": {
            "flat": {"augmentation": [{"random_erasing": {}}], "train": {"global_clipnorm": None}}
        },
        "search": {
            "space": {"architecture.dense_dropout": {"choices": [{"x": {"conv_dropout": 0.2}}]}}
        },
    }
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 5
    assert "variants.flat.augmentation[0].erase is now called random_erasing" in warnings[1]


def test_a_variant_may_have_the_old_name_of_a_setting(capsys):
    assert "flat" in parse(changed("variants.flat", {"architecture": "basic"})).variants
    assert capsys.readouterr().err == ""


def test_both_names_are_refused():
    with pytest.raises(UserError, match=r"train\.clip_norm.*global_clipnorm"):
        parse(changed("train.clip_norm", 2.0))
