"""The sections of `params.yaml`: frozen, strictly typed, with no key that is not declared here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stages.registry import describe

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Monitor = Literal["val_accuracy", "val_loss"]
SIDES = range(8, 257)  # pixels


def _height_and_width(given: Any) -> Any:
    """Return (height, width) for one number or a pair; null stays null."""
    if given is None:
        return None
    pair = given if isinstance(given, list | tuple) else [given, given]
    if len(pair) == 2 and all(type(side) is int and side in SIDES for side in pair):
        return tuple(pair)
    raise ValueError("must be a whole number of pixels from 8 to 256, or [height, width] of such")


ImageSize = Annotated[tuple[int, int] | None, BeforeValidator(_height_and_width)]


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
    format: Literal["idx", "npz", "csv", "folder"] | None = None  # of a path; null: by its look
    folder: str | None = None
    image_size: ImageSize = None  # (height, width); null: as the images are
    resize: Literal["pad", "crop", "stretch"] = "pad"
    channels: Literal["gray", "rgb"] | None = None  # null: rgb where any image has colour
    test_fraction: Fraction = 0.2
    limit: Count | None = None  # at most so many images per split, for quick trials
    duplicates: Literal["refuse", "allow"] = "refuse"  # of training images in the test set
    watch: str = "stages/data"  # the path whose changed files make DVC prepare anew
    seed: Seed = 1


class Folds(Settings):
    """Stratified k-fold cross-validation, repeated with other shuffles when `repeats` > 1."""

    count: Annotated[int, Field(ge=2, le=1000)] = 5
    group: str | None = None  # a CSV file: images of one group stay in one fold and split
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

    epochs: Count  # these five must stand in params.yaml
    batch_size: Count
    optimizer: Named
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    schedule: Named
    early_stopping: EarlyStopping | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    class_weight: Literal["balanced"] | None = None  # rare classes count as much as common ones
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] | None = None  # of all gradients together
    ema: Fraction | None = None  # momentum of the average of the weights over steps
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    final: Literal["soft_vote", "refit", "best_fold"] = "soft_vote"
    seed: Seed = 1


class Variant(Settings):
    """One row of `variants`: an architecture, an augmentation, and what differs from the base.

    Or an ensemble: other rows, whose models are averaged without training.
    """

    architecture: Named | None = None
    ensemble: list[str] | None = None
    augmentation: list[Named] = []
    train: dict[str, Any] = {}
    description: str = ""


class Compare(Settings):
    """Which variants are compared, with which baseline, and what difference counts as none."""

    variants: Annotated[list[str], Field(min_length=1)]
    baseline: str
    rope: Annotated[float, Field(ge=0, lt=1)] = 0.0005


class Range(Settings):
    """What a search may set: `choices`, or real numbers from `low` to `high`, whole by `step`."""

    low: Bound | None = None
    high: Bound | None = None
    step: Count | None = None
    log: bool = False  # as many between 0.001 and 0.01 as between 0.01 and 0.1
    choices: Annotated[list[Any], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> "Range":
        low, high, step, choices = self.low, self.high, self.step, self.choices
        if choices is not None:
            again = any(choice in choices[:place] for place, choice in enumerate(choices))
            if again or self.model_fields_set != {"choices"}:
                raise ValueError("must have choices that differ, and no range beside them")
        elif low is None or high is None or low >= high:
            raise ValueError("must have low and high, low below high, or choices")
        elif self.log and (low <= 0 or step not in (None, 1)):
            raise ValueError("must have low above 0, and no step but 1, where log is true")
        elif step and not (low.is_integer() and high.is_integer() and (high - low) % step == 0):
            raise ValueError("must go from whole low to whole high in steps that reach it")
        return self


class Search(Settings):
    """What `make search` varies of one row: settings by their dotted paths inside the row."""

    variant: str = "basic"
    trials: Annotated[int, Field(ge=1, le=100_000)] = 16
    seed: Seed = 1
    space: dict[str, Range] = {}


class Parallel(Settings):
    """Where folds are trained: in processes of this machine, or on a Ray cluster.

    None of it changes a result, so no stage depends on it.
    """

    backend: Literal["local", "ray"] = "local"
    jobs: Count | None = None  # folds at a time; None: what suits the cores, or a cluster
    address: str | None = None  # of the cluster's head; None: Ray is started on this machine
    cpus_per_fold: Annotated[float, Field(gt=0, le=1024)] = 1.0
    gpus_per_fold: Annotated[float, Field(ge=0, le=1024)] = 0.0

    @property
    def local_jobs(self) -> int | None:
        """Return how many processes of this machine work at a time, on what stays on it."""
        return self.jobs if self.backend == "local" else None


class Tracking(Settings):
    """Names under which MLflow shows the runs and registers the models, and from when on."""

    experiment: Annotated[str, Field(min_length=1)] = "foldlab"
    model_name: Annotated[str, Field(min_length=1, pattern=r"^[^/:]+$")] = "foldlab"
    live_after: Annotated[float, Field(ge=0)] | None = 10.0  # s until a training shows; null: never


def explain(error: ValidationError, model: type[BaseModel], where: str = "") -> str:
    """Put a validation error of a section in one sentence; see `stages.registry.describe`."""
    first = error.errors()[0]
    for part in first["loc"][:-1]:  # walk down to the mapping that holds the unknown key
        field = model.model_fields.get(str(part))
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        model = next((m for m in inner if isinstance(m, type) and issubclass(m, Settings)), model)
    return describe(error, where, list(model.model_fields))
