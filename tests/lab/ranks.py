"""What processes do together in test_several.py, each writing down what it has seen."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.data.parts.loading import load_data
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.placed_layers import net_state, parameters_of
from dropover.lab.records.checkpoints import Checkpoints, Pace
from dropover.lab.study import Study
from dropover.lab.training.loop import Trained, train
from dropover.lab.training.rank import ALONE, OneOfSeveral, Rank

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SEED = 7
# 103 images in 21 batches, of five images and of four: shares of three and two.
STUDY = Study.model_validate(
    {
        "device": "cpu",
        "data": {"train_limit": 103, "test_limit": 37},
        "model": {"width": 0.1},
        "training": {"epochs": 2, "batch_size": 5, "augment": ["crop", "flip"]},
        "arms": [{"method": "none"}, {"method": "dropout", "p": 0.5}, {"method": "guided", "p": 0.3}],
    }
)
EVERY_STEP = Pace(0.0, share=1e9)
STOPPED_AT = 0.7


class StoppedError(Exception):
    """A training that is stopped."""


def stop(done: float, _accuracy: float | None) -> None:
    """Stop a training in its second epoch."""
    if done > STOPPED_AT:
        raise StoppedError


def trained(arm: int, rank: Rank = ALONE, **more: Any) -> tuple[dict[str, Tensor], Trained]:
    """The weights of a net after its training, and the record of it."""
    data = load_data(STUDY.data)
    model = build_model(STUDY, STUDY.arms[arm], SEED, data)
    record = train(model, data, STUDY.training, SEED, "an arm", rank=rank, **more)
    return net_state(model), record


def gradients(rank: Rank, step: int) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """What a layer with parameters of its own drops in one step, and the gradients of this share and of all shares."""
    data = load_data(STUDY.data)
    index = torch.arange(5)
    images, labels = rank.share(data.train_images[index]) / 255, rank.share(data.train_labels[index])
    found, masks = [], []
    for joins in (False, True):
        model = build_model(STUDY, STUDY.arms[2], SEED, data)
        host = next(module for module in model.modules() if isinstance(module, nn.Linear))
        masks.append(Tensor())
        called = rank.join(model) if joins else model
        last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
        last.register_forward_pre_hook(lambda _module, args: masks.__setitem__(-1, args[0].detach() == 0))
        rank.begin(step)
        loss = F.cross_entropy(called(images), labels)
        (rank.weighed(loss, len(labels), len(index)) if joins else loss).backward()
        found.append([weight.grad for weight in parameters_of(model) if weight.grad is not None])
        assert host.weight.grad is not None
    assert torch.equal(*masks)
    return masks[0], *found


def everything(folder: Path, fabric: "Fabric", tell: Callable[[Any], None]) -> None:
    """What each rank sees; then rank 1 fails, while rank 0 waits for it."""
    rank = OneOfSeveral(fabric, SEED)
    seen: dict[str, Any] = {"none": trained(0, rank)[0], "dropout": trained(1, rank)[0]}
    seen["losses"] = [vars(epoch) for epoch in trained(0, rank)[1].epochs]
    seen["steps"] = [gradients(rank, step) for step in (0, 1)]
    kept = Checkpoints(folder / "checkpoint" if rank.is_first else None, EVERY_STEP)
    try:
        trained(1, rank, report=stop, checkpoints=kept)
    except StoppedError:
        seen["resumed"], record = trained(1, rank, checkpoints=kept)
        seen["epochs"] = len(record.epochs)
    torch.save(seen, folder / f"{rank.number}.pt")
    tell(rank.number)
    fabric.barrier()
    if not rank.is_first:
        raise ValueError("planted")
    fabric.barrier()


def killed(fabric: "Fabric", _tell: Callable[[Any], None]) -> None:
    """Rank 1 is killed, while rank 0 waits for it."""
    if fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    fabric.barrier()
