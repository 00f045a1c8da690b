"""Compiled kernels against the operations that they stand in for, and everything without them."""

import os
import subprocess
import sys
import threading

import pytest
import torch

import dropover
from dropover.compute import density, kernels, masks
from dropover.compute.hits import Hits
from dropover.compute.selection import select

pytest.importorskip("numba")

COUNTS = [1, 2, 3, 31, 4097, (1 << 15) - 1, (1 << 15) + 1, (1 << 17) + 5]
THREADS = [1, 2, 3]


@pytest.fixture
def without(monkeypatch):
    """Call a function as where no kernel could be loaded."""

    def call(function):
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "serving", lambda *_: None)
            return function()

    return call


@pytest.fixture(params=THREADS)
def threads(request):
    torch.set_num_threads(request.param)


def awkward(*shape):
    """Random numbers, some of them infinite, not a number, 0 or subnormal."""
    x = torch.randn(shape)
    for index, value in enumerate([float("inf"), float("-inf"), float("nan"), -0.0, 1e-42]):
        x.view(-1)[index :: 13 + index] = value
    return x


def same_bits(one, other):
    return torch.equal(one.contiguous().view(torch.int32), other.contiguous().view(torch.int32))


def both_ways(layer, x, gradient):
    """Output and gradient under one seed."""
    x = x.detach().requires_grad_()
    torch.manual_seed(3)
    y = layer(x)
    y.backward(gradient)
    return y.detach(), x.grad


def elements(x, key, p, slope, scale):
    return select(x, Hits(key, None, p), slope, scale)


def test_kernels_are_there():
    assert kernels.load("selecting") is not None
    assert kernels.load("crowding") is not None


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("slope", [0.0, -1.0, -0.3])
def test_elements_equal_the_operations_of_torch(count, slope, without, threads):
    x, key = awkward(count), torch.tensor(-0x123456789ABCDEF + count)
    for p in (0.0, 0.3, 1.0):
        expected = without(lambda p=p: elements(x, key, p, slope, 1.7))
        found = elements(x, key, p, slope, 1.7)
        assert torch.equal(found.isnan(), expected.isnan())
        assert same_bits(found.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("key", [0, -1, 1 << 62, -(1 << 63), 0x0123456789ABCDEF])
def test_lanes_equal_the_operations_of_torch(count, key, without):
    key = torch.tensor(key)
    assert torch.equal(masks.margins(key, 0.5, (count,)), without(lambda: masks.margins(key, 0.5, (count,))))


SHAPES = [
    (1, 1, 1),
    (3, 5),
    (5, 7, 2),
    (4, 6, 3, 3),
    (2, 3, 16),
    (3, 4, 17),
    (2, 33, 7, 7),
    (5, 40, 33, 32),
    (2, 3, 4, 5, 6),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("units", ["channel", "position", "sample"])
@pytest.mark.parametrize("effect", [dropover.Zero(), dropover.Flip(0.3)], ids=repr)
@pytest.mark.parametrize("rescale", ["none", "mean"])
def test_units_equal_the_operations_of_torch(shape, units, effect, rescale, without, threads):
    if units == "position" and len(shape) < 3:
        return
    plain, gradient = awkward(*shape), torch.randn(shape)
    rates = dropover.MagnitudeRates(0.7, 0.2)  # a rate, and so a scale, for each unit
    for x in (
        plain,
        plain.movedim(1, -1).contiguous().movedim(-1, 1),
        plain.flip(0).transpose(0, 1).contiguous().transpose(0, 1),
    ):
        for rule in (0.4, rates):
            layer = dropover.Regularizer(units, rule, effect, rescale=rescale)
            found, expected = (
                both_ways(layer, x, gradient),
                without(lambda x=x, layer=layer: both_ways(layer, x, gradient)),
            )
            for one, other in zip(found, expected, strict=True):
                assert one.stride() == other.stride()
                assert torch.equal(one.isnan(), other.isnan())
                assert same_bits(one.nan_to_num(), other.nan_to_num())


class Counting:
    """The kernels, and how often one selected by units."""

    def __init__(self, kernels):
        self.kernels, self.calls = kernels, 0

    def units(self, *arguments):
        self.calls += 1
        self.kernels.units(*arguments)


@pytest.mark.parametrize(
    ("x", "margins", "scale", "served"),
    [
        (torch.randn(4, 6, 5, 5), torch.randn(4, 6, 1, 1), 1.0, True),
        (torch.randn(1, 6, 5, 5), torch.randn(4, 6, 1, 1), 1.0, False),
        (torch.randn(4, 6, 5, 5).double(), torch.randn(4, 6, 1, 1), 1.0, False),
        (torch.randn(4, 6, 5, 5), torch.randn(4, 6, 1, 1), torch.ones(4, 1, 1, 1).expand(4, 6, 5, 1), False),
        (torch.randn(2, 3, 2, 3, 2, 2), torch.randn(1, 3, 1, 3, 1, 2), 1.0, False),
    ],
)
def test_what_no_kernel_serves_is_left_to_torch(x, margins, scale, served, monkeypatch):
    counting = Counting(kernels.load("selecting"))
    monkeypatch.setitem(kernels._loaded, "selecting", counting)
    y = select(x, Hits(torch.tensor(1), margins), 0.0, scale)
    assert counting.calls == served
    assert torch.equal(y, torch.where(margins < 0, 0, x) * scale)


def test_an_infinity_that_is_dropped_leaves_0():
    x = torch.full((8, 64, 4, 4), float("inf"))
    for layer in (dropover.Dropout(), dropover.SpatialDropout()):
        assert set(layer(x).unique().tolist()) == {0.0, float("inf")}


def test_density_does_not_depend_on_threads_nor_on_neighbours():
    x = torch.randn(9, 130, 70)
    x[4, 3, 2] = float("nan")
    x[6] = 0
    found = []
    for count in THREADS:
        torch.set_num_threads(count)
        found.append(density.crowding(x, 2, 5))
    assert all(torch.equal(one, found[0]) for one in found)
    assert torch.equal(torch.cat([density.crowding(one.unsqueeze(0), 2, 5) for one in x]), found[0])
    assert (found[0][[4, 6]] == 1).all()


@pytest.mark.parametrize("size", [2, 16, 33, 64, 150])
@pytest.mark.parametrize("components", [2, 3])
def test_equal_eigenvalues_are_all_found(size, components):
    """Clusters along two equally long axes: a basis that holds one of them only sees half the clusters."""
    generator = torch.Generator().manual_seed(size)
    axes = torch.linalg.qr(torch.randn(size, size, generator=generator)).Q[:, :2]
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    x = torch.cat([corners @ axes.T] * 40) + 0.002 * torch.randn(160, size, generator=generator)
    bins = {2: 5, 3: 3}[components]
    found = density.crowding(x.unsqueeze(0), 2, bins)[0]
    assert found.view(40, 4).mean(0).min() > 0.3  # four crowds, none merged into a line of two


def test_several_threads_of_a_user_at_once():
    x = torch.randn(64, 128, 6, 6)
    layers = [dropover.Dropout(), dropover.SpatialDropout(), dropover.DensityDropout(2)]
    torch.set_num_threads(2)
    keys = [torch.tensor(number) for number in range(6)]

    def work(number, found):
        torch.set_num_threads(2)
        for _ in range(5):
            found[number] = (elements(x, keys[number], 0.5, 0.0, 2.0), layers[2].rates(x))

    apart, together = {}, {}
    for number in range(6):
        work(number, apart)
    workers = [threading.Thread(target=work, args=(number, together)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number in range(6):
        assert all(torch.equal(one, other) for one, other in zip(apart[number], together[number], strict=True))


FORKED = """
import os, torch, dropover
from dropover.compute.hits import Hits
from dropover.compute.selection import select
torch.set_num_threads(2)
x, hits = torch.randn(1 << 18), Hits(torch.tensor(5), None, 0.5)
expected = select(x, hits, 0.0, 2.0)
child = os.fork()
if child == 0:
    same = torch.equal(select(x, hits, 0.0, 2.0)[:100], expected[:100])
    os._exit(0 if same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.equal(select(x, hits, 0.0, 2.0), expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_works_alone():
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=600)  # noqa: S603


@pytest.mark.parametrize("lacking", ["numba turned off", "no numba"])
def test_without_numba_all_is_as_before(lacking):
    hidden = "import sys; sys.modules['numba'] = None\n" if lacking == "no numba" else ""
    code = f"""{hidden}
import torch, dropover
from dropover.compute import kernels
torch.manual_seed(1)
y = dropover.Dropout()(torch.ones(999)), dropover.SpatialDropout()(torch.ones(4, 8, 3, 3))
rates = dropover.DensityDropout(2).rates(torch.rand(2, 40, 3, 3))
assert kernels.load("selecting") is None and kernels.load("crowding") is None
print(*[int(one.sum()) for one in y])
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"} if lacking == "numba turned off" else None
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    torch.manual_seed(1)
    y = dropover.Dropout()(torch.ones(999)), dropover.SpatialDropout()(torch.ones(4, 8, 3, 3))
    assert done.stdout.split() == [str(int(one.sum())) for one in y]


def test_a_folder_that_cannot_be_written_to_costs_only_the_cache(tmp_path):
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from dropover.compute import kernels\n"
        "assert kernels.load('selecting') is not None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)  # noqa: S603
