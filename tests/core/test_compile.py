"""In a compiled graph the compiler's own random numbers serve; the contract is the same."""

import torch

import dropover
from dropover import functional


def test_a_compiled_layer_keeps_rate_layout_and_gradient(limit, z_of_rate):
    torch.compiler.reset()
    layer = dropover.Dropout(0.3)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = torch.ones(16, 8, 32, 32).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = compiled(x)
    y.sum().backward()
    assert y.stride() == x.stride()
    assert torch.equal(x.grad, y)
    assert abs(z_of_rate(y == 0, 0.3)) < limit(1)
    torch.testing.assert_close(y.unique(), torch.tensor([0, 1 / 0.7]))


def test_draws_of_their_own_compile_and_keep_their_rates(limit, z_of_rate):
    x = torch.ones(200_000, 1, 4)
    for layer in (dropover.DropBlock(0.3, 3), dropover.DropPath(0.3), dropover.Jumpout(0.3, 0.3)):
        torch.compiler.reset()
        y = torch.compile(layer, backend="aot_eager", fullgraph=True)(x)
        assert abs(z_of_rate((y == 0)[:, 0, 2], 0.3)) < limit(3)
    torch.compiler.reset()
    ramp = torch.linspace(0, 1, 101).repeat(2, 1)
    compiled = torch.compile(dropover.MaxDropout(0.5), backend="aot_eager", fullgraph=True)
    counts = torch.stack([(compiled(ramp)[0, 1:] == 0).sum() for _ in range(300)]).double()
    assert abs(counts.mean() - 25.5) < limit(1) * 50 / (12 * 300) ** 0.5


def test_a_generator_is_honoured_in_a_compiled_graph():
    torch.compiler.reset()
    generator = torch.Generator()
    x = torch.ones(50)
    compiled = torch.compile(lambda x: functional.dropout(x, 0.5, generator=generator), backend="eager")
    generator.manual_seed(1)
    y = compiled(x)
    assert torch.equal(y, functional.dropout(x, 0.5, generator=generator.manual_seed(1)))
