import subprocess
import sys
from pathlib import Path

import pytest

from stages.engine.resolve import check, check_data, recipe
from stages.errors import UserError
from stages.settings import params
from tests.settings.test_params import HERE, changed


def refusal(path, value):
    with pytest.raises(UserError) as caught:
        check(params.parse(changed(path, value)))
    return str(caught.value)


def test_the_repository_s_own_variants_are_known():
    check(params.load(HERE / "params.yaml"))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "variants.basic.architecture",
            "basik",
            "variants.basic.architecture is 'basik'",
        ),
        (
            "variants.basic.architecture",
            {"basic": {"droput": 0.1}},
            "variants.basic.architecture.basic.droput is ",
        ),
        (
            "variants.basic.architecture",
            {"basic": {"dropout": 1.0}},
            "variants.basic.architecture.basic.dropout is 1.0",
        ),
        (
            "variants.basic.augmentation",
            [{"zoom": {"factor": 0.1}}, {"rotat": {"degrees": 3}}],
            "variants.basic.augmentation[1] is 'rotat'",
        ),
        (
            "variants.basic.augmentation",
            [{"rotate": {"degrees": 300}}],
            "variants.basic.augmentation[0].rotate.degrees is 300",
        ),
        (
            "variants.basic.train",
            {"optimizer": "adma"},
            "variants.basic.train.optimizer is 'adma'",
        ),
        (
            "variants.basic.train",
            {"schedule": {"cosine": {"warmup": 1.0}}},
            "variants.basic.train.schedule.cosine.warmup is 1.0",
        ),
        (
            "variants.basic.train",
            {"schedule": "cosine", "reduce_on_plateau": {"patience": 1}},
            "variants.basic has both reduce_on_plateau and the schedule 'cosine'",
        ),
        (
            "variants.basic.train",
            {"schedule": {"constant": {"warmup": 0.1}}, "reduce_on_plateau": {"patience": 1}},
            "variants.basic has both reduce_on_plateau and a schedule with warmup",
        ),
        (
            "variants.basic.train",
            {"schedule": "constant", "final": "refit", "reduce_on_plateau": {"patience": 1}},
            "variants.basic has both reduce_on_plateau and final: refit",
        ),
    ],
)
def test_what_does_not_exist_is_refused_by_name(path, value, said):
    assert refusal(path, value).startswith(said)


def test_a_recipe_is_complete():
    """It includes default arguments, so changing a default changes the fingerprint."""
    resolved = recipe(params.parse(changed("variants.basic.architecture", "basic")), "basic")
    assert resolved.architecture.arguments == {"dense": 128, "dropout": 0.5}
    assert "beta_1" in resolved.train.optimizer.arguments


PREPARED = Path("data/prepared")
DIGITS = [str(digit) for digit in range(10)]


def flipping(**arguments):
    ops = [{"rotate": {"degrees": 5}}, {"flip": arguments}]
    return recipe(params.parse(changed("variants.basic.augmentation", ops)), "basic")


def test_flipping_digits_is_refused():
    with pytest.raises(UserError, match=r"^variants\.basic\.augmentation\[1\] is flip"):
        check_data(flipping(), {"classes": DIGITS}, PREPARED)


def test_flipping_digits_by_force_and_flipping_other_things_is_fine():
    check_data(flipping(force=True), {"classes": DIGITS}, PREPARED)
    check_data(flipping(), {"classes": ["cat", "dog"]}, PREPARED)
    check_data(flipping(), {"classes": DIGITS[:9]}, PREPARED)


def test_checking_every_name_needs_no_tensorflow():
    code = (
        "import sys; from stages.settings import params; from stages.engine.resolve import check;"
        "check(params.load()); print({'tensorflow', 'keras', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
