"""An undefended twin: a small net that learns, from the model's answers alone, what the model says of these images.

Source: Papernot et al. 2017, "Practical black-box attacks against machine learning". Its gradients are open, and its
adversarial examples transfer to the model unless something else than a masked gradient protects that.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.auditing.subject import Subject, stream
from dropover.lab.streams import seeded

_SIDE, _BATCH, _RATE = 32, 50, 3e-3


class _Twin(nn.Module):
    """Two strided convolutions and two linear layers, on images of 32 pixels a side at the most."""

    def __init__(self, channels: int, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(98 * width, 4 * width),
            nn.ReLU(),
            nn.Linear(4 * width, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, H, W)."""
        height, width = (min(length, _SIDE) for length in x.shape[2:])
        logits: Tensor = self.layers(F.adaptive_avg_pool2d(x, (height, width)) - 0.5)
        return logits


def distilled(subject: Subject, name: str, width: int = 16, epochs: int = 20, rounds: int = 1) -> nn.Module:
    """A twin of the subject's model, trained on the audited images and noise around them.

    Args:
        subject: Whose model is asked.
        name: Of the random stream that it is drawn from.
        width: Its first layer's maps.
        epochs: Passes over the points asked about, in each round.
        rounds: In each after the first, the model is asked about points to which the twin's own gradient leads too.
    """
    images, device = subject.images, subject.images.device
    classes = subject.classes
    points, answers = images, subject.clean.argmax(1)
    with seeded(subject.seed, stream(name), device), torch.enable_grad():
        twin = _Twin(images.shape[1], width, classes).to(device)
        adam = torch.optim.Adam(twin.parameters(), _RATE)
        for number in range(rounds):
            if number:
                there = replace(subject.with_model(twin), random=True, draws=1)
                which = torch.arange(len(images), device=device)
                found = there.attacked(which, f"{name} round {number}", "pgd", steps=3, step=0.5)
                points = torch.cat([points, found])
                answers = torch.cat([answers, subject.logits(found, f"{name} asked {number}").argmax(1)])
            for _ in range(epochs):
                for part in torch.split(torch.randperm(len(points)).to(device), _BATCH):
                    reach = subject.eps * torch.rand(()).item()
                    x = points[part] + reach * subject.norm.uniform(points[part], torch.default_generator)
                    adam.zero_grad()
                    torch.autograd.backward(F.cross_entropy(twin(x.clamp(0, 1)), answers[part]))
                    adam.step()
    return twin.eval().requires_grad_(False)


def transferred(subject: Subject, other: nn.Module, which: Tensor, label: str, steps: int = 10) -> Tensor:
    """Examples made from the images `which` (n,) against another model, to its greatest loss: images (n, C, H, W)."""
    # As if its inference were random: an answer of another model ends no attack.
    there = replace(subject.with_model(other), random=True, draws=1)
    return there.attacked(which, label, "pgd", steps=steps, step=0.25)
