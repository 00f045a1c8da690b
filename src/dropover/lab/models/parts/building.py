"""From a study's words to a network: built, its weights drawn, an arm's layers placed."""

import torch
from torch import Tensor, nn

from dropover.insertion import Plan
from dropover.lab.data import Data
from dropover.lab.examples import pixels
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.models.parts.placing import place
from dropover.lab.models.parts.positions import DEFAULT_POSITION, PositionError, choices
from dropover.lab.streams import WEIGHTS, seeded
from dropover.lab.study import Arm, Study
from dropover.methods import METHODS

NONE = "none"
"""The method of an arm that places nothing."""


def positions_of(arm: Arm) -> list[str]:
    """Where an arm's layers go: where it says, else at the position that its method is meant for."""
    return arm.at if arm.at is not None else [DEFAULT_POSITION[METHODS.get(arm.method).kind]]


def build_network(study: Study, seed: int, data: Data) -> nn.Module:
    """The study's network without any arm's layers, its weights drawn from the seed's stream "weights".

    Raises `TypeError` for a setting of the wrong type, `ValueError` if there is no such network, and for a setting out
    of range or one that doesn't fit the images.
    """
    _, channels, size, _ = data.train_images.shape
    network = network_named(study.model.name)
    with seeded(seed, WEIGHTS):
        model = network.build(channels, size, len(data.classes), **study.model.settings)
    return model.to(memory_format=torch.channels_last)


def build_model(study: Study, arm: Arm, seed: int, data: Data) -> nn.Module:
    """`build_network` with the arm's layers placed, as `place_arm` does it; raises as both.

    Placing draws no number of any stream, so that the arms of a seed share their weights.
    """
    model = build_network(study, seed, data)
    if arm.method != NONE:
        place_arm(model, study, arm, shown_images(data))
    return model


def place_arm(model: nn.Module, study: Study, arm: Arm, images: Tensor) -> Plan:
    """Place the arm's layers in a model that `build_network` made; returns and raises as `place` does."""
    named = network_named(study.model.name).positions
    at, method = positions_of(arm), METHODS.get(arm.method)
    if arm.at is None and at[0] not in named:
        raise PositionError(
            f"network {study.model.name} has no position {at[0]!r}, where {arm.method} goes by default: name others in "
            f"`at`: {choices(named, model)}"
        )
    return place(model, named, at, method, arm.settings, images)


def shown_images(data: Data) -> Tensor:
    """Two images, as every network is shown once before it is trained; pixels in [0, 1], on the CPU as the network."""
    return pixels(data.train_images[:2].to("cpu"))
