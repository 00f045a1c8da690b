"""Speed of the layers, forward plus backward, in units of the floor that the same run measured.

    python benchmarks/layers.py            print the tables, and what became slower than history.jsonl has it
    python benchmarks/layers.py --record   and append the figures to it

The floor is `relu`, forward and backward, on the same tensor; for FDD-2D on large maps the covariance of the maps,
forward only. Times are medians of interleaved calls, in memory that is reused, on as many threads as `--threads` says.
One thread, the default, is timed by the processor's clock, which stands still while others have the processor; several
are timed by the wall, and on a busy machine measure who else is there.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torchvision
from history import Circumstances, alike, record, verdict
from timing import keep_freed_memory, medians
from torch import Tensor, nn

import dropover
from dropover.compute import kernels
from dropover.lab.machine import machine

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
RATES = (0.1, 0.3, 0.5)  # PyTorch's dropout takes longest at 0.5
SHAPES = ((32, 200), (128, 64, 7, 7), (64, 512, 4, 4), (256, 4096), (64, 64, 32, 32))
AIM = 1.5  # floors, for the layers whose rate is the same everywhere
Both = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One figure: a layer's time on an input of one shape, in floors; the peer's time in units of the layer's own."""

    layer: str
    shape: tuple[int, ...]
    microseconds: float
    floor: float
    aim: float
    peers: tuple[float, ...] = ()

    @property
    def floors(self) -> float:
        """The layer's time in units of the floor."""
        return self.microseconds / self.floor

    def __str__(self) -> str:
        peers = f"{min(self.peers):6.1f} to {max(self.peers):.1f}" if self.peers else ""
        note = "" if self.floors <= self.aim else "  above the aim"
        return (
            f"{self.layer:20}{self.shape!s:20}{self.microseconds:9.0f}{self.floor:9.0f}{self.floors:8.2f}"
            f"{self.aim:6.1f}  {peers:16}{note}"
        )


def both_ways(function: Both, x: Tensor, gradient: Tensor) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        function(x).backward(gradient)
        x.grad = None

    return run


def timed(tasks: dict[str, Callable[[], object]], repeats: int, block: int = 5) -> dict[str, float]:
    """Medians by the clock that this device and number of threads allow."""
    alone = DEVICE.type == "cpu" and torch.get_num_threads() == 1
    return medians(tasks, repeats, block, time.process_time if alone else time.perf_counter)


def same_rate_everywhere(shape: tuple[int, ...]) -> list[Row]:
    """The layers of one rate, each at its slowest rate, with PyTorch's own at the same rates as peers."""
    x, gradient = torch.randn(shape, device=DEVICE, requires_grad=True), torch.randn(shape, device=DEVICE)
    peers = {dropover.Dropout: nn.Dropout, dropover.Flipover: nn.Dropout}
    if len(shape) > 2:
        peers[dropover.SpatialDropout] = nn.Dropout2d
    tasks: dict[str, Both] = {"relu": torch.relu}
    for kind in (*peers, *dict.fromkeys(peers.values())):
        tasks |= {f"{kind.__module__}.{kind.__name__} {p}": kind(p) for p in RATES}
    repeats = 3 if x.numel() > 1 << 20 else 15
    times = timed({name: both_ways(task, x, gradient) for name, task in tasks.items()}, repeats)
    rows = []
    for ours, theirs in peers.items():
        own = [times[f"{ours.__module__}.{ours.__name__} {p}"] for p in RATES]
        peer = [times[f"{theirs.__module__}.{theirs.__name__} {p}"] for p in RATES]
        ratios = tuple(b / a for a, b in zip(own, peer, strict=True))
        rows.append(Row(ours.__name__, shape, max(own), times["relu"], AIM, ratios))
    return rows


def by_density(shape: tuple[int, ...], aim: float, *, against_covariance: bool) -> Row:
    """FDD-2D."""
    x, gradient = torch.randn(shape, device=DEVICE, requires_grad=True), torch.randn(shape, device=DEVICE)
    maps = x.detach().flatten(2)

    def covariance() -> Tensor:
        centred = maps - maps.mean(dim=1, keepdim=True)
        return centred.mT @ centred if maps.shape[1] >= maps.shape[2] else centred @ centred.mT

    layer = dropover.DensityDropout(2)
    floor = covariance if against_covariance else both_ways(torch.relu, x, gradient)
    times = timed({"ours": both_ways(layer, x, gradient), "floor": floor}, 4 if against_covariance else 15)
    return Row("FDD-2D", shape, times["ours"], times["floor"], aim)


def table() -> list[Row]:
    """Measure all, and print each row when it is there."""
    print(f"{'layer':20}{'shape':20}{'µs':>9}{'floor':>9}{'floors':>8}{'aim':>6}  PyTorch's own / ours, p 0.1 to 0.5")
    rows = []
    for shape in SHAPES:
        for row in same_rate_everywhere(shape):
            print(row, flush=True)
            rows.append(row)
    for shape, aim, against_covariance in (((64, 512, 4, 4), 4.5, False), ((32, 256, 14, 14), 2.5, True)):
        rows.append(by_density(shape, aim, against_covariance=against_covariance))
        print(rows[-1], "  floor: its covariance" if against_covariance else "", flush=True)
    ratios = [ratio for row in rows if row.layer in ("Dropout", "Flipover") for ratio in row.peers]
    print(f"nn.Dropout takes {min(ratios):.1f} to {max(ratios):.0f} times the time of Dropout and Flipover")
    return rows


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

    return timed({"with": step(regularized=True), "without": step(regularized=False)}, 9, block=1)


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


def circumstances() -> Circumstances:
    """What figures depend on here."""
    return Circumstances(
        processor=f"{machine()['cpu']}, {torch.backends.cpu.get_cpu_capability()}",
        device=str(DEVICE) if DEVICE.type == "cpu" else torch.cuda.get_device_name(),
        threads=torch.get_num_threads(),
        kernels=DEVICE.type == "cpu" and kernels.load("selecting") is not None,
        torch=torch.__version__,
    )


def main() -> None:
    """Print the tables and the verdict; record the figures if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    now = circumstances()
    print(now)
    figures = {f"{row.layer} {row.shape}": row.floors for row in table()}
    print(verdict(figures, alike(now)))
    if options.record:
        record(now, figures)
    step = training_step()
    more = 100 * (step["with"] / step["without"] - 1)
    print(f"ResNet-18 step, 64 images 32x32: {step['without']:.0f} µs; with FDD-2D before the pool {more:+.1f} %")
    for layer in (dropover.Dropout(0.5), dropover.Flipover(0.3), nn.Dropout(0.5)):
        print(f"kept for backward by {type(layer).__module__.split('.')[0]}.{layer}: {kept(layer):.2g} bytes a unit")


if __name__ == "__main__":
    main()
