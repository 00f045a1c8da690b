"""Square attack (Andriushchenko et al. 2020): random squares, kept where the score falls; reads no gradient."""

from collections.abc import Callable

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import margin
from dropover.lab.attacks.parts.squares import Proposals, SquaresL2, SquaresLinf
from dropover.lab.attacks.parts.task import Task
from dropover.validation import number, whole

_PROPOSALS: dict[str, Callable[[Tensor, float, Tensor, torch.Generator], Proposals]] = {
    "linf": SquaresLinf,
    "l2": SquaresL2,
}

# Of 10,000 queries, those after which the area of a square is halved.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def square(task: Task, *, queries: int = 1000, p: float = 0.8) -> list[Tensor]:
    """Propose random squares of ever smaller area and keep those that raise the margin of the wrong classes.

    Where the squares are and which way they push is the same for every model. The paper takes 5,000 queries.

    Args:
        task: What is attacked.
        queries: Forward passes for each image and ε, at least 1.
        p: Share of the image that the first squares cover, in (0, 1].
    """
    whole("queries", queries, 1)
    if number("p", p, 0, 1) == 0:
        raise ValueError("p must be above 0, got 0")
    best, left, found = task.images.clone(), task.open, []
    for index, eps in enumerate(task.eps):
        if eps > 0:
            left = _search(task, eps, queries, p, task.generator(1 + index), left, best)
        found.append(best.clone())
    return found


def area(query: int, queries: int, p: float) -> float:
    """The share of the image that a square covers at this query: the paper's schedule, stretched to `queries`."""
    return p * 0.5 ** sum(query * 10_000 // queries > after for after in _HALVINGS)


def _search(
    task: Task, eps: float, queries: int, p: float, generator: torch.Generator, left: Tensor, best: Tensor
) -> Tensor:
    """Attack the images `left` at one ε; writes what it finds into `best`, and returns those still standing."""
    proposals = _PROPOSALS[task.norm.name](task.images, eps, task.norm.scale, generator)
    clean, scale = task.images, task.norm.scale
    # Perturbations are in units of ε, whatever these are in pixels.
    moved = torch.zeros_like(clean)
    # The first stripes, too, have to be better than the clean image.
    score = margin(task.known.logits, task.labels, task.targets).clone()
    for query in range(queries):
        if not len(left):
            break
        tried = proposals.first() if query == 0 else proposals.next(moved, area(query - 1, queries, p))
        x = task.inside(clean[left] + tried[left] * scale, left, eps)
        seen = task.see(x, left, margin, gradient=False)
        better = (seen.values > score[left]) | seen.done
        chosen = left[better]
        best[chosen], score[chosen] = x[better], seen.values[better]
        moved[chosen] = (x[better] - clean[chosen]) / scale
        left = left[~seen.done]
    return left


ATTACKS.add(Attack("square", (), "random squares, kept where the score falls; no gradient", square, "score"))
