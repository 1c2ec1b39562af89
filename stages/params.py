"""The settings: `params.yaml` as frozen, validated values, refused by name when they are wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.registry import describe, nearest

VARIANT_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
RESERVED_NAMES = ("plots", "published")  # folders of results/ that are not a variant's

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Monitor = Literal["val_accuracy", "val_loss"]


class Settings(BaseModel):
    """Base of all sections: no unknown key, no silent conversion, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Named(Settings):
    """A registered name with its arguments: written `name`, or `name: {argument: value}`."""

    name: str
    arguments: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, given: Any) -> Any:
        if isinstance(given, Named):
            return given.model_dump()
        if isinstance(given, Mapping) and isinstance(given.get("name"), str):
            return given  # the shape of the fields themselves
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, Mapping) and len(given) == 1:
            name, arguments = next(iter(given.items()))
            if isinstance(name, str) and isinstance(arguments or {}, Mapping):
                return {"name": name, "arguments": dict(arguments or {})}
        raise ValueError("must be a name, or one name with a mapping of its arguments")


class Data(Settings):
    """Which images, and how a test set is held out where the source brings none."""

    source: str = "mnist-5k"
    folder: str | None = None
    test_fraction: Fraction = 0.2
    limit: Count | None = None  # at most so many images per split, for quick trials
    seed: Seed = 1


class Folds(Settings):
    """Stratified k-fold cross-validation, repeated with other shuffles when `repeats` > 1."""

    count: Annotated[int, Field(ge=2, le=1000)] = 5
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    seed: Seed = 1


class EarlyStopping(Settings):
    """Stop when `monitor` has not improved for `patience` epochs; the best epoch is kept."""

    monitor: Monitor = "val_accuracy"
    patience: Count = 3
    min_delta: Annotated[float, Field(ge=0)] = 0.0


class ReduceOnPlateau(Settings):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement."""

    monitor: Monitor = "val_accuracy"
    factor: Fraction = 0.5
    patience: Count = 2
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0


class Train(Settings):
    """How one fold is trained. The section `train` is the base; a variant overrides parts of it."""

    epochs: Count = 10
    batch_size: Count = 128
    optimizer: Named = Named(name="adam")
    learning_rate: Annotated[float, Field(gt=0, le=100)] = 0.001
    schedule: Named = Named(name="constant")
    early_stopping: EarlyStopping | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] | None = None  # of all gradients together
    ema: Fraction | None = None  # momentum of the average of the weights over steps
    precision: Literal["float32"] = "float32"
    final: Literal["soft_vote", "refit", "best_fold"] = "soft_vote"
    seed: Seed = 1


class Variant(Settings):
    """One row of `variants`: an architecture, an augmentation, and what differs from the base."""

    architecture: Named
    augmentation: list[Named] = []
    train: dict[str, Any] = {}
    description: str = ""


class Compare(Settings):
    """Which variants are compared, with which baseline, and what difference counts as none."""

    variants: Annotated[list[str], Field(min_length=1)]
    baseline: str
    rope: Annotated[float, Field(ge=0, lt=1)] = 0.0005


class Parallel(Settings):
    """Where folds are trained: `jobs` worker processes, by default one per processor core."""

    backend: Literal["local"] = "local"
    jobs: Count | None = None


class Tracking(Settings):
    """Names under which MLflow shows the runs and registers the models."""

    experiment: Annotated[str, Field(min_length=1)] = "foldlab"
    model_name: Annotated[str, Field(min_length=1, pattern=r"^[^/:]+$")] = "foldlab"


class Params(Settings):
    """The whole of params.yaml."""

    data: Data = Data()
    folds: Folds = Folds()
    train: Train = Train()
    variants: dict[str, Variant]
    compare: Compare
    parallel: Parallel = Parallel()
    tracking: Tracking = Tracking()

    @model_validator(mode="after")
    def _names_agree(self) -> "Params":
        for name in self.variants:
            if not VARIANT_NAME.fullmatch(name) or name in RESERVED_NAMES:
                raise ValueError(
                    f"has the variant name {name!r}, but a name is a lower-case letter, then "
                    f"letters, digits or _, and none of {', '.join(RESERVED_NAMES)}"
                )
        for name in self.compare.variants:
            if name not in self.variants:
                raise ValueError(
                    f"has compare.variants with {name!r}, which is no row of variants; "
                    f"known are {', '.join(self.variants)}.{nearest(name, self.variants)}"
                )
        if len(set(self.compare.variants)) < len(self.compare.variants):
            raise ValueError(f"has a name twice in compare.variants: {self.compare.variants}")
        if self.compare.baseline not in self.compare.variants:
            raise ValueError(
                f"has compare.baseline {self.compare.baseline!r}, which must be one of "
                f"compare.variants: {', '.join(self.compare.variants)}"
            )
        for name in self.variants:
            self.train_settings(name)
        return self

    def variant(self, name: str) -> Variant:
        """Return the row of one variant.

        Raises:
            ValueError: when there is no such row.
        """
        if name not in self.variants:
            raise ValueError(
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
            raise ValueError(f"is refused: {said}") from None


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice and reads 1e-3 as the number that it is."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ValueError(f"params.yaml has {key!r} twice, again in line {line}; keep one.")
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def explain(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """Put a validation error of a section in one sentence; see `stages.registry.describe`."""
    first = error.errors()[0]
    for part in first["loc"][:-1]:  # walk down to the mapping that holds the unknown key
        field = model.model_fields.get(str(part))
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        model = next((m for m in inner if isinstance(m, type) and issubclass(m, Settings)), model)
    return describe(error, where, list(model.model_fields))


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate the settings.

    Raises:
        ValueError: for anything in the file that is not a valid setting, named in one sentence.
        OSError: when the file cannot be read.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is safe
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}" if mark else ""
        said = str(getattr(error, "problem", None) or error)
        raise ValueError(f"{path} is not valid YAML{place} ({said}); mend it there.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; save it as such.") from None
    return parse(content, path)


def parse(content: Any, path: Path = Path("params.yaml")) -> Params:
    """Validate settings that are already read; see `load`."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds no settings; it must be a mapping of sections.")
    try:
        return Params.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:
            raise ValueError(explain(error, Params)) from None
        raise ValueError(f"{path} {first['msg'].removeprefix('Value error, ')}") from None
