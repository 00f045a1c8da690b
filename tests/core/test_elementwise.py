"""The fast path against the general one, bit for bit."""

import threading

import pytest
import torch

from dropover.compute import elementwise, masks
from dropover.compute.selection import element_margins

PIECE = 1 << 18


def general(x, key, p, slope, scale):
    hit = element_margins(key, p, x.shape, None, x.dtype) < 0
    return torch.where(hit, torch.zeros_like(x) if slope == 0 else x * slope, x) * scale


@pytest.mark.parametrize("count", [1, 2, 2047, 2048, 2049, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 4097])
@pytest.mark.parametrize("slope", [0.0, -1.0, -0.3])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_it_equals_the_general_path(count, slope, p):
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, generator=generator)
    key = masks.draw_key(x.device, generator)
    assert torch.equal(elementwise.select(x, key, p, slope, 1.7), general(x, key, p, slope, 1.7))


def test_nothing_of_a_call_stays_for_the_next():
    key, other = torch.tensor(1), torch.tensor(2)
    x = torch.randn(PIECE + 5)
    first = elementwise.select(x, key, 0.5, 0.0, 2.0)
    kept = first.clone()
    elementwise.select(x, other, 0.5, 0.0, 2.0)
    assert torch.equal(first, kept)
    assert torch.equal(elementwise.select(x, key, 0.5, 0.0, 2.0), kept)


def test_threads_do_not_share_working_memory():
    x = torch.randn(3 * PIECE)
    keys = [torch.tensor(number) for number in range(4)]
    expected = [general(x, key, 0.5, 0.0, 1.0) for key in keys]
    found = {}

    def work(number):
        for _ in range(5):
            found[number] = elementwise.select(x, keys[number], 0.5, 0.0, 1.0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[number], expected[number]) for number in range(4))


def test_other_inputs_are_left_to_the_general_path():
    assert elementwise.applies(torch.zeros(2), 1.0)
    assert not elementwise.applies(torch.zeros(2, dtype=torch.float64), 1.0)
    assert not elementwise.applies(torch.zeros(2, device="meta"), 1.0)
    assert not elementwise.applies(torch.zeros(2), torch.ones(()))
