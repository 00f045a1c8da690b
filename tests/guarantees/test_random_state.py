"""The random state is one key per call from PyTorch's generator, and nothing else."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import dropover
from dropover import functional
from dropover.compute import masks, pieces


def test_the_key_of_a_seed_stays_the_same():
    # Torch's own numbers: if they ever change, so do all masks of a seed.
    torch.manual_seed(0)
    assert masks.draw_key(torch.device("cpu")).item() == 900450186894289455


def test_a_call_takes_one_number_and_a_layer_has_no_other_state():
    layer, x = dropover.Dropout(), torch.ones(4, 100)
    before = dict(vars(layer))
    torch.manual_seed(1)
    layer(x)
    after_a_call = torch.get_rng_state()
    torch.manual_seed(1)
    masks.draw_key(x.device)
    assert torch.equal(torch.get_rng_state(), after_a_call)
    assert vars(layer) == before


def test_equal_masks_on_purpose_leave_the_other_numbers_alone():
    # What docs/guarantees.md gives for ranks that are to draw alike.
    layer, x = dropover.Dropout(), torch.ones(4, 100)
    outputs, later = [], []
    for rank in range(2):
        torch.manual_seed(rank)
        with torch.random.fork_rng():
            torch.manual_seed(7)
            outputs.append(layer(x))
        later.append(torch.rand(1))
    assert torch.equal(outputs[0], outputs[1])
    torch.manual_seed(1)
    assert torch.equal(later[1], torch.rand(1))
    assert later[0] != later[1]


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_generator_of_ones_own_is_wrong_under_checkpoint(use_reentrant):
    # Checkpointing restores torch's generators and no others: the gradient meets a second mask.
    def gradient_fits(generator):
        x = torch.ones(1000, requires_grad=True)
        torch.manual_seed(0)
        y = checkpoint(lambda x: functional.dropout(x, 0.5, generator=generator) * x, x, use_reentrant=use_reentrant)
        y.sum().backward()
        return torch.equal(x.grad, 2 * y.detach())

    assert gradient_fits(None)
    assert not gradient_fits(torch.Generator().manual_seed(1))


def test_a_checkpointed_block_of_a_model():
    block = nn.Sequential(nn.Conv2d(3, 8, 3), dropover.Dropout(), nn.ReLU(), dropover.DensityDropout())
    x = torch.rand(2, 3, 9, 9)
    gradients = []
    for again in (False, True):
        block.zero_grad()
        torch.manual_seed(6)
        y = checkpoint(block, x, use_reentrant=False) if again else block(x)
        y.square().sum().backward()
        gradients.append(block[0].weight.grad.clone())
    assert torch.equal(*gradients)


@pytest.fixture
def fresh_memory(monkeypatch):
    """As in a process that has made no call yet."""
    monkeypatch.setattr(pieces, "_scratch", None)


def test_the_first_call_may_be_made_in_inference_mode(fresh_memory):
    with torch.inference_mode():
        dropover.Dropout()(torch.ones(9))
    x = torch.ones(1000, requires_grad=True)
    y = dropover.Dropout()(x)
    y.sum().backward()
    assert torch.equal(x.grad, y)


def test_the_first_call_may_be_made_with_another_default_device(fresh_memory):
    x = torch.ones(1000)
    with torch.device("meta"):
        y = dropover.Dropout()(x)
    assert y.device == x.device
    assert set(dropover.Dropout()(x).tolist()) == {0.0, 2.0}


def test_the_first_call_may_be_made_with_another_default_dtype(fresh_memory, limit, z_of_rate):
    torch.set_default_dtype(torch.bfloat16)
    try:
        y = dropover.Dropout(0.002)(torch.ones(1 << 20, dtype=torch.float32))
    finally:
        torch.set_default_dtype(torch.float32)
    assert y.dtype == torch.float32
    assert abs(z_of_rate(y == 0, 0.002)) < limit(1)


@pytest.mark.parametrize("p", [2**-16, 3 * 2**-16, 1 - 2**-16])
def test_a_layer_has_the_resolution_of_its_masks(p, limit, z_of_rate):
    x = torch.ones(1 << 24)
    assert abs(z_of_rate(dropover.Dropout(p, rescale="none")(x) == 0, p)) < limit(3)
    assert abs(z_of_rate(dropover.SpatialDropout(p, rescale="none")(x.view(1 << 12, -1)) == 0, p)) < limit(3)
