"""Attacked images per second against foolbox's, for the same attack, steps, images and net.

Both take the same batches of the same test images and say which of them stay right; they take turns, and medians are
compared. Two nets, small-cnn at half width: "weak" as training leaves it, "robust" trained on attacked images, where
few images fall and so few leave the batch. One ε, and a curve of four. The clean pass isn't counted: the lab has made
it for the clean accuracy, and foolbox makes none. Run on a quiet machine: `python benchmarks/attacks.py`.

"In floors" is the time divided by that of the net's convolutions and linear layers alone, forward and back to their
input, as often as the attack's steps ask for them on every image: what nobody can go below who takes those steps, but
by leaving out images that have fallen. Foolbox's figure there is the most that anyone can be faster than it.
"""

import argparse
import copy
from collections.abc import Callable

import foolbox
import torch
from timing import keep_freed_memory, medians
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import CleanPass, clean_pass
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data
from dropover.lab.examples import pixels
from dropover.lab.models.parts.building import build_model
from dropover.lab.streams import BATCHES, generator
from dropover.lab.study import Study
from dropover.lab.training.loop import train

CURVE = [0.025, 0.05, 0.1, 0.2]
PAPERS = {"rel_stepsize": 0.1, "steps": 10}
FOOLBOX = {"steps": 40, "step": 0.01 / 0.3}
# What it is called here, its norm: our attack with its settings, and foolbox's. "-40" are foolbox's own defaults.
ATTACKED: dict[tuple[str, str], tuple[str, dict[str, float], foolbox.attacks.base.Attack]] = {
    ("fgsm", "linf"): ("fgsm", {}, foolbox.attacks.LinfFastGradientAttack()),
    ("fgsm", "l2"): ("fgsm", {}, foolbox.attacks.L2FastGradientAttack()),
    ("bim", "linf"): ("bim", {}, foolbox.attacks.LinfBasicIterativeAttack(**PAPERS)),
    ("pgd", "linf"): ("pgd", {}, foolbox.attacks.LinfProjectedGradientDescentAttack(**PAPERS)),
    ("pgd", "l2"): ("pgd", {}, foolbox.attacks.L2ProjectedGradientDescentAttack(**PAPERS)),
    ("pgd-40", "linf"): ("pgd", FOOLBOX, foolbox.attacks.LinfProjectedGradientDescentAttack()),
}
# Gradients of each image that an attack at one ε takes.
STEPS = {"fgsm": 1, "bim": 10, "pgd": 10, "pgd-40": 40}
# L2 balls of about the same effect on these nets.
IN_L2 = 10
STUDY = Study.model_validate(
    {"model": {"width": 0.5}, "training": {"epochs": 6, "lr": 0.02}, "arms": [{"method": "none"}], "seeds": 1}
)


def nets(data: Data, epochs: int) -> dict[str, nn.Module]:
    """A net trained on clean images, and the same trained further on attacked ones."""
    weak = build_model(STUDY, STUDY.arms[0], 0, data)
    train(weak, data, STUDY.training, 0, "none")
    robust = copy.deepcopy(weak)
    optimizer = torch.optim.SGD(robust.parameters(), 0.02, momentum=0.9)
    order, draws = generator(0, BATCHES), generator(0, "benchmark")
    for _ in range(epochs):
        for part in torch.randperm(len(data.train_labels), generator=order).split(64):
            images, labels = pixels(data.train_images[part]), data.train_labels[part]
            (attacked,) = ATTACKS.get("pgd").run(robust, images, labels, [0.15], draws, steps=4, step=0.4)
            optimizer.zero_grad()
            nn.functional.cross_entropy(robust(attacked), labels).backward()
            optimizer.step()
    return {"weak": weak.eval(), "robust": robust.eval()}


def ours(
    name: str,
    norm: str,
    model: nn.Module,
    batches: list[tuple[Tensor, Tensor]],
    clean: list[CleanPass],
    eps: list[float],
) -> list[float]:
    """The share of images that stay right at each ε, by the lab's attack."""
    attack, settings, _ = ATTACKED[name, norm]
    right = torch.zeros(len(eps))
    draws = generator(0, "attack")
    for (images, labels), known in zip(batches, clean, strict=True):
        found = ATTACKS.get(attack).run(model, images, labels, eps, draws, known, norm=norm, **settings)
        with torch.inference_mode():
            right += torch.stack([(model(x).argmax(1) == labels).sum() for x in found])
    return (right / sum(len(labels) for _, labels in batches)).tolist()


def theirs(
    name: str, norm: str, model: nn.Module, batches: list[tuple[Tensor, Tensor]], eps: list[float]
) -> list[float]:
    """The same by foolbox's attack."""
    *_, attack = ATTACKED[name, norm]
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1))
    right = torch.zeros(len(eps))
    for images, labels in batches:
        _, _, fallen = attack(wrapped, images, labels, epsilons=eps)
        right += (~fallen).sum(1)
    return (right / sum(len(labels) for _, labels in batches)).tolist()


def bare(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Callable[[], None]:
    """One forward pass and one gradient of every image, of which only convolutions and linear layers are left."""
    seen: list[tuple[nn.Conv2d | nn.Linear, Tensor, Tensor]] = []

    def record(layer: nn.Conv2d | nn.Linear, inputs: tuple[Tensor], out: Tensor) -> None:
        seen.append((layer, inputs[0], out))

    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(record) for layer in layers]
    with torch.no_grad():
        for images, _ in batches:
            # As many as stay in the cache.
            for part in images.split(64):
                model(part)
    for hook in hooks:
        hook.remove()

    @torch.no_grad()
    def once() -> None:
        for layer, x, out in seen:
            layer(x)
            if isinstance(layer, nn.Linear):
                out @ layer.weight
            else:
                form = layer.stride, layer.padding, layer.dilation, layer.groups
                nn.grad.conv2d_input(x.shape, layer.weight, out, *form)

    return once


def main() -> None:
    """Train the two nets, time every attack on them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=250)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--attacks", nargs="*", default=sorted({name for name, _ in ATTACKED}))
    parser.add_argument("--threads", type=int, default=1, help="the lab's workers have one each")
    parser.add_argument("--epochs", type=int, default=4, help="of training the robust net on attacked images")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    data = load_data(STUDY.data)
    parts = range(0, options.images, options.batch)
    chosen = torch.randperm(len(data.test_labels), generator=generator(0, "benchmark"))[: options.images]
    indices = [chosen[start : start + options.batch] for start in parts]
    batches = [(pixels(data.test_images[part]), data.test_labels[part]) for part in indices]
    print(
        f"{options.images} images in batches of {options.batch}, {torch.get_num_threads()} thread(s); kept: share right"
    )
    print("net     attack        ε       images/s: ours, foolbox, ratio   in floors   kept: ours, foolbox")
    for net, model in nets(data, options.epochs).items():
        clean = [clean_pass(model, images) for images, _ in batches]
        for name, norm in (pair for pair in ATTACKED if pair[0] in options.attacks):
            for eps in ([CURVE[2]], CURVE):
                scaled = [IN_L2 * radius for radius in eps] if norm == "l2" else eps
                tasks: dict[str, Callable[[], list[float]]] = {
                    "ours": lambda n=name, p=norm, m=model, c=clean, e=scaled: ours(n, p, m, batches, c, e),
                    "theirs": lambda n=name, p=norm, m=model, e=scaled: theirs(n, p, m, batches, e),
                }
                times = medians({**tasks, "floor": bare(model, batches)}, options.repeats, block=1)
                speeds = {key: options.images * len(eps) / (time / 1e6) for key, time in times.items()}
                least = times["floor"] * STEPS[name] * len(eps)
                floors = f"{times['ours'] / least:5.2f} {times['theirs'] / least:5.2f}"
                kept = " ".join(f"{a:.2f},{b:.2f}" for a, b in zip(tasks["ours"](), tasks["theirs"](), strict=True))
                radii = f"{len(eps)} radii" if len(eps) > 1 else f"{scaled[0]:g}"
                ratio = speeds["ours"] / speeds["theirs"]
                speed = f"{speeds['ours']:7.0f} {speeds['theirs']:7.0f}  {ratio:5.2f}"
                print(f"{net:7} {name:7} {norm:5} {radii:8} {speed}  {floors}   {kept}", flush=True)


if __name__ == "__main__":
    main()
