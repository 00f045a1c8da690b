"""Small trained nets and the images that they get right, and other libraries' attacks on them.

Where an attack begins at a random point of the ball, the other one begins there as well: what is left to tell the two
apart is how strong they are. The nets are small, so that hundreds of images each take a second.
"""

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.norms import NORMS, Norm
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data
from dropover.lab.examples import pixels
from dropover.lab.models.parts.normalize import Normalize
from dropover.lab.streams import WEIGHTS, generator, seeded
from dropover.lab.study import Study
from dropover.lab.training.loop import train

with warnings.catch_warnings():
    # It imports a module that scipy has moved.
    warnings.simplefilter("ignore", DeprecationWarning)
    import foolbox

STUDY = Study.model_validate(
    {
        "model": {},
        "training": {"epochs": 4, "lr": 0.05, "batch_size": 32},
        "arms": [{"method": "none"}],
        "seeds": 1,
    }
)
SIZE = 28


def convolutions() -> nn.Module:
    layers = nn.Conv2d(1, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, 16, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10)
    return nn.Sequential(Normalize(), *layers)


def perceptron() -> nn.Module:
    return nn.Sequential(Normalize(), nn.Flatten(), nn.Linear(SIZE**2, 64), nn.ReLU(), nn.Linear(64, 10))


NETS: list[Callable[[], nn.Module]] = [convolutions, perceptron, convolutions, perceptron]


@dataclass(frozen=True)
class Subject:
    """A trained net, and images that it gets right; its number is the seed of all that is random."""

    number: int
    model: nn.Module
    images: Tensor
    labels: Tensor

    def first(self, count: int) -> "Subject":
        """The same net with fewer images."""
        assert count <= len(self.images)
        return Subject(self.number, self.model, self.images[:count], self.labels[:count])

    def double(self) -> "Subject":
        """The same in float64."""
        return Subject(self.number, copy.deepcopy(self.model).double(), self.images.double(), self.labels)

    def falls(self, adversarial: Tensor) -> list[bool]:
        """Which images the net gets wrong."""
        with torch.no_grad():
            wrong: list[bool] = (self.model(adversarial).argmax(1) != self.labels).tolist()
        return wrong

    def near(self, adversarial: Tensor, eps: float) -> Tensor:
        """The adversarial images, the clean ones where they are further than ε away in L2."""
        far = (adversarial - self.images).flatten(1).norm(dim=1) > eps * (1 + 1e-5)
        return torch.where(far[:, None, None, None], self.images, adversarial)


def trained(number: int, data: Data) -> Subject:
    with seeded(number, WEIGHTS):
        model = NETS[number]()
    train(model, data, STUDY.training, number, "none")
    model.eval()
    images, labels = pixels(data.test_images), data.test_labels
    with torch.no_grad():
        right = model(images).argmax(1) == labels
    return Subject(number, model, images[right], labels[right])


def subjects() -> list[Subject]:
    data = load_data(STUDY.data)
    return [trained(number, data) for number in range(len(NETS))]


def ours(subject: Subject, name: str, eps: float, unit: int | None = None, **settings: Any) -> Tensor:
    """What our attack finds. With `unit`, so many images are attacked at once and have random numbers of their own."""
    size, found = unit or len(subject.images), []
    for index, (images, labels) in enumerate(zip(subject.images.split(size), subject.labels.split(size), strict=True)):
        draws = generator(subject.number, f"attack {name} {index}")
        found += ATTACKS.get(name).run(subject.model, images, labels, [eps], draws, **settings)
    return torch.cat(found)


def foolboxs(subject: Subject, attack: foolbox.Attack, eps: float) -> Tensor:
    wrapped = foolbox.PyTorchModel(subject.model, bounds=(0, 1))
    found: list[Tensor] = attack(wrapped, subject.images, subject.labels, epsilons=[eps])[0]
    return found[0]


def toolboxs(subject: Subject, make: Callable[[Any], Any], unit: int | None = None) -> Tensor:
    """What the Adversarial Robustness Toolbox finds; `make` makes the attack from the toolbox's view of the net.

    With `unit`, so many images are attacked at once and have random numbers of their own.
    """
    from art.estimators.classification import PyTorchClassifier

    shape = tuple(subject.images.shape[1:])
    view = PyTorchClassifier(subject.model, nn.CrossEntropyLoss(), shape, 10, clip_values=(0.0, 1.0), device_type="cpu")
    attack = make(view)
    size, found = unit or len(subject.images), []
    for index, (images, labels) in enumerate(zip(subject.images.split(size), subject.labels.split(size), strict=True)):
        # It reads the generators of numpy and of Python.
        np.random.seed(1000 * subject.number + index)  # noqa: NPY002
        random.seed(1000 * subject.number + index)
        found.append(torch.from_numpy(attack.generate(images.numpy(), labels.numpy())))
    return torch.cat(found)


@contextmanager
def same_starts() -> Iterator[None]:
    """Inside, our attacks, foolbox's and the toolbox's begin at the same points of the ball.

    Should ours come to draw them elsewhere, the comparison holds, but needs more images to tell as much.
    """
    drawn = {kind: kind.uniform for kind in NORMS.values()}

    def unit(norm: type[Norm], like: Tensor) -> Tensor:
        return drawn[norm](norm(torch.ones(1, 1, 1)), like, torch.Generator().manual_seed(0))

    def ours(self: Norm, like: Tensor, _: torch.Generator) -> Tensor:
        return unit(type(self), like)

    def foolboxs(norm: type[Norm]) -> Callable[[Any, Any, float], Any]:
        return lambda _, x0, eps: x0 + eps * type(x0)(unit(norm, x0.raw))

    def toolboxs(count: int, _: int, eps: float, norm: float) -> np.ndarray:
        like = torch.empty(count, 1, SIZE, SIZE)
        return (eps * unit(NORMS["linf" if norm == np.inf else "l2"], like)).flatten(1).numpy()

    base = "foolbox.attacks.gradient_descent_base."
    with ExitStack() as patches:
        for norm in NORMS.values():
            patches.enter_context(mock.patch.object(norm, "uniform", ours))
            patches.enter_context(
                mock.patch(f"{base}{norm.name.capitalize()}BaseGradientDescent.get_random_start", foolboxs(norm))
            )
        patches.enter_context(mock.patch("art.attacks.evasion.auto_projected_gradient_descent.random_sphere", toolboxs))
        yield
