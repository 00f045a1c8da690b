"""Speed of the layers, forward plus backward, each against its peer in the same run.

    python benchmarks/layers.py            print the table
    python benchmarks/layers.py --record   and append the ratios to benchmarks/history.jsonl
    python benchmarks/layers.py --check    fail if a ratio is more than 25 % below the least that history has

Ratios are medians of interleaved runs, in memory that is reused, on two threads or as many as `--threads` says. The
floor is what the machine needs for `x.clone()` and for `relu`, forward and backward, on the same tensor. A check
compares with the runs recorded with as many threads on the same kind of device, with compiled kernels or without as
now. On a busy machine check with one thread: threads that wait for each other measure who else is there.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from timing import keep_freed_memory, medians
from torch import Tensor, nn

import dropover
import dropover.density
from dropover import kernels
from dropover.lab.machine import machine

HISTORY = Path(__file__).parent / "history.jsonl"
TOLERANCE = 0.75
QUICKLY = 3  # turns of a check's first look
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


_COMPILED = dropover.density.compiled_crowding


@dataclass(frozen=True)
class Row:
    """One comparison: `ours` against `peer` on an input of one shape; `bar` and `aim` are ratios."""

    name: str
    shape: tuple[int, ...]
    ours: nn.Module
    peer: nn.Module
    bar: float
    aim: float
    repeats: int = 12


class WithEigh(dropover.DensityDropout):
    """The same layer on axes from a full eigendecomposition."""

    def forward(self, x: Tensor) -> Tensor:
        """As the layer's own, with `torch.linalg.eigh` in place of dropover's axes."""
        own = dropover.density.leading_axes, dropover.density.leading_axis
        dropover.density.compiled_crowding = lambda *settings: None
        dropover.density.leading_axes = lambda m, count: torch.linalg.eigh(m).eigenvectors[..., -count:].flip(-1)
        dropover.density.leading_axis = lambda m: torch.linalg.eigh(m).eigenvectors[..., -1:]
        try:
            return super().forward(x)
        finally:
            dropover.density.leading_axes, dropover.density.leading_axis = own
            dropover.density.compiled_crowding = _COMPILED


def rows() -> list[Row]:
    """The table's rows, in the order they are printed."""
    table = []
    for shape in ((64, 512, 4, 4), (256, 4096), (64, 64, 32, 32)):
        table.append(Row("Dropout / nn.Dropout", shape, dropover.Dropout(0.5), nn.Dropout(0.5), 6, 12))
        table.append(Row("Flipover / nn.Dropout", shape, dropover.Flipover(0.3), nn.Dropout(0.5), 6, 12))
    table += [
        Row("SpatialDropout / nn.Dropout2d", shape, dropover.SpatialDropout(0.5), nn.Dropout2d(0.5), 2, 5)
        for shape in ((64, 512, 4, 4), (64, 64, 32, 32))
    ]
    density = dropover.DensityDropout(2)
    table.append(Row("DensityDropout(2) / nn.Dropout", (64, 512, 4, 4), density, nn.Dropout(0.5), 4, 8))
    table.append(Row("DensityDropout(2) / with eigh", (32, 256, 14, 14), density, WithEigh(2), 10, 30, 5))
    return table


def measured(row: Row, repeats: int) -> dict[str, float]:
    """Microseconds of ours, the peer and the floors."""
    x = torch.randn(row.shape, device=DEVICE, requires_grad=True)
    gradient = torch.randn(row.shape, device=DEVICE)

    def both_ways(function: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        def run() -> None:
            function(x).backward(gradient)
            x.grad = None

        return run

    tasks = {"ours": row.ours, "peer": row.peer, "clone": torch.clone, "relu": torch.relu}
    return medians({name: both_ways(task) for name, task in tasks.items()}, repeats)


def training_step() -> dict[str, float]:
    """Microseconds of a ResNet-18 training step (64 images of 32 × 32) with and without FDD-2D before the pool."""
    torch.manual_seed(0)
    images, labels = torch.randn(64, 3, 32, 32, device=DEVICE), torch.randint(10, (64,), device=DEVICE)

    def step(regularized: bool) -> Callable[[], None]:
        model = torchvision.models.resnet18(num_classes=10).to(DEVICE)
        model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False, device=DEVICE)
        model.maxpool = nn.Identity()
        if regularized:
            dropover.insert(model, {"avgpool": ("before", dropover.DensityDropout(2))})
        optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9)

        def run() -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

        return run

    return medians({"with": step(regularized=True), "without": step(regularized=False)}, 9, block=1)


def kept(layer: nn.Module) -> float:
    """Bytes a unit that a layer keeps for the backward pass, beyond its input and output."""
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.element_size())
        return tensor

    x = torch.randn(256, 4096, device=DEVICE, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x)
    return sum(sizes) / x.numel()


def main() -> None:
    """Print the table; record or check the ratios if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    where = f"{DEVICE}, {platform.machine()}, threads: {options.threads}"
    print(f"torch {torch.__version__}, {where}; µs forward plus backward, medians")
    if DEVICE.type == "cpu":
        print("no GPU here: the same table is printed for one where there is one")
    print(f"compiled kernels: {'used' if compiled() else 'not used (pip install numba)'}")
    print(f"{'ours / peer':32}{'shape':20}{'ours':>9}{'peer':>9}{'clone':>8}{'relu':>8}{'ratio':>8}  bar  aim")
    ratios = {}
    for row in rows():
        times = measured(row, QUICKLY if options.check else row.repeats)
        ratio = times["peer"] / times["ours"]
        ratios[f"{row.name} {row.shape}"] = round(ratio, 2)
        figures = f"{times['ours']:9.0f}{times['peer']:9.0f}{times['clone']:8.0f}{times['relu']:8.0f}"
        note = "" if ratio >= row.bar else "  below the bar"
        print(f"{row.name:32}{row.shape!s:20}{figures}{ratio:8.1f}{row.bar:5g}{row.aim:5g}{note}", flush=True)
    if not options.check:
        step = training_step()
        more = 100 * (step["with"] / step["without"] - 1)
        print(f"ResNet-18 step, 64 images 32x32: {step['without']:.0f} µs; with FDD-2D {more:+.1f} % (bar 2, aim 0.5)")
        for layer in (dropover.Dropout(0.5), dropover.Flipover(0.3), nn.Dropout(0.5)):
            print(
                f"kept for backward by {type(layer).__module__.split('.')[0]}.{layer}: {kept(layer):.2g} bytes a unit"
            )
    if options.record:
        entry = {"torch": torch.__version__, **circumstances(), "ratios": ratios}
        with HISTORY.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    if options.check:
        check(ratios)


def compiled() -> bool:
    """Whether the layers run on compiled kernels here."""
    return DEVICE.type == "cpu" and kernels.load("selecting") is not None


def circumstances() -> dict[str, str | bool | int]:
    """What ratios depend on, and a check compares alike."""
    processor = f"{machine()['cpu']}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": str(DEVICE), "processor": processor, "kernels": compiled(), "threads": torch.get_num_threads()}


def check(ratios: dict[str, float]) -> None:
    """Exit with 1 if a ratio stays more than 25 % below the least one recorded on this kind of device, thrice."""
    entries = [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]
    early = {"processor": "AMD EPYC, AVX512", "kernels": False, "threads": 2}  # what the first entries don't say
    now = circumstances()
    entries = [
        entry["ratios"] for entry in entries if all((early | entry)[name] == value for name, value in now.items())
    ]
    slower = []
    for row in rows():
        name = f"{row.name} {row.shape}"
        least = min((entry[name] for entry in entries if name in entry), default=0.0)
        ratio = ratios[name]
        for _ in range(3):  # another look before an alarm: the machine is noisy
            if ratio >= TOLERANCE * least:
                break
            times = measured(row, row.repeats)
            ratio = max(ratio, times["peer"] / times["ours"])
        else:
            slower.append(f"{name}: {ratio:.2f}, recorded {least:.2f}")
    if not entries:
        print("nothing is recorded for circumstances like these, so nothing was checked")
        return
    if slower:
        sys.exit("slower than recorded by more than 25 %:\n" + "\n".join(slower))
    print(f"no ratio is more than 25 % below the least of {len(entries)} recorded runs")


if __name__ == "__main__":
    main()
