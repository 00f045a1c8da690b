"""The nets that the panel's entries are made of, each trained from nothing in a minute or so."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover import DensityDropout, Dropout, Flipover
from dropover.insertion import insert
from dropover.lab.data import Data, mnist_5k
from dropover.lab.models.small_cnn import small_cnn

WIDTH, BATCH = 0.25, 50
FOLDER = Path(os.environ.get("PANEL", Path(__file__).parents[2] / "results" / "panel"))
"""Where trained nets are kept, one file each; a second call trains nothing, and another recipe needs another folder."""


class WinnersTakeAll(nn.Module):
    """Keeps a sample's largest activations, a share `kept` of them, and zeroes the rest (Xiao et al. 2020)."""

    def __init__(self, kept: float) -> None:
        super().__init__()
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, mostly zeros."""
        flat = x.flatten(1)
        least = flat.topk(max(round(self.kept * flat.shape[1]), 1), dim=1).values[:, -1:]
        return (flat * (flat >= least)).view_as(x)


Perturb = Callable[[nn.Module, Tensor, Tensor, float], Tensor]
"""Training images as they are trained on, from net, images, labels and the share of the training that is over."""


def clean(net: nn.Module, x: Tensor, y: Tensor, over: float) -> Tensor:
    """As they are."""
    return x


def fgsm(eps: float) -> Perturb:
    """One step of length ε from the clean image: on such images alone a net learns to hide from that very step."""

    def perturb(net: nn.Module, x: Tensor, y: Tensor, over: float) -> Tensor:
        return (x + eps * _slope(net, x, y).sign()).clamp(0, 1)

    return perturb


def pgd(eps: float, steps: int = 5) -> Perturb:
    """Steps of 2.5 ε / `steps` from a random start (Madry et al. 2018), in a ball that grows in the first third."""

    def perturb(net: nn.Module, x: Tensor, y: Tensor, over: float) -> Tensor:
        reach = eps * min(1.0, 3 * over)
        moved = (x + reach * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
        for _ in range(steps):
            ahead = moved + 2.5 * reach / steps * _slope(net, moved, y).sign()
            moved = (x + (ahead - x).clamp(-reach, reach)).clamp(0, 1)
        return moved

    return perturb


def _slope(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(x), y), x)[0]


def plain_cnn() -> nn.Module:
    """The lab's small CNN at a quarter of its width."""
    return small_cnn(1, 28, 10, width=WIDTH)


def with_layers(layer: Callable[[], nn.Module], *places: str) -> Callable[[], nn.Module]:
    """The small CNN with a layer at some of its places."""

    def build() -> nn.Module:
        net = plain_cnn()
        insert(net, {place: layer() for place in places})
        return net

    return build


def winners_cnn() -> nn.Module:
    """The small CNN with k-winners-take-all in place of every ReLU."""
    net = plain_cnn()
    for name, module in list(net.named_children()):
        if isinstance(module, nn.ReLU):
            setattr(net, name, WinnersTakeAll(0.15))
    return net


@dataclass(frozen=True)
class Base:
    """A net to train: how it is built, on what images, for how many epochs, and how fast."""

    build: Callable[[], nn.Module]
    images: Perturb = clean
    epochs: int = 10
    rate: float = 2e-3


BASES = {
    "plain": Base(plain_cnn),
    "winners": Base(winners_cnn, epochs=20),
    "dropout": Base(with_layers(lambda: Dropout(0.3), "last-conv", "fc", "features")),
    "fdd1d": Base(with_layers(lambda: DensityDropout(1, rescale="none"), "fc"), epochs=15),
    "flipover": Base(with_layers(lambda: Flipover(0.3), "fc"), epochs=15),
    "fgsm": Base(plain_cnn, fgsm(0.3), 20, 5e-3),
    "pgd-weak": Base(plain_cnn, pgd(0.1), 16),
    "pgd": Base(plain_cnn, pgd(0.2), 20),
    "pgd-dropout": Base(with_layers(lambda: Dropout(0.2), "fc", "features"), pgd(0.2), 20),
}


@cache
def data() -> Data:
    """mnist-5k."""
    return mnist_5k.load()


def train(base: Base, seed: int) -> nn.Module:
    """A net of this kind, trained with Adam at a rate that rises and falls; the same from the same seed."""
    images, labels = data().train_images / 255, data().train_labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = base.build()
        adam = torch.optim.Adam(net.parameters(), base.rate)
        total = base.epochs * (len(images) // BATCH + 1)
        course = torch.optim.lr_scheduler.OneCycleLR(adam, base.rate, total)
        for epoch in range(base.epochs):
            for piece in torch.randperm(len(images)).split(BATCH):
                x, y = images[piece], labels[piece]
                x = base.images(net, x, y, epoch / base.epochs)
                adam.zero_grad()
                F.cross_entropy(net(x), y).backward()
                adam.step()
                course.step()
    return net.eval()


def trained(name: str, seed: int) -> nn.Module:
    """The net of that name and seed, from its file or else trained now, in evaluation mode."""
    file = FOLDER / f"{name}-{seed}.pt"
    if not file.exists():
        net = train(BASES[name], seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), file.with_suffix(f".{os.getpid()}"))
        file.with_suffix(f".{os.getpid()}").rename(file)
    net = BASES[name].build()
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.eval().requires_grad_(False)
