import pytest

from stages.engine import resolve
from stages.errors import UserError
from stages.settings.params import parse
from tests.settings.test_params import changed

ARCHITECTURE = "variants.double_conv.architecture"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"train.clip_norm": 2.0}, {"train.global_clipnorm": 2.0}),
        (
            {"variants.basic.train": {"clip_norm": 2.0}},
            {"variants.basic.train": {"global_clipnorm": 2.0}},
        ),
        (
            {"variants.basic.augmentation": [{"erase": {"fraction": 0.1}}]},
            {"variants.basic.augmentation": [{"random_erasing": {"fraction": 0.1}}]},
        ),
        (
            {ARCHITECTURE: {"double_conv": {"pooled": 0.2, "flat": 0.4}}},
            {ARCHITECTURE: {"double_conv": {"conv_dropout": 0.2, "dense_dropout": 0.4}}},
        ),
        (
            {"search.space": {"architecture.flat": {"low": 0.1, "high": 0.5}}},
            {"search.space": {"architecture.dense_dropout": {"low": 0.1, "high": 0.5}}},
        ),
    ],
)
def test_an_old_name_means_the_new_one_and_warns(old, new, capsys):
    ((old_path, old_value),), ((new_path, new_value),) = old.items(), new.items()
    content = changed(old_path, old_value)
    if old_path == "train.clip_norm":
        del content["train"]["global_clipnorm"]
    parsed = parse(content)
    assert parsed == parse(changed(new_path, new_value))
    resolve.check(parsed)
    warnings = capsys.readouterr().err
    for name in ("clip_norm", "erase", "pooled", "flat"):
        assert (f"{name} is now called" in warnings) == (name in str(old))


def test_a_variant_may_have_the_old_name_of_a_setting(capsys):
    row = {"architecture": "basic"}
    assert "flat" in parse(changed("variants.flat", row)).variants
    assert capsys.readouterr().err == ""


def test_both_names_are_refused():
    with pytest.raises(UserError, match=r"train\.clip_norm.*global_clipnorm"):
        parse(changed("train.clip_norm", 2.0))
