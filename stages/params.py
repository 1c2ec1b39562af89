"""The settings: `params.yaml` as frozen, validated values, refused by name when they are wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from stages import yaml_text
from stages.errors import UserError
from stages.registry import nearest
from stages.sections import (
    Compare,
    Data,
    Folds,
    Parallel,
    Search,
    Settings,
    Tracking,
    Train,
    Variant,
    explain,
)

VARIANT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
RESERVED_NAMES = ("plots", "published")  # folders of results/ that are not a variant's


class Params(Settings):
    """The whole of params.yaml."""

    data: Data = Data()
    folds: Folds = Folds()
    train: Train
    variants: dict[str, Variant]
    compare: Compare
    search: Search = Search()
    parallel: Parallel = Parallel()
    tracking: Tracking = Tracking()

    @model_validator(mode="after")
    def _names_agree(self) -> "Params":
        for name in self.variants:
            if not VARIANT_NAME.fullmatch(name) or name in RESERVED_NAMES:
                raise UserError(
                    f"has the variant name {name!r}, but a name is a lower-case letter, then "
                    f"letters, digits or _, and none of {', '.join(RESERVED_NAMES)}"
                )
        for name in self.compare.variants:
            if name not in self.variants:
                raise UserError(
                    f"has compare.variants with {name!r}, which is no row of variants; "
                    f"known are {', '.join(self.variants)}.{nearest(name, self.variants)}"
                )
        if len(set(self.compare.variants)) < len(self.compare.variants):
            raise UserError(f"has a name twice in compare.variants: {self.compare.variants}")
        if self.compare.baseline not in self.compare.variants:
            raise UserError(
                f"has compare.baseline {self.compare.baseline!r}, which must be one of "
                f"compare.variants: {', '.join(self.compare.variants)}"
            )
        for name in self.variants:
            self._check_row(name)
            self.train_settings(name)
        return self

    def _check_row(self, name: str) -> None:
        """Refuse a row that is neither to be trained nor an ensemble of rows that are."""
        row, where = self.variants[name], f"has variants.{name}"
        if row.ensemble is None:
            if row.architecture is None:
                raise UserError(f"{where} without architecture; add it, or ensemble.")
            return
        for key in ("architecture", "augmentation", "train"):
            if getattr(row, key):
                raise UserError(
                    f"{where} with ensemble and {key}, but an ensemble averages what other rows "
                    "have trained and trains nothing itself; remove one of the two."
                )
        trained = [other for other, its in self.variants.items() if its.ensemble is None]
        for member in row.ensemble:
            if member not in trained:
                raise UserError(
                    f"{where}.ensemble with {member!r}, which is no row that is trained; "
                    f"known are {', '.join(trained)}.{nearest(member, trained)}"
                )
        if len(set(row.ensemble)) < max(2, len(row.ensemble)):
            raise UserError(
                f"{where}.ensemble {row.ensemble}, which must name at least two rows, each once."
            )

    def variant(self, name: str) -> Variant:
        """Return the row of one variant.

        Raises:
            UserError: when there is no such row.
        """
        if name not in self.variants:
            raise UserError(
                f"{name!r} is no row of variants in params.yaml; "
                f"known are {', '.join(self.variants)}.{nearest(name, self.variants)}"
            )
        return self.variants[name]

    def train_settings(self, name: str) -> Train:
        """Return the base `train` with one variant's overrides.

        An override of null leaves the base as it is where a setting cannot be null, so that a row
        can name a setting for `dvc exp run --set-param` to find, and not yet change it.
        """
        base = {field: getattr(self.train, field) for field in Train.model_fields}
        optional = {field for field, about in Train.model_fields.items() if about.default is None}
        overrides = {
            field: value
            for field, value in self.variant(name).train.items()
            if value is not None or field in optional or field not in base
        }
        try:
            return Train.model_validate({**base, **overrides})
        except ValidationError as error:
            said = explain(error, Train, f"variants.{name}.train")
            raise UserError(f"is refused: {said}") from None


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate the settings.

    Raises:
        UserError: for anything in the file that is not a valid setting, named in one sentence.
        OSError: when the file cannot be read.
    """
    return parse(yaml_text.read(path), path)


def parse(content: Any, path: Path = Path("params.yaml")) -> Params:
    """Validate settings that are already read; see `load`."""
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds no settings; it must be a mapping of sections.")
    try:
        return Params.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:
            raise UserError(explain(error, Params)) from None
        raise UserError(f"{path} {first['msg'].removeprefix('Value error, ')}") from None
