"""The fast path against the general one, bit for bit."""

import threading

import pytest
import torch

from dropover.compute import kernels, masks
from dropover.compute.hits import Hits
from dropover.compute.selection import select

PIECE = 1 << 18


@pytest.fixture(params=["kernels", "pieces"], autouse=True)
def _way(request, monkeypatch):
    if request.param == "pieces":
        monkeypatch.setattr(kernels, "serving", lambda *_: None)


def fast(x, key, p, slope, scale):
    return select(x, Hits(key, None, p), slope, scale)


def general(x, key, p, slope, scale):
    hit = masks.margins(key, p, x.shape) < 0
    return torch.where(hit, torch.zeros_like(x) if slope == 0 else x * slope, x) * scale


@pytest.mark.parametrize("count", [1, 2, 2047, 2048, 2049, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 4097])
@pytest.mark.parametrize("slope", [0.0, -1.0, -0.3])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_it_equals_the_general_path(count, slope, p):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator)
    key = masks.draw_key(x.device, generator)
    assert torch.equal(fast(x, key, p, slope, 1.7), general(x, key, p, slope, 1.7))


def test_nothing_of_a_call_stays_for_the_next():
    key, other = torch.tensor(1), torch.tensor(2)
    x = torch.randn(PIECE + 5)
    first = fast(x, key, 0.5, 0.0, 2.0)
    kept = first.clone()
    fast(x, other, 0.5, 0.0, 2.0)
    assert torch.equal(first, kept)
    assert torch.equal(fast(x, key, 0.5, 0.0, 2.0), kept)


def test_threads_do_not_share_working_memory():
    x = torch.randn(3 * PIECE)
    keys = [torch.tensor(number) for number in range(4)]
    expected = [general(x, key, 0.5, 0.0, 1.0) for key in keys]
    found = {}

    def work(number):
        for _ in range(5):
            found[number] = fast(x, keys[number], 0.5, 0.0, 1.0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[number], expected[number]) for number in range(4))


def test_other_inputs_take_the_general_path_to_the_same():
    x, key = torch.randn(99), torch.tensor(3)
    expected = fast(x, key, 0.5, -0.5, 2.0)
    assert torch.equal(fast(x, key, 0.5, -0.5, torch.full((), 2.0)), expected)
    assert torch.equal(fast(x.double(), key, 0.5, -0.5, 2.0).float(), expected)
    assert fast(x.to("meta"), key.to("meta"), 0.5, 0.0, 1.0).shape == x.shape
