"""What a trained net looks like from inside: every picture that applies to it, as files and on one page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from dropover.insertion import regularizers
from dropover.insertion.hooks import inserted_at
from dropover.lab.attacks import ATTACKS
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import balanced_prefix
from dropover.lab.devices import device_named, put
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.measuring.robustness import right_under_noise
from dropover.lab.models.parts.positions import Place, PlaceInfo
from dropover.lab.noise import NOISES
from dropover.lab.pictures.images import adversarial_images, averaged_maps, inverted_maps, noisy_images
from dropover.lab.pictures.plots import activation_histograms
from dropover.lab.pictures.scatter import projection_scatter
from dropover.lab.pictures.style import embedded, save
from dropover.lab.probing.capturing import PROBING, activations, capture
from dropover.lab.probing.grouping import GROUPS, inverted_groups
from dropover.lab.probing.projecting import project
from dropover.lab.records.files import write_text
from dropover.lab.report.templates import environment
from dropover.lab.streams import generator
from dropover.lab.study import Precision
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
class Subject:
    """A trained net, and the images that it is shown.

    Attributes:
        model: Maps pixels in [0, 1] to logits; in evaluation mode.
        data: Test images are those that are shown; on the model's device.
        positions: Where to look.
        count: How many images a picture has in a row.
    """

    model: nn.Module
    data: Data
    positions: Sequence[PlaceInfo]
    count: int

    def on(self, device: str, precision: Precision) -> "Subject":
        """The same with its net and its images on a device, as a study calls it; raises as `device_named`."""
        there = device_named(device)
        return replace(self, model=put(self.model, there, precision), data=self.data.to(there))

    def first(self, count: int) -> Examples:
        """That many test images at the most, classes taking turns."""
        labels = self.data.test_labels
        chosen = balanced_prefix(labels, min(count, len(labels)))
        return Examples(self.data.test_images, labels, 250).chosen(chosen)

    @property
    def images(self) -> Tensor:
        """The images of a row; pixels in [0, 1], on the CPU, where they are drawn."""
        return pixels(self.first(self.count).images.to("cpu"))

    @property
    def examples(self) -> Examples:
        """The test images that accuracies and histograms are of."""
        return self.first(_WATCHED)

    def names(self, labels: Tensor) -> list[str]:
        """The classes' names, shortened to fit over a picture."""
        names = [self.data.classes[int(label)] for label in labels]
        return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]


def write_inspection(folder: Path, title: str, facts: Mapping[str, str], drawings: Iterable[Drawing]) -> list[Path]:
    """Write each picture as SVG, PDF and PNG, and a page that holds them all and loads nothing.

    The pictures are drawn one by one. `folder` is made if missing; `facts` are terms and descriptions, a line each, of
    what was inspected. Returns the files, the page first.
    """
    page = folder / "index.html"
    written = [page]
    blocks = []
    for drawing in drawings:
        files = save(drawing.figure, folder / drawing.name)
        written += files
        blocks.append({"drawing": drawing, "svg": embedded(files[0]), "files": [file.name for file in files]})
    template = environment(Path(__file__).parent).get_template("inspection.html")
    write_text(page, template.render(title=title, facts=facts, blocks=blocks))
    return written


def draw_all(subject: Subject, eps: float) -> Iterator[Drawing]:
    """Every picture that applies, one at a time: what a net has no maps for is left out."""
    yield _histograms(subject)
    for position in subject.positions:
        if position.kind in ("maps", "tokens"):
            yield _projections(subject, position)
        if position.kind == "maps" and position.channel_dim == 1 and len(position.shape) == 3:
            yield from _inverted(subject, position)
    yield _noisy(subject)
    yield _adversarial(subject, eps)


def _histograms(subject: Subject) -> Drawing:
    """Activations at every position, in evaluation mode and, if the net has layers of dropover's, with them on."""
    images = pixels(subject.examples.images)
    acting = any(layer.rule is not None for layer in regularizers(subject.model))
    panels = {}
    for position in subject.positions:
        panels[f"{position.place}, evaluation"] = activations(subject.model, position.place, images)
        if acting:
            panels[f"{position.place}, layers on"] = activations(
                subject.model, position.place, images, regularized=True
            )
    caption = f"Shares of all activations on {len(images)} test images, in evaluation mode"
    caption += " and with the layers of dropover acting as in training" if acting else ""
    return Drawing("activations", "Activations", f"{caption}.", activation_histograms(panels))


def _projections(subject: Subject, position: PlaceInfo) -> Drawing:
    """The maps at a position on 2 and 3 principal axes, and what the layer there drops; FDD-2D and -3D if none is."""
    layer = _layer_at(subject.model, position.place)
    row = subject.first(subject.count)
    images, names = pixels(row.images[:_PROJECTED]), subject.names(row.labels[:_PROJECTED])
    if layer is None:
        maps = activations(subject.model, position.place, images)
    else:
        maps = capture(subject.model, {"layer": layer}, images)["layer"].entered
    assert position.channel_dim is not None  # of maps and tokens it is known
    maps = maps.movedim(position.channel_dim, 1)
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


def _inverted(subject: Subject, position: PlaceInfo) -> Iterator[Drawing]:
    """What the maps at a position look at, by density group, on the first image; entropies over all images."""
    of_images = [inverted_groups(subject.model, position.place, image) for image in subject.images]
    first, where = of_images[0], _file(position.place)
    yield Drawing(
        f"inverted-{where}",
        f"Maps inverted to the input, {position.place}",
        "Left, the maps by density group. Right, the three maps of the largest responses in each group, led back to "
        "the pixels by deconvolution: the hotter, the more a pixel speaks for the map.",
        inverted_maps(first),
    )
    means = {name: [each.entropy(name) for each in of_images if len(each.members(name))] for name in (*GROUPS, "all")}
    said = ", ".join(f"{name} {sum(values) / len(values):.2f}" for name, values in means.items() if values)
    images = "1 image" if len(of_images) == 1 else f"{len(of_images)} images"
    yield Drawing(
        f"averages-{where}",
        f"Average heat maps by density, {position.place}",
        f"Of the same image. The entropy is of a heat map's 256 grey levels, averaged over maps; over {images} "
        f"it is {said or 'not defined, since no map responds'} (bits).",
        averaged_maps(first),
    )


def _noisy(subject: Subject) -> Drawing:
    """The images under each noise, with the net's accuracy."""
    examples, images = subject.examples, subject.images
    clean = logits_on(subject.model, examples, 0).argmax(1) == examples.labels
    rows = {_with_share("clean", clean): images}
    for name, level in NOISE_LEVELS.items():
        right = right_under_noise(subject.model, examples, 0, name, level)
        rows[_with_share(f"{name} {level:g}", right)] = NOISES.get(name).apply(images, level, generator(0, PROBING))
    caption = f"Accuracies are of {len(examples.labels)} test images. Pixels are clipped to [0, 1]."
    return Drawing("noisy", "Images under noise", caption, noisy_images(rows))


def _adversarial(subject: Subject, eps: float) -> Drawing:
    """Images that the net gets right, what an attack of size ε makes of them, and the difference."""
    model, examples = subject.model, subject.examples
    right = (logits_on(model, examples, 0).argmax(1) == examples.labels).nonzero().flatten()
    candidates = right if len(right) else torch.arange(len(examples.labels), device=examples.labels.device)
    chosen = candidates[balanced_prefix(examples.labels[candidates], min(subject.count, len(candidates)))]
    ((images, labels),) = examples.chosen(chosen).batches()
    (attacked,) = ATTACKS.get(ATTACK).run(model, images, labels, [eps], generator(0, PROBING))
    with torch.no_grad():
        before, after = model(images).argmax(1), model(attacked).argmax(1)
    said = f"{int((after == labels).sum())} of {len(chosen)} images that were right still are."
    caption = (
        f"{ATTACK.upper()} in L∞ with ε = {eps:g} and its default settings; over each image the net's prediction. "
        f"{said if len(right) else 'The net is right about no image: there is nothing to attack.'} The difference is "
        f"drawn around grey."
    )
    picture = adversarial_images(images.to("cpu"), attacked.to("cpu"), subject.names(before), subject.names(after))
    return Drawing("adversarial", "Images under attack", caption, picture)


def _layer_at(model: nn.Module, place: Place) -> Regularizer | None:
    """The layer of dropover's that hits whole maps at a place: the module itself, or what was inserted there."""
    module = model.get_submodule(place.path)
    layers = [
        layer
        for layer in (module, *(hook.layer for hook in inserted_at(module) if hook.side == place.side))
        if isinstance(layer, Regularizer) and layer.rule is not None and isinstance(layer.units, Channel)
    ]
    return layers[-1] if layers else None


def _with_share(label: str, right: Tensor) -> str:
    return f"{label}\n{float(right.double().mean()):.1%} right"


def _file(place: Place) -> str:
    """A place as a part of a file's name."""
    return str(place).replace("'", "").replace(" ", "-").replace("/", "-")
