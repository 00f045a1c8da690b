"""Every refusal says what, where and why, and leaves the model as it was."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from dropover.insertion import insert, replace
from dropover.methods.crossmap import CrossmapDropout
from dropover.methods.flipover import Flipover


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.1, batch_first=True)
        self.unused = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        for layer in self.encoder:
            x = layer(x)
        return self.head(self.attention(x, x, x)[0])


X = torch.randn(2, 3, 4)


def hooks(model: nn.Module) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())


@pytest.mark.parametrize(
    ("positions", "kind", "message"),
    [
        ({"haed": Flipover()}, ValueError, r"no module matches 'haed': did you mean 'head'\?"),
        ({"encoder.*.lin": Flipover()}, ValueError, r"no module matches 'encoder.\*.lin'"),
        ({"zzz": Flipover()}, ValueError, r"at the top are 'encoder', 'attention', 'unused', 'head'"),
        ({nn.Conv2d: Flipover()}, ValueError, r"no module of type Conv2d; it has Net, ModuleList, Linear"),
        ({int: Flipover()}, TypeError, r"must be a subclass of torch.nn.Module, got int"),
        ({3: Flipover()}, TypeError, r"a position must be a name, a pattern or a module type, got 3"),
        ({}, ValueError, r"positions is empty"),
        (["head"], TypeError, r"positions must map names to layers, or be a Plan, got list"),
        ({"head": Flipover}, TypeError, r"'head': the layer must be made first, as Flipover\(\.\.\.\)"),
        ({"head": 0.3}, TypeError, r"'head': must be a layer or a pair of a side and a layer, got 0.3"),
        ({"head": ("around", Flipover())}, ValueError, r"'head': the side must be 'before' or 'after', got 'around'"),
        ({"head": Flipover(), "h*": Flipover()}, ValueError, r"'head' and 'h\*' both put a layer after 'head'"),
        ({"encoder": Flipover()}, ValueError, r"'encoder' \(ModuleList\) would have no effect: it has no forward"),
        ({"attention.out_proj": Flipover()}, ValueError, r"MultiheadAttention reads its weights and never calls it"),
        ({"attention.dropout": Flipover()}, ValueError, r"'attention.dropout' is a number \(0.1\) and not a module"),
    ],
)
def test_refused_without_running(positions, kind: type[Exception], message: str) -> None:
    model = Net()
    with pytest.raises(kind, match=message):
        insert(model, positions)
    assert hooks(model) == 0


def test_one_bad_position_stops_all() -> None:
    model = Net()
    with pytest.raises(ValueError, match="out_proj"):
        insert(model, {"head": Flipover(), "attention.out_proj": Flipover()})
    assert hooks(model) == 0


def test_an_example_finds_what_is_never_called() -> None:
    model = Net()
    model.head.eval()
    flags, state = [each.training for each in model.modules()], torch.get_rng_state()
    with pytest.raises(ValueError, match=r"after 'unused' \(Linear\) would have no effect: the model doesn't call it"):
        insert(model, {"unused": Flipover(0.5, eval_p=0.5), "head": Flipover(0.5, eval_p=0.5)}, example=X)
    assert hooks(model) == 0
    assert [each.training for each in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), state)
    assert insert(model, {"head": Flipover(0.5)}, example=(X,)).attached
    assert hooks(model) == 1


def test_an_example_finds_a_layer_that_does_not_fit() -> None:
    model = Net()
    with pytest.raises(ValueError, match=r"CrossmapDropout after 'head': channel_dim must name a dimension"):
        insert(model, {"head": CrossmapDropout(channel_dim=5)}, example=X)
    assert hooks(model) == 0


def test_outputs_that_are_no_tensor_are_refused() -> None:
    class Dict(nn.Module):
        def forward(self, x):
            return {"logits": x}

    model = Dict()
    insert(model, {"": Flipover()})
    with pytest.raises(TypeError, match=r"after the root: the output of Dict must be a tensor, .* got dict"):
        model(X)
    with pytest.raises(TypeError, match="got dict"):
        insert(Dict(), {"": Flipover()}, example=X)
    rnn = nn.GRU(4, 3)
    plan = insert(rnn, {"": Flipover()})
    with pytest.raises(TypeError, match="got tuple that begins with PackedSequence"):
        rnn(pack_sequence([torch.randn(3, 4), torch.randn(2, 4)]))
    plan.remove()
    insert(rnn, {"": ("before", Flipover())})
    with pytest.raises(TypeError, match=r"before the root: the first argument of GRU must be a tensor"):
        rnn(pack_sequence([torch.randn(3, 4), torch.randn(2, 4)]))


def test_compiled_models_are_refused() -> None:
    message = "it is compiled already and would ignore the layer; insert first"
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=message):
        insert(torch.compile(model), {nn.Linear: Flipover()})
    with pytest.raises(ValueError, match=message):
        insert(torch.compile(model), {"": Flipover()})
    model[1].compile()
    with pytest.raises(ValueError, match=message):
        insert(model, {"1.0": Flipover()})
    with pytest.raises(ValueError, match=message):
        replace(model, "1.0", lambda old: Flipover())
    insert(model, {"0": Flipover()})


def test_scripted_models_are_refused() -> None:
    with pytest.raises(ValueError, match=r"it is compiled by torch\.jit"):
        insert(torch.jit.script(nn.Sequential(nn.Linear(2, 2))), {"0": Flipover()})


def test_model_must_be_a_module() -> None:
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got function"):
        insert(lambda x: x, {"": Flipover()})
