"""What every method is checked for. A check gets a method's name and raises where the method doesn't do it.

Tests run the checks, and the table in docs/guarantees.md has a column for each.
"""

import copy
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint

from dropover.compute import masks
from dropover.methods import METHODS
from dropover.parts.rates import ConstantRate

from .subjects import CHANNELS, limit, standard_errors, subject

GOLDEN = Path(__file__).with_name("golden.json")
# The golden numbers hold to the bit on every processor, but for those that come from sums and from functions that a
# processor's own code rounds: there who is hit is the same, and the numbers are so near, as a share of the largest.
ROUNDED, GOLDEN_PRECISION = ("drop-connect", "gaussian", "spectral-dropout"), 4e-6
HALVES_AND_MORE = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def seed(name: str) -> None:
    """`torch.manual_seed` brings the same masks again, the next call others; `fork_rng` leaves no trace."""
    layer, x = (made := subject(name)).layer, made.x(16)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)
    with torch.random.fork_rng():
        layer(x)
    assert torch.equal(layer(x), second)
    assert not torch.equal(first, second)


def checkpoints(name: str) -> None:
    """Gradient checkpointing computes the same masks again, in both of its ways."""
    made = subject(name)

    def block(x: Tensor) -> Tensor:
        return made.layer(made.layer(x * 2).sin())

    x = made.x()

    def run(call: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        leaf = x.clone().requires_grad_()
        torch.manual_seed(4)
        y = call(leaf)
        y.square().sum().backward()
        assert leaf.grad is not None
        return y, leaf.grad, torch.rand(1)

    plain = run(block)
    for reentrant in (True, False):
        again = run(lambda x, reentrant=reentrant: checkpoint(block, x, use_reentrant=reentrant))
        assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))


def threads(name: str) -> None:
    """The number of threads changes no mask."""
    made = subject(name)
    x = torch.rand(32, *(size if size == CHANNELS else 32 for size in made.sample)) + 0.1
    outputs = []
    before = torch.get_num_threads()
    try:
        for count in (1, 4):
            torch.set_num_threads(count)
            outputs.append(made.seeded(x).detach())
    finally:
        torch.set_num_threads(before)
    for output in outputs[1:]:
        assert torch.equal(output == 0, outputs[0] == 0)
        torch.testing.assert_close(output, outputs[0])  # sums may be rounded differently


def golden_output(name: str) -> list[float]:
    """24 numbers of what a fixed key makes of a fixed input."""
    made = subject(name)
    x = masks.uniforms(torch.tensor(1), (16, *made.sample)).float() + 0.1
    for parameter in made.layer.parameters():
        parameter.data = torch.linspace(0.5, 1.5, parameter.numel()).view_as(parameter)
    key = torch.tensor(0x0123456789ABCDEF)
    with mock.patch.object(masks, "draw_key", return_value=key):
        y = made.layer(x)
    # Nine digits tell every float32 from the next.
    return [float(f"{number:.9g}") for number in y.flatten()[5 :: y.numel() // 24][:24].tolist()]


def golden(name: str) -> None:
    """On a CPU, eagerly, a seed gives the masks that it gave in earlier releases."""
    found, expected = torch.tensor(golden_output(name)), torch.tensor(json.loads(GOLDEN.read_text())[name])
    assert torch.equal(found == 0, expected == 0)
    apart = GOLDEN_PRECISION * expected.abs().max().item() if name in ROUNDED else 0.0
    torch.testing.assert_close(found, expected, rtol=0, atol=apart)


def independent(name: str) -> None:
    """Two layers, two calls of one layer: what one does says nothing about the other."""
    made = subject(name)
    x, other, count = made.x(2), copy.deepcopy(made.layer), 3000

    def draw(_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return made.layer(x), made.layer(x), other(x)

    calls = []
    for y in torch.vmap(draw, randomness="different")(torch.empty(count)):
        apart = y.detach().double().flatten(1)
        apart = apart - apart.mean(0)
        calls.append(apart / apart.std(0).clamp(min=1e-6))
    for one, two in ((calls[0], calls[1]), (calls[0], calls[2]), (calls[1], calls[2])):
        product = (one * two).mean(1)
        z = product.mean() / product.std() * count**0.5
        assert abs(z.item()) < limit(3 * 20)


def vmap(name: str) -> None:
    """`torch.vmap` draws for each or once for all, as its `randomness` says."""
    made = subject(name)
    x = made.x(2)
    x = x.expand(6, *x.shape)
    different = torch.vmap(made.layer, randomness="different")(x)
    same = torch.vmap(made.layer, randomness="same")(x)
    assert torch.equal(same, same[:1].expand_as(same))
    assert len({tuple(row.flatten().tolist()) for row in different}) > 1
    try:
        torch.vmap(made.layer, randomness="error")(x)
    except RuntimeError as error:
        assert "random" in str(error)  # noqa: PT017  # pytest isn't there when the table is written
    else:
        raise AssertionError("randomness='error' was ignored")


def derivatives(name: str) -> None:
    """`backward`, double backward, `torch.func.grad` and `jvp` agree with finite differences under the same mask."""
    made = subject(name)
    layer = made.layer.double()
    x = made.x(1, torch.float64)
    x = (x[..., :2, :2] if x.ndim > 2 else x).clone().requires_grad_()
    names = [name for name, _ in layer.named_parameters()]
    parameters = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]

    def function(x: Tensor, *values: Tensor) -> Tensor:
        torch.manual_seed(11)
        result: Tensor = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))
        return result

    assert gradcheck(function, (x, *parameters), check_forward_ad=True)
    assert gradgradcheck(function, (x, *parameters))
    found = torch.func.grad(lambda x: function(x, *parameters).sum())(x.detach())
    assert torch.equal(found, torch.autograd.grad(function(x, *parameters).sum(), x)[0])


def compiled(name: str) -> None:
    """`torch.compile(fullgraph=True)` makes one graph, which serves every step and keeps the mean of the output."""
    made = subject(name)
    one = made.x(1)
    expected = made.expectation(one)
    x = one.expand(64, *one.shape[1:]).contiguous()
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    run = torch.compile(made.layer, backend="aot_eager", fullgraph=True)
    calls = torch.stack([run(x).detach().double().mean(0) for _ in range(150)])
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1
    error = standard_errors(calls.mean(0), expected[0], calls.std(0), 150, rounding=1e-6)
    assert error < 1.3 * limit(20 * 180)  # the spread itself is estimated from 150 calls
    torch.compiler.reset()


def dtypes(name: str) -> None:
    """Float64, float32, bfloat16 and float16 come out as they went in, under autocast too, with the right mean."""
    count = 3000
    for dtype in HALVES_AND_MORE:
        made = subject(name)
        x = made.x(1, dtype)
        made.layer.to(dtype)
        expected = made.expectation(x)
        y = made.draws(x, count).detach()
        assert y.dtype == made.layer(x).dtype == dtype
        rounding = 4 * torch.finfo(dtype).eps + 1e-6
        y = y.double()
        assert standard_errors(y.mean(0), expected, y.std(0), count, rounding) < 1.2 * limit(4 * 20 * 180), dtype
    made = subject(name)
    for dtype in (torch.float32, torch.bfloat16):
        x = made.x(2, dtype)
        quiet = subject(name).layer.eval()
        with torch.autocast("cpu", torch.bfloat16):
            as_host = quiet(x).dtype if name == "drop-connect" else dtype
            assert made.layer(x).dtype == as_host


def copies(name: str) -> None:
    """`copy.deepcopy`, `pickle` and `torch.save` give a layer that does the same."""
    made = subject(name)
    x = made.x()
    file = io.BytesIO()
    torch.save(made.layer, file)
    file.seek(0)
    expected = made.seeded(x)
    for again in (
        copy.deepcopy(made.layer),
        pickle.loads(pickle.dumps(made.layer)),  # noqa: S301
        torch.load(file, weights_only=False),
    ):
        torch.manual_seed(11)
        assert torch.equal(again(x), expected)
        assert again.training == made.layer.training


def _in_a_model(name: str) -> tuple[nn.Module, Tensor]:
    made = subject(name)
    return nn.Sequential(nn.ReLU(), made.layer, nn.Tanh()).eval(), made.x()


def export(name: str) -> None:
    """At inference `torch.export` finds no computation of the layer: it vanishes."""
    model, x = _in_a_model(name)
    program = torch.export.export(model, (x,))
    found = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    shapes = ("aten.expand", "aten.reshape", "aten._assert", "aten.to.")
    product = {"guided": ["aten.mul.Tensor"], "drop-connect": ["aten.conv2d.default"]}
    computed = [target for target in found if not target.startswith(shapes)]
    assert computed == ["aten.relu.default", *product.get(name, []), "aten.tanh.default"], computed
    assert torch.equal(program.module()(x), model(x))


def onnx(name: str) -> None:
    """The same for `torch.onnx.export`."""
    model, x = _in_a_model(name)
    program = torch.onnx.export(model, (x,), dynamo=True, verbose=False)
    assert program is not None
    product = {"guided": ["Mul"], "drop-connect": ["Conv"]}
    # Shapes that are known at export stay in the graph with torch 2.6.
    shapes = ("Constant", "Concat", "Expand", "Reshape", "Cast")
    found = [node.op_type for node in program.model.graph if node.op_type not in shapes]
    assert found == ["Relu", *product.get(name, []), "Tanh"], found


def has_constant_rate(name: str) -> bool:
    """Whether a setting `p` of the method is the rate of every unit."""
    rule = getattr(subject(name).layer, "rule", ConstantRate(0))  # DropConnect has it inside
    return "p" in METHODS.get(name).settings() and isinstance(rule, ConstantRate)


def exact_rates(name: str) -> None:
    """The rates 0 and 1 are exact: nothing is ever hit, or everything always."""
    assert has_constant_rate(name), "no constant rate"
    x = (made := subject(name, p=0)).x(64)
    assert torch.equal(made.layer(x), made.layer.eval()(x))
    everything = subject(name, p=1).layer
    bias = everything.host.bias.view(-1, 1, 1).expand(64, 12, 3, 5) if name == "drop-connect" else None  # type: ignore[union-attr,operator]
    expected = bias if bias is not None else x * everything.effect.mean  # type: ignore[union-attr,operator]
    torch.testing.assert_close(everything(x), expected, rtol=0, atol=0)


@dataclass(frozen=True)
class Feature:
    """A column of the table: its heading and the check behind it."""

    title: str
    check: Callable[[str], None]

    def meaning(self) -> str:
        """What the check holds a method to: the first line of its docstring."""
        return (self.check.__doc__ or "").splitlines()[0]


FEATURES = (
    Feature("seed", seed),
    Feature("independent", independent),
    Feature("threads", threads),
    Feature("golden", golden),
    Feature("0 and 1", exact_rates),
    Feature("checkpoint", checkpoints),
    Feature("derivatives", derivatives),
    Feature("vmap", vmap),
    Feature("compile", compiled),
    Feature("dtypes", dtypes),
    Feature("copies", copies),
    Feature("export", export),
    Feature("ONNX", onnx),
)


def run(feature: Feature, name: str) -> None:
    """Run one check under a fixed seed and in one thread; both are as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(2024)
            feature.check(name)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":  # a new release that changes masks says so in its notes
    from .subjects import NAMES

    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(golden_output(name))}" for name in NAMES)
    GOLDEN.write_text(f"{{\n{lines}\n}}\n")
