"""What compiled graphs promise beyond the table: real code, checkpoints, changed modes and rates, default dtypes."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import dropover


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch.compiler.reset()


def graphs():
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


FEW_GRAPHS = pytest.mark.skipif(
    torch.__version__.startswith("2.6."), reason="torch 2.6 makes a graph for each rate, and one more for each mode"
)


def test_a_network_in_machine_code_draws_anew_at_every_step(limit, z_of_rate):
    net = nn.Sequential(dropover.Dropout(0.3), nn.Identity(), dropover.SpatialDropout(0.4, rescale="none"))
    run = torch.compile(net, fullgraph=True)  # inductor, the default
    x = torch.ones(64, 128, 4, 4, requires_grad=True)
    first, second = run(x), run(x)
    assert graphs() == 1
    assert not torch.equal(first, second)
    second.sum().backward()
    assert torch.equal(x.grad, second)
    kept = (second != 0).flatten(2).any(2)  # dropping all 16 positions by themselves is rarer than 1e-8
    assert abs(z_of_rate(~kept, 0.4)) < limit(2)
    assert abs(z_of_rate(second[kept] == 0, 0.3)) < limit(2)


@FEW_GRAPHS
def test_training_inference_and_training_again_need_two_graphs():
    layer, x = dropover.Flipover(0.3), torch.rand(8, 8)
    run = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for training in (True, False, True, False):
        layer.train(training)
        assert torch.equal(run(x), x) != training
    assert graphs() == 2


@FEW_GRAPHS
def test_a_rate_that_changes_at_every_step_costs_one_more_graph(limit, z_of_rate):
    layer, x = dropover.Dropout(0.5), torch.ones(1 << 16)
    run = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for step in range(1, 8):
        layer.p = step / 10
        assert abs(z_of_rate(run(x) == 0, step / 10)) < limit(7)
    assert graphs() == 2  # one for the first rate, one for any


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpoint_in_a_compiled_graph(use_reentrant):
    layer = dropover.Dropout(0.5)

    def block(x):
        return (layer(x) * x).sin()

    run = torch.compile(
        lambda x: checkpoint(block, x, use_reentrant=use_reentrant), backend="aot_eager", fullgraph=True
    )
    x = torch.ones(1000, requires_grad=True)
    y = run(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 4 * torch.tensor(2.0).cos()))


@pytest.mark.parametrize("layer", [dropover.Dropout(0.001), dropover.DropBlock(0.001, 1)], ids=repr)
def test_rates_stay_fine_where_the_default_dtype_is_coarse(layer, limit, z_of_rate):
    x = torch.ones(1 << 12, 1, 16, 16)
    torch.set_default_dtype(torch.bfloat16)
    try:
        y = torch.compile(layer, backend="aot_eager", fullgraph=True)(x)
    finally:
        torch.set_default_dtype(torch.float32)
    assert abs(z_of_rate(y == 0, 0.001)) < limit(2)


def test_rates_0_and_1_are_exact():
    x = torch.ones(1 << 16, requires_grad=True)
    for p, expected in ((0.0, x), (1.0, torch.zeros_like(x))):
        torch.compiler.reset()
        assert torch.equal(torch.compile(dropover.Dropout(p), backend="aot_eager", fullgraph=True)(x), expected)
