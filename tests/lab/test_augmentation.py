"""Crops and flips of a batch, against torchvision's of one image, and by their statistics."""

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn
from torchvision.transforms import functional as TF

from dropover.lab.data import Data
from dropover.lab.streams import AUGMENTATION, generator
from dropover.lab.study import TrainingSettings
from dropover.lab.training.augmentation import PADDING, augmented, cropped, flipped
from dropover.lab.training.loop import train

# A test of chance fails a sound program once in ten thousand seeds; the seed is fixed.
FALSE_ALARM = 1e-4


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (3, 32, 32), (2, 5, 9)])
def test_crop_is_torchvision_s(dtype: torch.dtype, channels: int, height: int, width: int) -> None:
    offsets = torch.cartesian_prod(torch.arange(9), torch.arange(9)).T
    images = torch.randint(0, 256, (81, channels, height, width)).to(dtype)
    done = cropped(images, offsets)
    assert done.dtype == dtype
    for image, result, (top, left) in zip(images, done, offsets.T.tolist(), strict=True):
        assert torch.equal(result, TF.crop(TF.pad(image, [PADDING] * 4), top, left, height, width))


def test_flip_is_torchvision_s() -> None:
    images, which = torch.randint(0, 256, (5, 3, 4, 7), dtype=torch.uint8), torch.tensor([1, 0, 0, 1, 1]).bool()
    for image, result, flip in zip(images, flipped(images, which), which, strict=True):
        assert torch.equal(result, TF.hflip(image) if flip else image)


def test_every_offset_and_flip_has_the_same_chance_whatever_the_other() -> None:
    # A single white pixel in an asymmetric place tells both where its window was and whether it was mirrored.
    images = torch.zeros(81 * 2 * 100, 1, 16, 16, dtype=torch.uint8)
    images[:, :, 7, 5] = 255
    done = augmented(images, ["flip", "crop"], generator(0, AUGMENTATION))
    places = done.flatten(1).argmax(1)
    counts = places.bincount(minlength=256)
    assert (done.flatten(1).count_nonzero(1) == 1).all()
    # Columns 1 to 9, or mirrored 6 to 14: they meet in 6 to 9, where the chance is twice as large.
    rows, columns = torch.arange(256) // 16, torch.arange(256) % 16
    chance = ((rows >= 3) & (rows <= 11)) * (
        ((columns >= 1) & (columns <= 9)).long() + ((columns >= 6) & (columns <= 14))
    )
    assert (counts[chance == 0] == 0).all()
    wanted = chance[chance > 0] * len(images) / 162
    assert chisquare(counts[chance > 0].numpy(), wanted.numpy()).pvalue > FALSE_ALARM


def test_nothing_asked_for_draws_nothing_and_changes_nothing() -> None:
    draws = generator(0, AUGMENTATION)
    images = torch.rand(2, 1, 4, 4)
    assert augmented(images, [], draws) is images
    assert torch.equal(draws.get_state(), generator(0, AUGMENTATION).get_state())


class Wasteful(nn.Module):
    """Stands for an arm's layer: draws random numbers in training."""

    def __init__(self, drawn: int) -> None:
        super().__init__()
        self.drawn = drawn

    def forward(self, x: Tensor) -> Tensor:
        torch.rand(self.drawn)
        return x


def seen(augment: list[str], seed: int = 3, drawn: int = 0) -> list[Tensor]:
    """The batches that a network is trained on."""
    images = torch.randint(1, 256, (20, 1, 8, 8), generator=generator(0, "images"), dtype=torch.uint8)
    labels = torch.arange(20) % 2
    model = nn.Sequential(nn.Flatten(), Wasteful(drawn), nn.Linear(64, 2))
    batches: list[Tensor] = []

    def keep(module: nn.Module, args: tuple[Tensor]) -> None:
        if module.training:
            batches.append(args[0].clone())

    model.register_forward_pre_hook(keep)
    settings = TrainingSettings.model_validate({"epochs": 2, "batch_size": 7, "augment": augment})
    train(model, Data(images, labels, images[:2], labels[:2], ("a", "b")), settings, seed, "arm")
    return batches


def test_arms_share_the_augmentation_and_epochs_do_not() -> None:
    first, other = seen(["crop", "flip"]), seen(["crop", "flip"], drawn=99)
    assert all(torch.equal(*pair) for pair in zip(first, other, strict=True))
    assert not any(torch.equal(*pair) for pair in zip(first, seen(["crop", "flip"], seed=4), strict=True))
    sums = [sorted(torch.cat(part).sum((1, 2, 3)).tolist()) for part in (first[:3], first[3:])]
    assert sums[0] != sums[1]


def test_the_order_of_the_batches_is_the_same_with_and_without() -> None:
    plain, turned = seen([]), seen(["flip"])
    assert not all(torch.equal(*pair) for pair in zip(plain, turned, strict=True))
    for batch, changed in zip(plain, turned, strict=True):
        same = (batch == changed).flatten(1).all(1)
        mirrored = (batch.flip(3) == changed).flatten(1).all(1)
        assert (same ^ mirrored).all()
