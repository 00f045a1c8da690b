"""The floor of `benchmarks/training.py`: images per second if a net consisted of nothing but its products.

Those are the convolutions and the linear layers, forward, and backward for their weights and their inputs (the first
one's inputs need no gradient), one layer after another at the layout that is fastest on a CPU. Activations, pools,
loss, optimizer, batches and evaluation are left out. As many processes of one thread run at once as the lab would have.
"""

import functools
import multiprocessing
import statistics
import time
from collections.abc import Callable

import torch
from timing import keep_freed_memory
from torch import Tensor, nn

from dropover.lab.models import NETWORKS

BATCH = 64
STEPS = 60


def floor(width: float, processes: int) -> float:
    """Images per second of all processes together, for `small-cnn` of that width on images of MNIST's shape."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return sum(pool.map(functools.partial(_images_per_second, width), range(processes), chunksize=1))


def _images_per_second(width: float, _process: int) -> float:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    step = _products(NETWORKS.get("small-cnn").build(1, 28, 10, width=width), torch.rand(BATCH, 1, 28, 28))
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return BATCH / statistics.median(times)


def _products(model: nn.Module, images: Tensor) -> Callable[[], None]:
    """A function that does each convolution and linear layer of the model once, forward and backward."""
    layers: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kept = inputs[0].detach().clone().requires_grad_(bool(layers))
        layers.append((layer, kept, torch.randn_like(output)))

    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(note)
    model(images.contiguous(memory_format=torch.channels_last))

    def step() -> None:
        for layer, kept, gradient in layers:
            wanted = [*layer.parameters(), *([kept] if kept.requires_grad else [])]
            torch.autograd.grad(layer.forward(kept), wanted, gradient)

    return step
