"""Noise: its statistics, its range, its stream."""

import math

import pytest
import torch

from dropover.lab.noise import NOISES
from dropover.lab.streams import generator

IMAGES = torch.full((40, 3, 20, 20), 0.5)


@pytest.mark.parametrize("name", NOISES.names())
def test_every_noise_stays_in_range_repeats_and_leaves_level_zero_alone(name: str) -> None:
    noise, images = NOISES.get(name), torch.rand(6, 3, 9, 9, generator=generator(0, "images"))
    kept = images.clone()
    noisy = noise.apply(images, 0.7, generator(0, name))
    assert noisy.shape == images.shape
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert torch.equal(images, kept)
    assert torch.equal(noisy, noise.apply(images, 0.7, generator(0, name)))
    assert not torch.equal(noisy, noise.apply(images, 0.7, generator(1, name)))
    if name != "poisson":
        assert torch.equal(noise.apply(images, 0.0, generator(0, name)), images)
    with pytest.raises(ValueError, match="level must be"):
        noise.apply(images, -0.1, generator(0, name))


def test_gaussian_has_its_standard_deviation() -> None:
    noise = NOISES.get("gaussian").apply(IMAGES, 0.1, generator(0, "n")) - IMAGES
    count = noise.numel()
    assert abs(float(noise.mean())) < 4 * 0.1 / math.sqrt(count)
    assert float(noise.std()) == pytest.approx(0.1, rel=4 / math.sqrt(2 * count))


def test_clipping_is_a_choice() -> None:
    images = torch.rand(6, 3, 9, 9, generator=generator(0, "images"))
    clipped, raw = (NOISES.get("gaussian").apply(images, 1.0, generator(0, "n"), clip=clip) for clip in (True, False))
    assert raw.min() < 0
    assert raw.max() > 1
    assert torch.equal(raw.clamp(0, 1), clipped)


def test_poisson_has_the_mean_and_the_spread_of_counts() -> None:
    noisy = NOISES.get("poisson").apply(IMAGES, 50, generator(0, "n"), clip=False)
    count = noisy.numel()
    assert float(noisy.mean()) == pytest.approx(0.5, abs=4 * math.sqrt(0.5 / 50 / count))
    assert float(noisy.var()) == pytest.approx(0.5 / 50, rel=0.05)
    assert torch.allclose(noisy * 50, (noisy * 50).round(), atol=1e-4)
    with pytest.raises(ValueError, match="level must be above 0, got 0"):
        NOISES.get("poisson").apply(IMAGES, 0, generator(0, "n"))


def test_salt_and_pepper_hits_whole_pixels_half_black_half_white() -> None:
    noisy = NOISES.get("salt-and-pepper").apply(IMAGES, 0.4, generator(0, "n"))
    pixels = IMAGES.shape[0] * IMAGES.shape[2] * IMAGES.shape[3]
    for value in (0.0, 1.0):
        hit = noisy == value
        assert torch.equal(hit.all(dim=1), hit.any(dim=1))
        assert float(hit.float().mean()) == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / pixels))
    assert bool((NOISES.get("salt-and-pepper").apply(IMAGES, 1.0, generator(0, "n")) != 0.5).all())


def test_salt_and_pepper_is_a_fraction() -> None:
    with pytest.raises(ValueError, match=r"level must be in \[0, 1\], got 1.1"):
        NOISES.get("salt-and-pepper").apply(IMAGES, 1.1, generator(0, "n"))
