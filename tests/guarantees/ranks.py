"""One process of a distributed run: what it drew and which gradients it got, written to a file.

python ranks.py RANK WORLD FOLDER SEEDS, where SEEDS is "own" or "same".
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import dropover


def model() -> nn.Sequential:
    """A network with two layers of ours, one of them with parameters; the same on every rank."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), dropover.Dropout(0.5), dropover.GuidedDropout(40, 0.3), nn.Linear(40, 2))


def seed_step(rank: int, step: int, seeds: str) -> None:
    """What a training script does: one seed per rank, or one for all on purpose."""
    torch.manual_seed(1000 * step + (rank if seeds == "own" else 0))


def gradients(net: nn.Module, x: Tensor, layers: nn.Sequential) -> tuple[Tensor, list[Tensor]]:
    """Which units were dropped after the first layer, and every parameter's gradient."""
    seen = []
    handle = layers[1].register_forward_hook(lambda layer, inputs, output: seen.append(output == 0))
    net.zero_grad()
    net(x).square().sum().backward()
    handle.remove()
    return seen[0], [parameter.grad.clone() for parameter in layers.parameters() if parameter.grad is not None]


def main(rank: int, world: int, folder: Path, seeds: str) -> None:
    """Two steps, alone and together with the other ranks."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    alone, together = model(), model()
    wrapped = DistributedDataParallel(together)
    steps = []
    for step in (1, 2):
        x = torch.rand(16, 6, generator=torch.Generator().manual_seed(rank))
        seed_step(rank, step, seeds)
        own_mask, own = gradients(alone, x, alone)
        seed_step(rank, step, seeds)
        mask, averaged = gradients(wrapped, x, together)
        assert torch.equal(mask, own_mask)
        steps.append({"mask": mask, "own": own, "averaged": averaged})
    torch.save(steps, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
