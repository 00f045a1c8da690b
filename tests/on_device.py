"""All that the lab computes, on a device and on the CPU: `python -m tests.on_device cuda` says whether they agree.

Besides cuda, cuda:1, mps and cpu there is "stand-in", a device that is none and refuses what a GPU refuses: with it the
same checks are run where there is no GPU, and everything agrees to the last digit.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from dropover.compute import masks
from dropover.lab import devices
from dropover.lab.attacks import ATTACKS
from dropover.lab.data.parts.loading import load_data
from dropover.lab.examples import Examples, logits_on, pixels
from dropover.lab.machine import versions
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.placed_layers import load_net_state, net_state
from dropover.lab.models.parts.positions import look, places
from dropover.lab.noise import NOISES
from dropover.lab.probing.capturing import default_places
from dropover.lab.records.checkpoints import Checkpoints, Pace
from dropover.lab.report.inspection import Subject, draw_all
from dropover.lab.running.calling import run_trial
from dropover.lab.streams import AUGMENTATION, BATCHES, generator, random_states_kept, seeded
from dropover.lab.study import Arm, Precision, Study
from dropover.lab.training.loop import _batches
from dropover.lab.training.rank import ALONE
from dropover.lab.training.trained import trained_net
from dropover.methods import METHODS

STAND_IN = "stand-in"
Limits = tuple[float, float]
NEAR: Limits = 0.05, 0.25
"""How far apart two nets may be that were trained with the same numbers but for rounding: in clean accuracy, on 500
images, and in accuracies under noise and attack, some of them on 40 images near an ε that they fall at."""
ALIKE: Limits = 0.15, 0.4
"""The same where they were trained under other draws."""
ANYHOW: Limits = 1.0, 1.0
"""The same where a trial is too short to say more than that it runs."""
ROUNDING = 1e-5
"""How far a product of matrices may be from that in float64, relative to its largest value; TF32 is at 1e-3."""

SETTINGS: dict[str, Any] = {
    "reference": "none",
    "data": {"train_limit": 1000, "test_limit": 500},
    "model": {"width": 0.25},
    "training": {"epochs": 6, "lr": 0.05, "batch_size": 25},
    "evaluation": {
        "noise": {"gaussian": [0.3], "poisson": [20.0], "salt-and-pepper": [0.1]},
        "attack_images": 40,
        "attacks": [
            {"name": "fgsm", "eps": [0.05, 0.1]},
            {"name": "pgd", "eps": [0.05, 0.1], "steps": 5},
            {"name": "pgd", "norm": "l2", "target": "random", "eps": [0.5], "steps": 5},
            {"name": "apgd", "eps": [0.05], "steps": 8},
            {"name": "square", "eps": [0.05], "queries": 20},
            {"name": "square", "norm": "l2", "eps": [0.5], "queries": 20},
            {"name": "cw", "eps": [0.5], "steps": 8, "searches": 2},
        ],
    },
    "arms": [{"method": "none"}],
}
SHORT: dict[str, Any] = {
    "data": {"train_limit": 100, "test_limit": 100},
    "training": {"epochs": 1, "batch_size": 50, "optimizer": "adam", "augment": ["crop", "flip"]},
    "evaluation": {
        "attack_images": 20,
        "attacks": [{"name": "pgd", "eps": [0.1], "steps": 2, "eot": 2}],
        "audit": False,  # the other trials have it
    },
}
ARMS: list[dict[str, Any]] = [
    {"method": method.name, **({"block_size": 2} if "block_size" in method.settings() else {})}
    for method in METHODS
    if method.kind != "weights"
]
RANDOM = {"method": "flipover", "p": 0.3, "eval_p": 0.2}
"""An arm whose inference is random."""


@dataclass(frozen=True)
class Device:
    """A device under test; on an `exact` one everything is as on the CPU to the last digit."""

    word: str
    device: torch.device
    exact: bool

    def study(self, on: str | None = None, precision: Precision = "fp32", **changes: Any) -> Study:
        return Study.model_validate(
            {**SETTINGS, "device": on or self.word, "precision": precision, "arms": [{"method": "none"}], **changes}
        )


@contextmanager
def using(word: str) -> Iterator[Device]:
    """The device that a word means."""
    if word != STAND_IN:
        devices.check(word, "fp32")
        device = torch.empty(0, device=devices.device_named(word)).device  # "mps" is "mps:0" once there
        yield Device(word, device, exact=device == devices.CPU)
        return
    from tests import stand_in

    stand_in.register()
    with stand_in.stand_in() as device:
        slots, fabrics = devices.slots, devices.fabric_on
        here = mock.patch.object(devices, "slots", lambda word: slots(word) if word == "cpu" else [device])
        there = mock.patch.object(
            devices, "fabric_on", lambda at, how: stand_in.fabric() if at == device else fabrics(at, how)
        )
        with here, there:
            yield Device("cuda", device, exact=True)


def close(here: Tensor, there: Tensor, at_most: float) -> str:
    """How far apart two tensors are; fails where it is more than that."""
    apart = float((here - there.to("cpu", here.dtype)).abs().max())
    assert apart <= at_most, f"{apart:.2g} apart, more than {at_most:.2g}"
    return f"at most {apart:.1g} apart"


def starts_are_the_same(at: Device) -> str:
    """Weights, batches, augmentation, noise and what attacks begin with: drawn on the CPU, the same everywhere."""
    study, data = at.study(), load_data(at.study().data)
    model, moved = (build_model(study, study.arms[0], 0, data) for _ in range(2))
    devices.put(moved, at.device, "fp32")
    for before, after in zip(model.parameters(), moved.parameters(), strict=True):
        assert after.device == at.device
        assert torch.equal(before, after.to("cpu"))
    order = torch.randperm(len(data.train_labels), generator=generator(0, BATCHES))
    of_each = [
        _batches(
            each, order.to(each.train_images.device).split(50), ["crop", "flip"], generator(0, AUGMENTATION), ALONE
        )
        for each in (data, data.to(at.device))
    ]
    for (here, labels), (there, others) in zip(*of_each, strict=True):
        assert there.device == others.device == at.device
        assert torch.equal(labels, others.to("cpu"))
        close(here, there, 1e-7)
    images = pixels(data.test_images[:20])
    for noise in NOISES:
        level = study.evaluation.noise[noise.name][0]
        here, there = (noise.apply(each, level, generator(0, "n")) for each in (images, images.to(at.device)))
        assert there.device == at.device
        close(here, there, 0)
    return "weights, batches, crops and flips, noise"


def keys_are_the_same(at: Device) -> str:
    """A key's numbers are those of the CPU, and a stream gives the same keys each time."""
    key = torch.tensor(0x1234_5678_9ABC_DEF)
    assert torch.equal(masks.words(key, 5000), masks.words(key.to(at.device), 5000).to("cpu"))
    with random_states_kept([at.device]):
        following = torch.rand(4, device=at.device)
    drawn = []
    for _ in range(2):
        with seeded(3, "check", at.device):
            drawn.append(torch.rand(4, device=at.device))
    assert torch.equal(*drawn), "a stream gives other numbers the second time"
    assert torch.equal(following, torch.rand(4, device=at.device)), "the device's generator was not put back"
    return "5,000 words of one key; a stream twice; the generator as it was"


def tf32_is_off(at: Device) -> str:
    """Products of matrices and convolutions are in float32, after a model was put there."""
    devices.put(nn.Linear(1, 1), at.device, "fp32")
    a, b = (torch.randn(512, 512, generator=generator(0, name)) for name in "ab")
    images, kernel = a.view(4, 64, 32, 32), b.view(-1)[: 64 * 64 * 9].view(64, 64, 3, 3)
    products: list[Callable[..., Tensor]] = [lambda a, b: a @ b, lambda a, b: nn.functional.conv2d(a, b)]
    said = []
    for product, (first, second) in zip(products, ((a, b), (images, kernel)), strict=True):
        exact = product(first.double(), second.double())
        found = product(first.to(at.device), second.to(at.device)).to("cpu", torch.float64)
        said.append(close(exact / exact.abs().max(), found / exact.abs().max(), ROUNDING))
    return f"products {said[0]}, convolutions {said[1]}, of the largest value"


def attacks_stay_inside(at: Device) -> str:
    """Every attack in every norm: adversarial images are in [0, 1] and within ε, and the model is left as it was."""
    study = at.study()
    data = load_data(study.data)
    model, _ = trained_net(study, study.arms[0], 0, data)
    where = data.to(at.device)
    images, labels = pixels(where.test_images[:30]), where.test_labels[:30]
    fast = {"steps": 6, "queries": 20, "searches": 2}
    count = 0
    for attack in ATTACKS:
        for norm in attack.norms:
            settings = {name: value for name, value in fast.items() if name in attack.settings}
            found = attack.run(model, images, labels, [0.0, 0.2], generator(0, "a"), norm=norm, **settings)
            for eps, adversarial in zip((0.0, 0.2), found, strict=True):
                moved = (adversarial - images).flatten(1)
                length = moved.abs().amax(1) if norm == "linf" else moved.square().sum(1).sqrt()
                assert adversarial.device == at.device
                assert float(length.max()) <= eps + 1e-5, f"{attack.name}, {norm}: {float(length.max())} for ε = {eps}"
                assert 0 <= float(adversarial.min()) <= float(adversarial.max()) <= 1, f"{attack.name}, {norm}"
                count += 1
    assert all(parameter.requires_grad for parameter in model.parameters())
    return f"{count} times"


def trials_agree(at: Device) -> str:
    """A whole trial without a layer, on the CPU and there: the same numbers but for rounding."""
    return _agreement(at, at.study("cpu"), at.study())


def images_may_stay(at: Device) -> str:
    """The same with images that are too many for the device and are moved batch by batch."""
    with mock.patch("dropover.lab.data._MOST", 0):
        return _agreement(at, at.study("cpu", **SHORT), at.study(**SHORT), ANYHOW)


def random_inference_agrees(at: Device) -> str:
    """A whole trial whose inference is random, at its own rate and at others."""
    attacks = [{"name": "pgd", "eps": [0.1], "steps": 3, "eot": 2}, {"name": "square", "eps": [0.1], "queries": 10}]
    evaluation = {"attack_images": 40, "attacks": attacks, "inference_rates": [0.1], "audit": False}
    here, there = (at.study(on, arms=[{"method": "none"}, RANDOM], evaluation=evaluation) for on in ("cpu", at.word))
    return _agreement(at, here, there, ALIKE, arm=1)


def methods_agree(at: Device) -> str:
    """A short trial under every method; the layers' draws are the device's own, so that only the course is the same."""
    for index in range(len(ARMS)):
        changes = {**SHORT, "arms": [{"method": "none"}, *ARMS]}
        arm = Arm.model_validate(ARMS[index])
        try:
            _agreement(at, at.study("cpu", **changes), at.study(**changes), ANYHOW, arm=index + 1)
        except Exception as error:
            raise AssertionError(f"{arm.label}: {type(error).__name__}: {error}") from error
    return f"{len(ARMS)} methods"


def networks_agree(at: Device) -> str:
    """A short trial of the other networks."""
    small = {"vit-small": {"depth": 1, "width": 32, "heads": 2, "patch": 7}, "resnet18": {"width": 0.125}}
    for name, settings in small.items():
        changes = {**SHORT, "model": {"name": name, **settings}}
        _agreement(at, at.study("cpu", **changes), at.study(**changes), ANYHOW)
    return ", ".join(small)


def nets_load_anywhere(at: Device) -> str:
    """A net that was trained and kept there gives the same logits on the CPU."""
    there = at.study(arms=[{"method": "none"}, {"method": "guided", "at": ["fc"]}])
    data = load_data(there.data)
    with tempfile.TemporaryDirectory() as folder:
        trained, record = trained_net(there, there.arms[1], 0, data, Path(folder))
        again, read = trained_net(there, there.arms[1], 0, data, Path(folder))
        (kept,) = Path(folder).glob("*.pt")
        state = torch.load(kept, weights_only=True)["state"]  # with no word of where to
    assert record == read, "the net was trained again"
    here = build_model(there, there.arms[1], 0, data).eval()
    load_net_state(here, state)
    where = data.to(at.device)
    logits = logits_on(here, Examples(data.test_images, data.test_labels, 250), 0)
    of_both = [
        close(logits, logits_on(model, Examples(where.test_images, where.test_labels, 250), 0), 1e-3)
        for model in (trained, again)
    ]
    return f"logits of the net as it was trained {of_both[0]}, as it was read {of_both[1]}"


def trainings_go_on(at: Device) -> str:
    """A training that was killed there goes on there from the next batch, with the device's own numbers."""
    study = at.study(arms=[{"method": "none"}, {"method": "guided", "at": ["fc"]}], training={"epochs": 1})
    data, limit = load_data(study.data), 1e-2 if at.device.type == "cuda" else 0.0
    whole, _ = trained_net(study, study.arms[1], 0, data)
    with tempfile.TemporaryDirectory() as folder:

        class KilledOnce(Checkpoints):
            def write(self, state: Any) -> None:
                super().write(state)
                raise InterruptedError

        for kind in (KilledOnce, KilledOnce, Checkpoints):
            kept = kind(Path(folder) / "net", Pace(0.0, math.inf))
            with suppress(InterruptedError):
                resumed, _ = trained_net(study, study.arms[1], 0, data, checkpoints=kept)
    states = [net_state(each) for each in (whole, resumed)]
    apart = max(float((states[0][name] - states[1][name]).abs().max()) for name in states[0])
    assert apart <= limit, f"weights {apart:.2g} apart, more than {limit:g}"
    return f"weights at most {apart:.1g} apart"


def pictures_are_drawn(at: Device) -> str:
    """`dropover inspect`, from inside a net with a layer."""
    study = at.study(arms=[{"method": "none"}, {"method": "fdd2d"}])
    data = load_data(study.data)
    model = build_model(study, study.arms[1], 0, data).eval()
    two = pixels(data.test_images[:2])
    positions = list(look(model, [*default_places(model, two), *places(model, {}, ["last-conv"])], two).values())
    subject = Subject(model, data, positions, 3).on(at.word, "fp32")
    return ", ".join(dict.fromkeys(drawing.name for drawing in draw_all(subject, 0.1)))


def bf16_agrees(at: Device) -> str:
    """A whole trial in bfloat16: weights and logits stay float32, accuracies are those of float32 or near."""
    if at.device.type not in ("cpu", "cuda", "mps"):
        return "left out: what is none computes as the CPU does"
    try:
        devices.check(at.word, "bf16")
    except devices.DeviceError as error:
        return f"left out: {error}"
    study = at.study(precision="bf16")
    data = load_data(study.data)
    model, _ = trained_net(study, study.arms[0], 0, data)
    seen: list[torch.dtype] = []
    model.get_submodule("last-conv").register_forward_hook(lambda _module, _args, output: seen.append(output.dtype))
    logits = model(pixels(data.test_images[:5]))
    assert seen == [torch.bfloat16], f"the net computes in {seen[0]}"
    assert logits.dtype == torch.float32
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    return _agreement(at, at.study("cpu"), study, exact=False)


def _agreement(
    at: Device, here: Study, there: Study, limits: Limits = NEAR, *, arm: int = 0, exact: bool = True
) -> str:
    """Run one trial on the CPU and one on the device, and hold their rows against one another."""
    rows = [run_trial(study, study.arms[arm], 0) for study in (here, there)]
    worst = clean = 0.0
    for first, second in zip(*rows, strict=True):
        assert replace(first, value=0.0) == replace(second, value=0.0)
        if first.measure.endswith(("seconds", "per_second")):
            continue
        if at.exact and exact:
            same = first.value == second.value or (first.value != first.value and second.value != second.value)
            assert same, f"{first.measure} {first.level}: {first.value} on the CPU, {second.value} there"
        if "loss" not in first.measure and first.of == "":
            worst = max(worst, abs(first.value - second.value))
            clean = abs(first.value - second.value) if first.measure == "clean" and not first.inference_rate else clean
    points = f"clean {100 * clean:.1f} and others up to {100 * worst:.1f} points apart"
    assert clean <= limits[0], f"{points}, clean more than {100 * limits[0]:.0f}"
    assert worst <= limits[1], f"{points}, others more than {100 * limits[1]:.0f}"
    speed = [next(row.value for row in each if row.measure == "images_per_second") for each in rows]
    return f"{len(rows[0])} figures, {points}; {speed[0]:,.0f} images/s on the CPU, {speed[1]:,.0f} there"


CHECKS: Sequence[Callable[[Device], str]] = (
    starts_are_the_same,
    keys_are_the_same,
    tf32_is_off,
    attacks_stay_inside,
    trials_agree,
    images_may_stay,
    random_inference_agrees,
    methods_agree,
    networks_agree,
    nets_load_anywhere,
    trainings_go_on,
    pictures_are_drawn,
    bf16_agrees,
)


def main(word: str) -> int:
    """Run all checks, a line each; how many failed."""
    failed = 0
    try:
        device = using(word)
        with device as at:
            name = torch.cuda.get_device_name(at.device) if at.device.type == "cuda" else at.device.type
            print(f"{word}: {name}; " + ", ".join(f"{what} {which}" for what, which in versions().items()))
            for check in CHECKS:
                started = time.perf_counter()
                what = check.__name__.replace("_", " ").replace("tf32", "TF32")
                try:
                    said, mark = check(at), "ok    "
                except Exception as error:
                    said, mark = f"{type(error).__name__}: {error}".partition("\n")[0], "FAILED"
                    failed += 1
                print(f"{mark} {what} ({time.perf_counter() - started:.1f} s): {said}", flush=True)
    except devices.DeviceError as error:
        print(error, file=sys.stderr)
        return 2
    print("everything agrees" if not failed else f"{failed} of {len(CHECKS)} checks failed")
    return min(failed, 1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"python -m tests.on_device DEVICE, where DEVICE is cuda, cuda:1, mps, cpu or {STAND_IN}")
    sys.exit(main(sys.argv[1]))
