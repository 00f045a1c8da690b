"""Mistakes with devices, made on purpose one after the other, and whether the checks of `tests.on_device` see them.

For a process of its own: `python -m tests.planted` prints a line of each.
"""

from unittest import mock

import torch
from tests import on_device

from dropover.compute import masks
from dropover.lab.training import augmentation, loop

draw_key, margins, flipped, seeded = masks.draw_key, masks.margins, augmentation.flipped, loop.seeded
PLANTED = {
    "a start of an attack stays on the CPU": (
        "dropover.lab.attacks.parts.norms._Linf.uniform",
        lambda _norm, like, draws: torch.rand(like.shape, generator=draws),
        on_device.attacks_stay_inside,
    ),
    "a layer's key comes from the CPU": (
        "dropover.compute.masks.draw_key",
        lambda _device, generator=None: draw_key(torch.device("cpu"), generator),
        on_device.methods_agree,
    ),
    "a mask stays on the CPU": (
        "dropover.compute.masks.margins",
        lambda *given: margins(*given).to("cpu"),
        on_device.methods_agree,
    ),
    "which images are flipped stays on the CPU": (
        "dropover.lab.training.augmentation.flipped",
        lambda images, which: flipped(images, which.to("cpu")),
        on_device.starts_are_the_same,
    ),
    "noise is drawn on the device from a generator of the CPU": (
        "dropover.lab.noise.Noise.apply",
        lambda self, images, level, draws, **_: self.draw(images, level, draws),
        on_device.starts_are_the_same,
    ),
    "the images and classes stay on the CPU": (
        "dropover.lab.data.Data.to",
        lambda self, _device: self,
        on_device.trials_agree,
    ),
    "a net is kept where it was trained": (
        "dropover.lab.training.kept.net_state",
        lambda model: model.state_dict(),
        on_device.nets_load_anywhere,
    ),
    "layers draw from no stream": (
        "dropover.lab.training.loop.seeded",
        lambda seed, name, _device: seeded(seed, name),
        on_device.methods_agree,
    ),
}


def main() -> None:
    """Plant each, run the check that has to see it, and say what it said."""
    with on_device.using(on_device.STAND_IN) as at:
        for what, (target, mistake, check) in PLANTED.items():
            with mock.patch(target, mistake):
                try:
                    said = f"not seen: {check(at)}"
                except Exception as error:
                    said = f"{type(error).__name__}: {error}".partition("\n")[0]
            print(f"{what}: {said}")


if __name__ == "__main__":
    main()
