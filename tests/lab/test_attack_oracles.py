"""The attacks beside foolbox's and the Adversarial Robustness Toolbox's: on a small trained net, real digits."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.data.loading import load_data
from dropover.lab.examples import pixels
from dropover.lab.models.building import build_model
from dropover.lab.streams import generator
from dropover.lab.study import Study
from dropover.lab.training import train

with warnings.catch_warnings():
    # It imports a module that scipy has moved.
    warnings.simplefilter("ignore", DeprecationWarning)
    import foolbox

STUDY = Study.model_validate(
    {
        "data": {"train_limit": 1500, "test_limit": 140},
        "model": {"width": 0.25},
        "training": {"epochs": 4, "lr": 0.05, "batch_size": 32},
        "arms": [{"method": "none"}],
        "seeds": 1,
    }
)
EPS = {"linf": [0.05, 0.1], "l2": [0.6, 1.2]}


class Subject:
    """A trained net and a hundred images that it gets right."""

    def __init__(self) -> None:
        data = load_data(STUDY.data)
        self.model = build_model(STUDY, STUDY.arms[0], 0, data)
        train(self.model, data, STUDY.training, 0, "none")
        self.model.eval()
        images, labels = pixels(data.test_images), data.test_labels
        with torch.no_grad():
            right = (self.model(images).argmax(1) == labels).nonzero().squeeze(1)[:100]
        assert len(right) == 100
        self.images, self.labels = images[right], labels[right]

    def kept(self, adversarial: Tensor) -> int:
        with torch.no_grad():
            return int((self.model(adversarial).argmax(1) == self.labels).sum())

    def ours(self, name: str, eps: list[float], seed: int = 0, **settings: Any) -> list[Tensor]:
        draws = generator(seed, "attack")
        return ATTACKS.get(name).run(self.model, self.images, self.labels, eps, draws, **settings)

    def foolbox(self, attack: foolbox.Attack, eps: list[float]) -> list[Tensor]:
        wrapped = foolbox.PyTorchModel(self.model, bounds=(0, 1))
        found: list[Tensor] = attack(wrapped, self.images, self.labels, epsilons=eps)[1]
        return found

    def art(self) -> Any:
        from art.estimators.classification import PyTorchClassifier

        shape = tuple(self.images.shape[1:])
        return PyTorchClassifier(
            self.model, nn.CrossEntropyLoss(), shape, 10, clip_values=(0.0, 1.0), device_type="cpu"
        )


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject()


@pytest.fixture(autouse=True)
def numpy_repeats() -> None:
    np.random.seed(0)  # noqa: NPY002  ART draws from it


@pytest.mark.parametrize(
    ("norm", "theirs"),
    [("linf", foolbox.attacks.LinfFastGradientAttack()), ("l2", foolbox.attacks.L2FastGradientAttack())],
)
def test_fgsm_is_foolboxs(subject: Subject, norm: str, theirs: foolbox.Attack) -> None:
    for own, other in zip(subject.ours("fgsm", EPS[norm], norm=norm), subject.foolbox(theirs, EPS[norm]), strict=True):
        assert torch.allclose(own, other, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "norm", "theirs"),
    [
        ("bim", "linf", foolbox.attacks.LinfBasicIterativeAttack(rel_stepsize=0.1, steps=10)),
        ("bim", "l2", foolbox.attacks.L2BasicIterativeAttack(rel_stepsize=0.1, steps=10)),
        ("pgd", "linf", foolbox.attacks.LinfProjectedGradientDescentAttack(rel_stepsize=0.1, steps=10)),
        ("pgd", "l2", foolbox.attacks.L2ProjectedGradientDescentAttack(rel_stepsize=0.1, steps=10)),
    ],
)
def test_iterated_steps_are_no_weaker_than_foolboxs(
    subject: Subject, name: str, norm: str, theirs: foolbox.Attack
) -> None:
    # One ε at a time: a curve is stronger, for what has fallen at one ε has fallen at the next.
    for eps in EPS[norm]:
        (own,), (other,) = subject.ours(name, [eps], norm=norm), subject.foolbox(theirs, [eps])
        assert subject.kept(own) <= subject.kept(other) + 1
        assert subject.kept(own) < 100


def test_carlini_wagner_is_as_near_as_foolboxs(subject: Subject) -> None:
    theirs = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=3, steps=50, stepsize=0.05, initial_const=1.0)
    (own,) = subject.ours("cw", [30.0], searches=3, steps=50, lr=0.05, c=1.0)
    (other,) = subject.foolbox(theirs, [30.0])
    near, far = ((x - subject.images).flatten(1).norm(dim=1) for x in (own, other))
    # Where it finds nothing, foolbox returns a black image.
    fell, also = near > 0, other.flatten(1).amax(1) > 0
    assert int(fell.sum()) >= max(int(also.sum()) - 1, 80)
    assert float(near[fell & also].median()) <= 1.03 * float(far[fell & also].median())


@pytest.mark.filterwarnings("ignore")
class TestAgainstTheToolbox:
    """ART warns of numpy and of logging settings, none of them ours."""

    def test_fgsm(self, subject: Subject) -> None:
        from art.attacks.evasion import FastGradientMethod

        found = FastGradientMethod(subject.art(), eps=0.1).generate(subject.images.numpy(), subject.labels.numpy())
        (own,) = subject.ours("fgsm", [0.1])
        assert np.allclose(own.numpy(), found, atol=1e-6)

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    @pytest.mark.parametrize(("name", "loss"), [("apgd", "cross_entropy"), ("apgd-dlr", "difference_logits_ratio")])
    def test_apgd(self, subject: Subject, name: str, loss: str, norm: str) -> None:
        from art.attacks.evasion import AutoProjectedGradientDescent

        eps = EPS[norm][0]
        theirs = AutoProjectedGradientDescent(
            subject.art(), norm=np.inf if norm == "linf" else 2, eps=eps, eps_step=2 * eps, max_iter=20,
            nb_random_init=1, batch_size=100, loss_type=loss, verbose=False,
        )  # fmt: skip
        other = torch.from_numpy(theirs.generate(subject.images.numpy(), subject.labels.numpy()))
        (own,) = subject.ours(name, [eps], norm=norm, steps=20)
        assert subject.kept(own) <= subject.kept(other) + 1
        assert subject.kept(own) < 100

    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_square(self, subject: Subject, norm: str) -> None:
        from art.attacks.evasion import SquareAttack

        eps = EPS[norm][1]
        theirs = SquareAttack(
            subject.art(), norm=np.inf if norm == "linf" else 2, eps=eps, max_iter=150, batch_size=100, verbose=False
        )
        own, other = [], []
        for seed in range(3):  # one search is a matter of luck: a seed moves it by two images
            np.random.seed(seed)  # noqa: NPY002 - theirs reads numpy's own generator
            other.append(
                subject.kept(torch.from_numpy(theirs.generate(subject.images.numpy(), subject.labels.numpy())))
            )
            # Its stripes are a query of their own.
            (found,) = subject.ours("square", [eps], seed, norm=norm, queries=151)
            own.append(subject.kept(found))
        assert sum(own) / 3 <= sum(other) / 3 + 1
        assert max(own) < 100
