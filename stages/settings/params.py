"""Read and validate the settings of `params.yaml`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.errors import UserError
from stages.settings.base import Settings, validate
from stages.settings.registry import lookup
from stages.settings.sections import (
    Compare,
    Data,
    EarlyStopping,
    Folds,
    Parallel,
    Predict,
    ReduceOnPlateau,
    Search,
    Suite,
    Tracking,
    Train,
    Variant,
)

VARIANT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
RESERVED_NAMES = ("plots", "published")  # folders of results/ that do not belong to variants


class Params(Settings):
    """All settings of params.yaml."""

    data: Data = Data()
    folds: Folds = Folds()
    train: Train
    variants: dict[str, Variant]
    compare: Compare
    search: Search = Search()
    suite: Suite = Suite()
    predict: Predict = Predict()
    parallel: Parallel = Parallel()
    tracking: Tracking = Tracking()

    def variant(self, name: str) -> Variant:
        """Return the row of a variant; raises UserError when there is no such row."""
        return lookup("row of variants in params.yaml", self.variants, name, "variant")

    def train_settings(self, name: str) -> Train:
        """Return the base `train` with a variant's overrides; raises UserError like `load`.

        A mapping, such as `early_stopping`, overrides only the keys that it has.
        """
        merged = dict(self.train)
        for key, value in self.variant(name).overrides.items():
            base = merged.get(key)
            if isinstance(base, EarlyStopping | ReduceOnPlateau) and isinstance(value, Mapping):
                value = {**dict(base), **value}
            merged[key] = value
        return validate(Train, merged, f"variants.{name}.train")


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate the settings, with the YAML parser of DVC, which records their values.

    Raises:
        UserError: when the file is missing or not valid YAML, or a setting is not valid; names the
            setting.
        OSError: when the file cannot be read.
    """
    if not path.exists():
        raise UserError(f"{path} is missing in {Path.cwd()}; run the command in the repository.")
    text = path.read_bytes()
    try:
        content = YAML(typ="safe").load(text.decode())
        json.dumps(content, default=str)  # refuses lists as keys and a mapping that contains itself
    except Exception as error:  # ruamel.yaml raises many types
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UserError(f"{path} is not valid YAML{place} ({reason}); correct it.") from None
    return parse(content)


def parse(content: Any) -> Params:
    """Validate the content of params.yaml; see `load`."""
    if not isinstance(content, Mapping):
        raise UserError("params.yaml contains no settings; it must be a mapping of sections.")
    params = validate(Params, content)
    for name in params.variants:
        check_name(name)
        _check_ensemble(params, name)
        if params.train_settings(name).kernels != params.train.kernels:
            raise UserError(
                f"variants.{name}.train.kernels differs from train.kernels, but all variants must "
                "use the same kernels to be comparable; remove it, and set train.kernels."
            )
    chosen = params.compare.variants
    for name in chosen:
        lookup("row of variants", params.variants, name, "compare.variants")
    if len(set(chosen)) < len(chosen):
        raise UserError(f"compare.variants is {chosen}, with a duplicate; name each row once.")
    baseline = params.compare.baseline
    lookup("name in compare.variants", dict.fromkeys(chosen), baseline, "compare.baseline")
    return params


def check_name(name: str) -> None:
    """Raise UserError unless a variant, and so its folder in results/, may have this name."""
    if not VARIANT_NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise UserError(
            f"variant is {name!r}, but a name is a lower-case letter, then up to 63 lower-case "
            f"letters, digits or _, and not {' or '.join(RESERVED_NAMES)}; choose another."
        )


def _check_ensemble(params: Params, name: str) -> None:
    """Check that a row has either an architecture or an ensemble of rows that have one."""
    row, where = params.variants[name], f"variants.{name}"
    if row.ensemble is None:
        if row.architecture is None:
            raise UserError(f"{where} has no architecture; add one, or an ensemble.")
        return
    for key in ("architecture", "augmentation", "shrink", "train"):
        if getattr(row, key) not in (None, [], 1, {}):
            raise UserError(
                f"{where} has both ensemble and {key}, but an ensemble averages other rows' "
                "models and is not trained; remove one of them."
            )
    trained = {other: one for other, one in params.variants.items() if one.ensemble is None}
    for member in row.ensemble:
        lookup("row with an architecture", trained, member, f"{where}.ensemble")
    if len(set(row.ensemble)) < max(2, len(row.ensemble)):
        raise UserError(
            f"{where}.ensemble is {row.ensemble}, but must name at least two different rows."
        )
