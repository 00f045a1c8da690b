"""What is to be run: the shape of a study, as validated records."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from dropover.lab.study import names

Scale = Literal["smoke", "laptop", "paper"]
Precision = Literal["fp32", "bf16"]
Level = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LearningRate = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("has a value twice")
    return values


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OpenTable(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The other keys as the file gives them: keyword arguments of what the table names."""
        return dict(self.model_extra or {})


class DataSettings(_Table):
    """Which images, and how many of them."""

    name: str = "mnist-5k"
    folder: Path | None = None
    train_limit: PositiveInt | None = None
    test_limit: PositiveInt | None = None
    size: PositiveInt | None = None
    """Pixels a side that images are resized to; only for data sets whose images may differ in size."""
    validation: NonNegativeInt = 0
    """How many training images are held out of training."""
    score: Literal["test", "validation"] = "test"
    """Which images are scored: choices are made on the validation images, and test is read once."""


class ModelSettings(_OpenTable):
    """Which network. Keys other than `name` are settings of the network's factory."""

    name: str = "small-cnn"


class TrainingSettings(_Table):
    """How every arm is trained. What a paper leaves open is written in its study file."""

    epochs: PositiveInt = 6
    batch_size: PositiveInt = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: LearningRate = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 5e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    augment: Annotated[list[Literal["crop", "flip"]], AfterValidator(_distinct)] = []

    def batches(self, images: int) -> int:
        """How many batches so many images make, of even sizes: none is a left-over of a single image."""
        return math.ceil(images / self.batch_size)


class AttackSettings(_OpenTable):
    """One attack and the sizes of perturbation it is run at. The other keys are settings of the attack."""

    name: str
    label: Annotated[str, AfterValidator(names.label)] = ""
    """Its name in tables and files, no two attacks' the same. Made of the name, norm and target where none is given."""
    eps: Annotated[list[Level], Field(min_length=1), AfterValidator(_distinct)]

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get("label") or not isinstance(raw.get("name"), str):
            return raw
        parts = [raw["name"], *(["l2"] if raw.get("norm") == "l2" else []), *(["targeted"] if "target" in raw else [])]
        return {**raw, "label": " ".join(parts)}


class EvaluationSettings(_Table):
    """What is measured on the test images after training, beside clean accuracy."""

    batch_size: PositiveInt = 250
    attack_images: PositiveInt | None = None
    noise: dict[str, Annotated[list[Level], Field(min_length=1), AfterValidator(_distinct)]] = {}
    clip_noise: bool = True
    """Whether noisy pixels are clipped back to [0, 1]."""
    attacks: list[AttackSettings] = []
    audit: bool = True
    """Whether what is attacked goes through a quick audit as well, once for each norm."""
    inference_rates: Annotated[list[Level], AfterValidator(_distinct)] = []
    """Rates that the arms' layers are given at inference, beside their own, for a grid of train rate × test rate."""


class FunctionSettings(_OpenTable):
    """The user's own training function. The other keys are settings that it reads from `Trial.settings`."""

    function: str
    """ "module:function"; or, of a function that lives in a notebook or a script, what it is called there."""
    version: str = ""
    """What the user calls this state of the code, in place of its source: results are kept as long as it stays."""


class MeasureSettings(_Table):
    """How a measure of the user's function is read. What isn't said follows from its name."""

    higher_is_better: bool | None = None
    scale: Literal["share", "loss", "plain"] | None = None
    """Shares are in [0, 1] and judged by their logits, losses by their logarithms."""
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The difference within which two arms are level, in the measure's own units."""


class Arm(_OpenTable):
    """One regularizer at its positions. Keys other than these are settings of the method, such as `p`."""

    method: str
    name: Annotated[str, AfterValidator(lambda name: names.label(name) if name else name)] = ""
    at: list[str] | None = None

    @property
    def label(self) -> str:
        """The arm's name in tables and files: its own, or the method's name and settings."""
        return self.name or " ".join([self.method, *(f"{key}={value}" for key, value in self.settings.items())])

    @model_validator(mode="after")
    def _can_be_told_by_its_settings(self) -> "Arm":
        try:
            names.label(self.label)
        except ValueError as error:
            raise ValueError(f"needs a name of its own, as the one made of its settings {error}") from None
        return self


class Study(_Table):
    """A set of arms × seeds on one data set and network. The arms of a seed share all but their regularizers."""

    name: Annotated[str, AfterValidator(names.folder_name)] = "study"
    description: str = ""
    scale: Scale = "laptop"
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_distinct)] = [0, 1, 2]
    reference: str = "none"
    margin: Annotated[float, Field(gt=0, le=100)] = 0.5
    """Points of accuracy within which two arms are level."""
    device: Annotated[str, AfterValidator(names.device)] = "auto"
    """Where it is computed: "auto", "cpu", "cuda", "cuda:1" or "mps"."""
    devices_per_trial: PositiveInt = 1
    """How many devices one trial is trained on, each of which has its part of every batch."""
    precision: Precision = "fp32"
    trial: FunctionSettings | None = None
    """The user's own training function, in place of `data`, `model` and `training`."""
    measures: dict[str, MeasureSettings] = {}
    """How the figures are read that the user's function returns, by their names."""
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    arms: Annotated[list[Arm], Field(min_length=1)]
    circumstances: dict[str, Any] = {}
    """Where and when a written study was run. Nothing reads it, so that a written study runs again as it is."""

    def arm(self, label: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.label == label)

    @model_validator(mode="before")
    @classmethod
    def _count_of_seeds(cls, raw: Any) -> Any:
        """Read `seeds = 3` as `seeds = [0, 1, 2]`."""
        if isinstance(raw, dict) and isinstance(raw.get("seeds"), int) and not isinstance(raw["seeds"], bool):
            if raw["seeds"] < 1:
                raise ValueError(f"seeds must be at least 1, got {raw['seeds']}")
            return {**raw, "seeds": list(range(raw["seeds"]))}
        return raw

    @model_validator(mode="after")
    def _arms_are_distinct(self) -> "Study":
        labels = [arm.label for arm in self.arms]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two arms are called {label!r}: give one of them another name")
        if self.reference not in labels:
            arms = ", ".join(labels)
            raise ValueError(f"reference must be the name of an arm, got {self.reference!r}: arms are {arms}")
        return self
