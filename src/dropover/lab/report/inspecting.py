"""`lab.inspect`: pictures from inside a trained model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from dropover.insertion.modes import training_flags
from dropover.lab.data import Data
from dropover.lab.devices import device_of
from dropover.lab.examples import pixels
from dropover.lab.models.parts.positions import Named, PlaceInfo, look, places
from dropover.lab.probing.capturing import default_places
from dropover.lab.report.inspection import Subject, draw_all, write_inspection


def inspect(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    at: str | Sequence[str] = (),
    out: str | Path = "results/inspect",
    eps: float = 0.1,
    count: int = 8,
    classes: Sequence[str] | None = None,
    title: str = "",
    facts: Mapping[str, str] | None = None,
) -> list[Path]:
    """Draw a trained model from inside: activations, what its layers drop and its maps look at, images under attack.

    Args:
        model: Maps images with pixels in [0, 1] to logits; it is left as it was.
        images: To show it, of shape (N, C, H, W), bytes or in [0, 1].
        labels: Their classes, of shape (N,).
        at: Where to look: modules' paths, "before " in front of them or not. By default the last maps before a pooling
            and the features before the last linear layer.
        out: The folder that the pictures go to.
        eps: The attack's size in L∞, in pixels.
        count: How many images a picture shows.
        classes: Names of the classes, by their numbers.
        title: What the model is called on the page.
        facts: What else the page says of it.

    Returns:
        The page, and then every picture as SVG, PDF and PNG.

    Raises:
        PositionError: the model has no such place.
        ValueError: there is no place to look at.
    """
    names = tuple(classes) if classes is not None else tuple(map(str, range(int(labels.max()) + 1)))
    data = Data(images[:0], labels[:0], images, labels, names).to(device_of(model))
    with training_flags(model, lambda _module: False):
        positions = looked_at(model, {}, [at] if isinstance(at, str) else at, data.test_images)
        subject = Subject(model, data, positions, count)
        told = {
            "Network": f"{type(model).__name__}, {sum(each.numel() for each in model.parameters()):,} parameters",
            **(facts or {}),
            "Looked at": "; ".join(f"{each.place}: {each.content}" for each in positions),
        }
        return write_inspection(Path(out), title or type(model).__name__, told, draw_all(subject, eps))


def looked_at(model: nn.Module, named: Named, at: Sequence[str], images: Tensor) -> list[PlaceInfo]:
    """The places that the words of `at` mean, else the default ones, with what passes there.

    Raises:
        PositionError: the model has no such place.
        ValueError: there is no default one.
    """
    two = pixels(images[:2])
    where = places(model, named, at) if at else default_places(model, two)
    if not where:
        raise ValueError(f"{type(model).__name__} has no maps and no linear layer to look at: name a position (at)")
    return list(look(model, where, two).values())
