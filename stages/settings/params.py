"""Read and validate the settings of `params.yaml`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from stages.errors import UserError
from stages.settings import yaml_text
from stages.settings.registry import nearest
from stages.settings.renamed import with_new_names
from stages.settings.sections import (
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
RESERVED_NAMES = ("plots", "published")  # folders of results/ that do not belong to variants


class Params(Settings):
    """All settings of params.yaml."""

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
                    f"has the variant name {name!r}, but names consist of a lower-case letter and "
                    "then lower-case letters, digits or _, up to 64 in all, and must not be "
                    f"{' or '.join(RESERVED_NAMES)}"
                )
        for name in self.compare.variants:
            if name not in self.variants:
                raise UserError(
                    f"has {name!r} in compare.variants, which is not a row of variants; "
                    f"the rows are {', '.join(self.variants)}.{nearest(name, self.variants)}"
                )
        if len(set(self.compare.variants)) < len(self.compare.variants):
            raise UserError(f"has a duplicate name in compare.variants: {self.compare.variants}")
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
        """Check that a row has either an architecture or an ensemble of rows that have one."""
        row, where = self.variants[name], f"has variants.{name}"
        if row.ensemble is None:
            if row.architecture is None:
                raise UserError(f"{where} without architecture; add architecture or ensemble.")
            return
        for key in ("architecture", "augmentation", "train"):
            if getattr(row, key):
                raise UserError(
                    f"{where} with both ensemble and {key}, but an ensemble averages other rows' "
                    "models and is not trained; remove one of them."
                )
        trained = [other for other, its in self.variants.items() if its.ensemble is None]
        for member in row.ensemble:
            if member not in trained:
                raise UserError(
                    f"{where}.ensemble with {member!r}, which is not a row with an architecture; "
                    f"those rows are {', '.join(trained)}.{nearest(member, trained)}"
                )
        if len(set(row.ensemble)) < max(2, len(row.ensemble)):
            raise UserError(
                f"{where}.ensemble {row.ensemble}, which must name at least two different rows."
            )

    def variant(self, name: str) -> Variant:
        """Return the row of a variant.

        Raises:
            UserError: when there is no such row.
        """
        if name not in self.variants:
            raise UserError(
                f"{name!r} is no row of variants in params.yaml; "
                f"the rows are {', '.join(self.variants)}.{nearest(name, self.variants)}"
            )
        return self.variants[name]

    def train_settings(self, name: str) -> Train:
        """Return the base `train` with a variant's overrides.

        A null override of a setting that cannot be null has no effect. So a row can contain a
        setting only to make it available to `dvc exp run --set-param`.
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
            reason = explain(error, Train, f"variants.{name}.train")
            raise UserError(f"is refused: {reason}") from None


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate the settings.

    Raises:
        UserError: when the file is not valid YAML, or a setting is not valid; names the setting.
        OSError: when the file cannot be read.
    """
    return parse(yaml_text.read(path), path)


def parse(content: Any, path: Path = Path("params.yaml")) -> Params:
    """Validate the content of params.yaml; see `load`."""
    if not isinstance(content, Mapping):
        raise UserError(f"{path} contains no settings; it must be a mapping of sections.")
    try:
        return Params.model_validate(with_new_names(content))
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:
            raise UserError(explain(error, Params)) from None
        raise UserError(f"{path} {first['msg'].removeprefix('Value error, ')}") from None
