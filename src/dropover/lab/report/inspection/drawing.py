"""All pictures that apply to one trained net."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.insertion.hooks import inserted_at
from dropover.lab.attacks import ATTACKS
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.measuring.robustness import right_under_noise
from dropover.lab.models.parts.positions import Place, Position
from dropover.lab.noise import NOISES
from dropover.lab.pictures.histograms import activation_histograms
from dropover.lab.pictures.images import adversarial_images, noisy_images
from dropover.lab.pictures.maps import averaged_maps, inverted_maps
from dropover.lab.pictures.scatter import projection_scatter
from dropover.lab.probing.capturing import PROBING, activations, capture
from dropover.lab.probing.grouping import GROUPS, inverted_groups
from dropover.lab.probing.projecting import project
from dropover.lab.streams import generator
from dropover.parts.units import Channel
from dropover.regularizer import Regularizer

NOISE_LEVELS = {"gaussian": 0.1, "salt-and-pepper": 0.05, "poisson": 50.0}
"""What the Flipover article puts on CIFAR-10."""
ATTACK = "pgd"
_WATCHED = 200
_PROJECTED = 3
_LONGEST = 14


@dataclass(frozen=True)
class Drawing:
    """A picture: the name of its files, and what it shows in words."""

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Shown:
    """A trained net, and the images that it is shown.

    Attributes:
        model: Maps pixels in [0, 1] to logits; in evaluation mode.
        data: Test images are those that are shown.
        positions: Where to look.
        count: How many images a picture has in a row.
    """

    model: nn.Module
    data: Data
    positions: Sequence[Position]
    count: int

    @property
    def images(self) -> Tensor:
        """The images of a row, classes taking turns; pixels in [0, 1]."""
        return pixels(self.data.test_images[self._chosen])

    @property
    def labels(self) -> Tensor:
        """Their classes."""
        return self.data.test_labels[self._chosen]

    @property
    def _chosen(self) -> Tensor:
        return balanced_prefix(self.data.test_labels, min(self.count, len(self.data.test_labels)))

    @property
    def examples(self) -> Examples:
        """The test images that accuracies and histograms are of."""
        chosen = balanced_prefix(self.data.test_labels, min(_WATCHED, len(self.data.test_labels)))
        return Examples(self.data.test_images[chosen], self.data.test_labels[chosen], 250)


def draw_all(shown: Shown, eps: float) -> Iterator[Drawing]:
    """Every picture that applies, one at a time: what a net has no maps for is left out."""
    yield draw_histograms(shown)
    for position in shown.positions:
        if position.kind in ("maps", "tokens"):
            yield draw_projections(shown, position)
        if position.kind == "maps" and position.channel_dim == 1 and len(position.shape) == 3:
            yield from draw_inverted(shown, position)
    yield draw_noisy(shown)
    yield draw_adversarial(shown, eps)


def draw_histograms(shown: Shown) -> Drawing:
    """Activations at every position, in evaluation mode and, if the net has layers of dropover's, with them on."""
    images = pixels(shown.examples.images)
    acting = any(layer.rule is not None for layer in regularizers(shown.model))
    panels = {}
    for position in shown.positions:
        panels[f"{position.place}, evaluation"] = activations(shown.model, position.place, images)
        if acting:
            panels[f"{position.place}, layers on"] = activations(shown.model, position.place, images, regularized=True)
    caption = f"Shares of all activations on {len(images)} test images, in evaluation mode"
    caption += " and with the layers of dropover acting as in training" if acting else ""
    return Drawing("activations", "Activations", f"{caption}.", activation_histograms(panels))


def draw_projections(shown: Shown, position: Position) -> Drawing:
    """The maps at a position on 2 and 3 principal axes, and what the layer there drops; FDD-2D and -3D if none is."""
    layer = layer_at(shown.model, position.place)
    images = shown.images[:_PROJECTED]
    if layer is None:
        maps = activations(shown.model, position.place, images)
    else:
        maps = capture(shown.model, {"layer": layer}, images)["layer"].entered
    assert position.channel_dim is not None  # of maps and tokens it is known
    maps = maps.movedim(position.channel_dim, 1)
    names = _names(shown.data, shown.labels[: len(images)])
    panels = {
        f"image {number} ({name}), {axes}-D": project(sample, layer, axes)
        for axes in (2, 3)
        for number, (name, sample) in enumerate(zip(names, maps, strict=True), start=1)
    }
    who = f"One draw of {layer}" if layer is not None else "No layer hits maps there: one draw of FDD-2D and FDD-3D"
    return Drawing(
        f"projections-{_file(position.place)}",
        f"Maps on their principal axes, {position.place}",
        f"{who}. Each mark is one of {position.units} maps of an image; lines border the cells that are counted.",
        projection_scatter(panels),
    )


def draw_inverted(shown: Shown, position: Position) -> Iterator[Drawing]:
    """What the maps at a position look at, by density group, on the first image; entropies over all images shown."""
    found = [inverted_groups(shown.model, position.place, image) for image in shown.images]
    first, where = found[0], _file(position.place)
    yield Drawing(
        f"inverted-{where}",
        f"Maps inverted to the input, {position.place}",
        "Left, the maps by density group. Right, the three maps of the largest responses in each group, led back to "
        "the pixels by deconvolution: the hotter, the more a pixel speaks for the map.",
        inverted_maps(first),
    )
    means = {name: [each.entropy(name) for each in found if len(each.members(name))] for name in (*GROUPS, "all")}
    said = ", ".join(f"{name} {sum(values) / len(values):.2f}" for name, values in means.items() if values)
    images = "1 image" if len(found) == 1 else f"{len(found)} images"
    yield Drawing(
        f"averages-{where}",
        f"Average heat maps by density, {position.place}",
        f"Of the same image. The entropy is of a heat map's 256 grey levels, averaged over maps; over {images} "
        f"it is {said or 'not defined, since no map responds'} (bits).",
        averaged_maps(first),
    )


def draw_noisy(shown: Shown) -> Drawing:
    """The images under each noise, with the net's accuracy."""
    examples = shown.examples
    clean = logits_on(shown.model, examples, 0).argmax(1) == examples.labels
    rows = {_with_share("clean", clean): shown.images}
    for name, level in NOISE_LEVELS.items():
        right = right_under_noise(shown.model, examples, 0, name, level)
        rows[_with_share(f"{name} {level:g}", right)] = NOISES.get(name).apply(
            shown.images, level, generator(0, PROBING)
        )
    caption = f"Accuracies are of {len(examples.labels)} test images. Pixels are clipped to [0, 1]."
    return Drawing("noisy", "Images under noise", caption, noisy_images(rows))


def draw_adversarial(shown: Shown, eps: float) -> Drawing:
    """Images that the net gets right, what an attack of size ε makes of them, and the difference."""
    model, examples = shown.model, shown.examples
    right = (logits_on(model, examples, 0).argmax(1) == examples.labels).nonzero().flatten()
    candidates = right if len(right) else torch.arange(len(examples.labels))
    chosen = candidates[balanced_prefix(examples.labels[candidates], min(shown.count, len(candidates)))]
    images, labels = pixels(examples.images[chosen]), examples.labels[chosen]
    (attacked,) = ATTACKS.get(ATTACK).run(model, images, labels, [eps], generator(0, PROBING))
    with torch.no_grad():
        before, after = model(images).argmax(1), model(attacked).argmax(1)
    said = f"{int((after == labels).sum())} of {len(chosen)} images that were right still are."
    caption = (
        f"{ATTACK.upper()} in L∞ with ε = {eps:g} and its default settings; over each image the net's prediction. "
        f"{said if len(right) else 'The net is right about no image: there is nothing to attack.'} The difference is "
        f"drawn around grey."
    )
    picture = adversarial_images(images, attacked, _names(shown.data, before), _names(shown.data, after))
    return Drawing("adversarial", "Images under attack", caption, picture)


def layer_at(model: nn.Module, place: Place) -> Regularizer | None:
    """The layer of dropover's that hits whole maps at a place: the module itself, or what was inserted there."""
    module = model.get_submodule(place.path)
    there = [module, *(hook.layer for hook in inserted_at(module) if hook.side == place.side)]
    fitting = [
        layer
        for layer in there
        if isinstance(layer, Regularizer) and layer.rule is not None and isinstance(layer.units, Channel)
    ]
    return fitting[-1] if fitting else None


def _with_share(label: str, right: Tensor) -> str:
    return f"{label}\n{float(right.double().mean()):.1%} right"


def _file(place: Place) -> str:
    """A place as a part of a file's name."""
    return str(place).replace("'", "").replace(" ", "-").replace("/", "-")


def _names(data: Data, labels: Tensor) -> list[str]:
    """The classes' names, shortened to fit over a picture."""
    names = [data.classes[int(label)] for label in labels]
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
