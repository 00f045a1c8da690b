"""What one of the processes that train a net together has of it; of a training in one process, all."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor, nn

from dropover.insertion.hooks import inserted_in
from dropover.lab.streams import rank_stream, turn

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")


class Rank:
    """The only process of a training."""

    def join(self, model: nn.Module) -> nn.Module:
        """The model as it is called in training."""
        return model

    def share(self, batch: Tensor) -> Tensor:
        """What this process has of a batch, along its dimension 0."""
        return batch

    def begin(self, step: int) -> None:
        """Come to a step, counted from 0 over all epochs."""

    def weighed(self, loss: Tensor, _images: int, _batch: int) -> Tensor:
        """The mean loss of this share of a batch, by what it counts where the shares' losses are averaged."""
        return loss

    def mean(self, loss: Tensor) -> Tensor:
        """The average of all shares' losses."""
        return loss

    def of_first(self, make: Callable[[], T]) -> T:
        """What is made once, by the first process, for all."""
        return make()


ALONE = Rank()


class OneOfSeveral(Rank):
    """One process of several, each with a device: its share of every batch, and masks of its own.

    All have the same weights at any time, since each learns from the average of all gradients. Which numbers a layer
    draws is decided by the rank and the step, so that a training can go on from what the first process has kept.

    Args:
        fabric: Launched, on the devices of one trial.
        seed: The trial's.
    """

    def __init__(self, fabric: "Fabric", seed: int) -> None:
        self._fabric, self._seed = fabric, seed
        self.number: int = fabric.global_rank
        self.is_first = self.number == 0

    def join(self, model: nn.Module) -> nn.Module:
        """The model, and the layers inserted in it, whose gradients are averaged with the other processes'."""
        return self._fabric.strategy.setup_module(_Whole(model))

    def share(self, batch: Tensor) -> Tensor:
        """The part with this process's number, of as many even parts as there are processes."""
        return batch.tensor_split(self._fabric.world_size)[self.number]

    def begin(self, step: int) -> None:
        """Have layers draw from the stream of this rank and step."""
        turn(self._seed, rank_stream(self.number, step), self._fabric.device)

    def weighed(self, loss: Tensor, images: int, batch: int) -> Tensor:
        """As many times the loss as the share is larger than an even one."""
        return loss * (self._fabric.world_size * images / batch)

    def mean(self, loss: Tensor) -> Tensor:
        """The average of all shares' losses, the same in each process."""
        return self._fabric.all_reduce(loss.detach().clone(), reduce_op="mean")  # type: ignore[return-value]

    def of_first(self, make: Callable[[], T]) -> T:
        """What the process of rank 0 makes, in each of them; the others wait for it."""
        return self._fabric.broadcast(make() if self.is_first else None)  # type: ignore[return-value]


class _Whole(nn.Module):
    """A model with its inserted layers, which are in no `parameters()` of its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.inserted = nn.ModuleList(hook.layer for hook in inserted_in(model))

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.model(images)
        return logits
