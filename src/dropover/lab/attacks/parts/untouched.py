"""A model is lent to an attack and comes back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def model_untouched(model: nn.Module) -> Iterator[None]:
    """Inside: evaluation mode, and no gradients for parameters. Afterwards, also after an error: as before.

    What is put back: every submodule's training flag, every parameter's `requires_grad`, and the random state of the
    CPU and of every accelerator that holds a parameter. Since no parameter asks for a gradient, no `.grad` changes.
    """
    flags = [(module, module.training) for module in model.modules()]
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    accelerators = {p.device.index for p in model.parameters() if p.device.type not in ("cpu", "meta")}
    try:
        with torch.random.fork_rng(devices=accelerators):
            model.eval()
            for parameter in wanting:
                # Gradients of the weights would cost a third of the time and be thrown away.
                parameter.requires_grad_(False)
            yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_(True)
        for module, training in flags:
            module.training = training
