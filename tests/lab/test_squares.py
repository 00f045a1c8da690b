"""What the Square attack proposes: sides and places as in the authors' code, and in L∞ never what changes nothing."""

import pytest
import torch
from torch import Tensor

from dropover.lab.attacks.square import PROPOSALS, Proposals, area
from dropover.lab.streams import generator

EPS = 0.2
AREAS = [0.8 / 2**halvings for halvings in range(10)]
# round(√(area · 28²)), and for bumps the next odd number, at least 3 (max-andr/square-attack, attack.py).
SIDES = {"linf": [25, 18, 13, 9, 6, 4, 3, 2, 2, 1], "l2": [25, 19, 13, 9, 7, 5, 3, 3, 3, 3]}


def proposals(norm: str, images: Tensor) -> Proposals:
    return PROPOSALS[norm](images, EPS, torch.ones(1, 1, 1), generator(0, "squares"))


def touched(norm: str, size: tuple[int, int], share: float, draws: int) -> Tensor:
    """Which pixels of a grey, unmoved image each draw changes, of shape (draws, *size)."""
    images = torch.full((1, 1, *size), 0.5)
    kind, still = proposals(norm, images), torch.zeros_like(images)
    return torch.stack([kind.next(still, share)[0, 0] != 0 for _ in range(draws)])


def test_squares_shrink_as_the_paper_says() -> None:
    found = [area(query, 10_000, 0.8) for query in (0, 10, 11, 51, 201, 8001)]
    assert found == pytest.approx([0.8, 0.8, 0.4, 0.2, 0.1, 0.8 / 2**9])
    assert area(500, 1000, 0.8) == area(5000, 10_000, 0.8)


@pytest.mark.parametrize("norm", PROPOSALS)
def test_sides_are_the_authors(norm: str) -> None:
    for share, side in zip(AREAS, SIDES[norm], strict=True):
        (pixels,) = touched(norm, (28, 28), share, 1)
        assert (int(pixels.any(1).sum()), int(pixels.any(0).sum())) == (side, side)


@pytest.mark.parametrize("norm", PROPOSALS)
@pytest.mark.parametrize("share", [0.8, 0.1, 0.03])
@pytest.mark.parametrize("size", [(28, 28), (20, 24)])
def test_larger_squares_reach_all_but_the_last_row_and_column(norm: str, share: float, size: tuple[int, int]) -> None:
    pixels = touched(norm, size, share, 600)
    for along, length in zip((2, 1), size, strict=True):
        reached = pixels.any(along).any(0)
        assert bool(reached[: length - 1].all())
        assert not bool(reached[length - 1])


@pytest.mark.parametrize("norm", PROPOSALS)
def test_the_smallest_leave_no_pixel_out(norm: str) -> None:
    assert bool(touched(norm, (7, 6), 0.01, 600).any(0).all())


@pytest.mark.parametrize(
    ("norm", "size"), [("linf", (1, 1)), ("linf", (2, 7)), ("l2", (3, 3)), ("l2", (4, 4)), ("l2", (3, 9))]
)
def test_small_images_have_squares_too(norm: str, size: tuple[int, int]) -> None:
    assert bool(touched(norm, size, 1.0, 20).flatten(1).any(1).all())


def test_a_square_always_changes_every_image() -> None:
    images = torch.rand(40, 2, 9, 9, generator=generator(0, "images")).mul(3).sub(1).clamp(0, 1)
    images[:10], images[10:20] = 0, 1
    kind = proposals("linf", images)
    moved = torch.zeros_like(images)
    for query in range(200):
        tried = (images + kind.next(moved, AREAS[query % len(AREAS)])).clamp(0, 1) - images
        assert bool(((tried - moved).abs().flatten(1).amax(1) > 1e-6).all())
        assert float(tried.abs().max()) <= EPS + 1e-6
        # Half of the images take it, so that what follows meets every state.
        taken = torch.rand(len(images), generator=torch.Generator().manual_seed(query)) < 0.5
        moved[taken] = tried[taken]
