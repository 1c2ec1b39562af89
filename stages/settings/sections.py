"""The sections of `params.yaml`: frozen, strictly typed models without undeclared keys."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, model_validator

from stages.settings.base import Settings

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Monitor = Literal["val_accuracy", "val_loss"]
Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "roc_auc"]
Kernels = Literal["portable", "native"]
Export = Literal["onnx", "tflite", "tflite_int8"]
Check = Literal[  # docs/reading_results.md
    "beaten-by-simple",
    "no-better-than-guessing",
    "unchecked-model",
    "overfits",
    "too-few-epochs",
    "underfits",
    "folds-disagree",
    "near-duplicates",
    "rope-too-narrow",
    "few-validation-images",
    "few-test-images",
]
SIDES = range(8, 1025)  # pixels


def _height_and_width(value: Any) -> Any:
    """Return (height, width) for a number or a pair."""
    pair = value if isinstance(value, list | tuple) else [value, value]
    if len(pair) == 2 and all(type(side) is int and side in SIDES for side in pair):
        return tuple(pair)
    raise ValueError("must be a whole number of pixels from 8 to 1024, or such a [height, width]")


def _listed(value: Any) -> Any:
    """Return a list for a single name."""
    return [value] if isinstance(value, str) else value


def _pattern(value: str) -> str:
    """Check a regular expression with one group."""
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"must be a regular expression ({error})") from None
    if groups != 1:
        raise ValueError(f"must have one group, the class, as in '(cat|dog)'; it has {groups}")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
ImageSize = Annotated[tuple[int, int], BeforeValidator(_height_and_width)]


class Named(Settings):
    """A registered name with arguments, written as `name` or `name: {argument: value}`."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Named):
            return value
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            return value  # a dump of this model
        if isinstance(value, Mapping) and len(value) == 1:
            ((name, arguments),) = value.items()
            if isinstance(name, str) and isinstance(arguments or {}, Mapping):
                return {"name": name, "arguments": dict(arguments or {})}
        raise ValueError("must be a name, or a name with a mapping of arguments")


class Data(Settings):
    """The images, and how to split off a test set if the source has none."""

    source: str = "mnist-5k"
    format: str | None = None  # of stages.data.FORMATS; null: detected from the path
    folder: str | None = None
    image_size: ImageSize | None = None  # (height, width); null: size of the images
    resize: Literal["pad", "crop", "stretch"] = "pad"
    channels: Literal["gray", "rgb"] | None = None  # null: rgb if any image has colour
    test_fraction: Fraction = 0.2
    limit: Count | None = None  # maximum number of images per split, for a quick run
    validation: Literal["train", "test", "ignore"] = "train"  # where a folder val/ goes
    label_pattern: Pattern | None = None  # its group is the class in a file's path
    file_column: str | None = None  # of a CSV of labels; null: known names
    label_column: str | None = None  # of any CSV; null: known names
    follow_links: bool = False  # to folders, and out of the source's folder
    background: Literal["black", "white", "edge", "mean"] | None = None  # of padding, transparency
    bits: Annotated[int, Field(ge=8, le=16)] | None = None  # of 16-bit files; null: by maximum
    duplicates: Literal["refuse", "allow"] = "refuse"  # of training images in the test set
    near_duplicates: Literal["list", "group", "refuse", "ignore"] = "list"
    corrections: str | None = None  # a CSV file of labels that replace those read
    watch: str = "stages/data"  # DVC prepares the data again when files under this path change
    seed: Seed = 1


class Folds(Settings):
    """Stratified k-fold cross-validation; with `repeats` > 1, repeated with other shuffles."""

    count: Annotated[int, Field(ge=2, le=1000)] = 5
    group: str | None = None  # a CSV file; images of a group stay in the same fold and split
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    seed: Seed = 1


class EarlyStopping(Settings):
    """Stop when `monitor` has not improved for `patience` epochs; use the best epoch's weights."""

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
    """How to train a fold; the section `train` is the base that variants override."""

    epochs: Count  # this setting and the next four are required
    batch_size: Count
    optimizer: Named
    learning_rate: Annotated[float, Field(gt=0, le=100)]
    schedule: Named
    early_stopping: EarlyStopping | None = None
    reduce_on_plateau: ReduceOnPlateau | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    class_weight: Literal["balanced"] | None = None  # gives all classes equal total weight
    global_clipnorm: Annotated[float, Field(gt=0, le=1e6)] | None = None
    ema: Fraction | None = None  # momentum of the moving average of the weights
    kernels: Kernels = "portable"  # same results on every x86-64 processor with AVX2, or fastest
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    final: Literal["soft_vote", "refit", "best_fold"] = "soft_vote"
    predict_views: Annotated[int, Field(ge=1, le=64)] = 1  # of an image, averaged in predictions
    seed: Seed = 1

    @property
    def watched(self) -> bool:
        """Return whether the validation scores of an epoch influence the training."""
        return bool(self.early_stopping or self.reduce_on_plateau)


class Variant(Settings):
    """One row of `variants`: an architecture, an augmentation and overrides of the base `train`.

    Alternatively an ensemble: other rows, whose models are averaged without training.
    """

    architecture: Named | None = None
    ensemble: list[str] | None = None
    augmentation: list[Named] = Field(default_factory=list)
    shrink: Literal[1, 2, 4, 8, 16] = 1  # side of the blocks of pixels that are averaged to one
    export: Annotated[list[Export], BeforeValidator(_listed)] = Field(default_factory=list)
    train: dict[str, Any] = Field(default_factory=dict)
    description: str = ""

    @property
    def overrides(self) -> dict[str, Any]:
        """Return `train` without null for settings that cannot be null.

        Such a null has no effect. It only lets a row list a setting for `dvc exp run --set-param`.
        """
        fixed = {key for key, field in Train.model_fields.items() if field.default is not None}
        return {key: v for key, v in self.train.items() if v is not None or key not in fixed}


class Compare(Settings):
    """The variants to compare, the baseline, and the region of practical equivalence."""

    variants: Annotated[list[str], Field(min_length=1)]
    baseline: str
    metric: Metric = "accuracy"
    rope: Annotated[float, Field(ge=0, lt=1)] = 0.0005
    ignore: list[Check] = Field(default_factory=list)  # checks that are left out


class Range(Settings):
    """Allowed values: `choices`, or numbers from `low` to `high`, whole ones if `step` is set."""

    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    step: Count | None = None
    log: bool = False  # sample uniformly in the logarithm
    choices: Annotated[list[Any], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _check_values(self) -> "Range":
        low, high, step, choices = self.low, self.high, self.step, self.choices
        if choices is not None:
            duplicates = any(choice in choices[:index] for index, choice in enumerate(choices))
            if duplicates or self.model_fields_set != {"choices"}:
                raise ValueError("must have choices without duplicates, and no range")
        elif low is None or high is None or low >= high:
            raise ValueError("must have low and high with low < high, or choices")
        elif self.log and (low <= 0 or step not in (None, 1)):
            raise ValueError("must have low > 0, and step 1 or none, if log is true")
        elif step and not (low.is_integer() and high.is_integer() and (high - low) % step == 0):
            raise ValueError("must have whole numbers low and high that differ by whole steps")
        return self


class Search(Settings):
    """Hyperparameter search of one row; `space` has the dotted paths of settings in the row."""

    variant: str = "basic"
    trials: Annotated[int, Field(ge=1, le=100_000)] = 16
    seed: Seed = 1
    space: dict[str, Range] = Field(default_factory=dict)


def _source(value: Any) -> Any:
    """Return settings of `data` for a name or a path alone; each must name its source."""
    if isinstance(value, str):
        return {"source": value}
    if isinstance(value, Data) or (isinstance(value, Mapping) and "source" in value):
        return value
    raise ValueError("must be a name or a path, or settings of the section data with a source")


class Suite(Settings):
    """The data sets of `python -m stages suite`: each a `data.source`, or settings of `data`.

    A setting that an item leaves out has its default, whatever the section `data` says.
    """

    sources: list[Annotated[Data, BeforeValidator(_source)]] = Field(default_factory=list)


class Predict(Settings):
    """Settings of `python -m stages predict`; no stage depends on them."""

    coverage: Annotated[float, Field(gt=0, lt=1)] | None = None  # of prediction sets


class Parallel(Settings):
    """Where to train folds: in local processes or on a Ray cluster.

    It does not affect results, so no stage depends on it.
    """

    backend: Literal["local", "ray"] = "local"
    jobs: Count | None = None  # folds at a time; None: chosen by the number of cores, or by Ray
    address: str | None = None  # of the cluster's head node; None: start Ray on this machine
    cpus_per_fold: Annotated[float, Field(gt=0, le=1024)] = 1.0
    gpus_per_fold: Annotated[float, Field(ge=0, le=1024)] = 0.0

    @property
    def local_jobs(self) -> int | None:
        """Return the number of processes for tasks that always run on this machine."""
        return self.jobs if self.backend == "local" else None


class Tracking(Settings):
    """The names of MLflow's experiment and registered model, and when runs appear."""

    experiment: Annotated[str, Field(min_length=1, max_length=500)] = "foldlab"  # MLflow's limit
    model_name: Annotated[str, Field(min_length=1, pattern=r"^[^/:]+$")] = "foldlab"
    live_after: Annotated[float, Field(ge=0)] | None = 10.0  # s until a run appears; null: never
