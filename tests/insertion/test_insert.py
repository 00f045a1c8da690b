"""The guarantees of `insert`, on models small enough to know every number of."""

import copy
import pickle
from typing import NamedTuple

import pytest
import torch
from torch import nn

from dropover.insertion import insert, regularizers
from dropover.methods.crossmap import CrossmapDropout
from dropover.methods.dropout import Dropout
from dropover.methods.flipover import Flipover
from dropover.methods.guided import GuidedDropout
from dropover.methods.sap import StochasticActivationPruning

ALWAYS = Flipover(1.0)  # flips every element: in training the output is exactly -x


class Pair(NamedTuple):
    x: torch.Tensor
    other: int


def pickled(anything):
    return pickle.loads(pickle.dumps(anything))  # noqa: S301  # our own


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def hook_count(model: nn.Module) -> int:
    return sum(
        len(each._forward_hooks) + len(each._forward_pre_hooks) + len(each._forward_pre_hooks_with_kwargs)
        for each in model.modules()
    )


def test_after_and_before_act_where_they_say() -> None:
    model, x = mlp(), torch.randn(5, 4)
    clean = model(x)
    plan = insert(model, {"2": ALWAYS})
    assert torch.equal(model(x), -clean)
    plan.remove()
    insert(model, {"2": ("before", ALWAYS)})
    expected = model[2].bias * 2 - clean
    torch.testing.assert_close(model(x), expected)


def test_root_takes_a_layer_on_either_side() -> None:
    model, x = mlp(), torch.randn(5, 4)
    clean, of_negative = model(x), model(-x)
    insert(model, {"": ALWAYS})
    assert torch.equal(model(x), -clean)
    insert(model, {"": ("before", ALWAYS)})
    assert torch.equal(model(x), -of_negative)


def test_state_dict_keys_values_and_parameters_stay_and_load_either_way() -> None:
    model, plain = mlp(), mlp()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    names = [name for name, _ in model.named_modules()]
    insert(model, {"0": GuidedDropout(6), nn.ReLU: Flipover(0.2)})
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert [name for name, _ in model.named_modules()] == names
    plain.load_state_dict(after)
    model.load_state_dict(mlp().state_dict())


def test_removing_gives_back_the_identical_model() -> None:
    model, x = mlp(), torch.randn(5, 4)
    clean, state = model(x), {id(each): dict(vars(each)) for each in model.modules()}
    plan = insert(model, {"*": Flipover(0.5), "": ("before", Flipover(0.5)), "1": ("before", Flipover(0.5))})
    assert plan.attached
    assert hook_count(model) > 0
    plan.remove()
    assert not plan.attached
    assert hook_count(model) == 0
    assert {id(each): dict(vars(each)) for each in model.modules()} == state
    assert torch.equal(model(x), clean)
    plan.remove()


def test_plans_come_off_in_any_order() -> None:
    model, x = mlp(), torch.randn(5, 4)
    clean = model(x)
    first, second = insert(model, {"2": ALWAYS}), insert(model, {"2": ALWAYS})
    assert torch.equal(model(x), clean)
    first.remove()
    assert torch.equal(model(x), -clean)
    second.remove()
    assert torch.equal(model(x), clean)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [Flipover(0.0), Dropout(0.0), GuidedDropout(6, 0.0)])
def test_rate_zero_is_bit_identical(layer: nn.Module, training: bool) -> None:
    model, x = mlp().train(training), torch.randn(5, 4)
    clean = model(x)
    insert(model, {"0": layer, "1": ("before", layer)})
    assert torch.equal(model(x), clean)


def test_training_flag_follows_the_host_and_not_the_model() -> None:
    model, x = mlp(), torch.randn(5, 4)
    plan = insert(model, {"2": ALWAYS})
    model.eval()
    clean = model(x)
    assert not plan.layers[0].training
    model[2].train()
    assert torch.equal(model(x), -clean)
    assert plan.layers[0].training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_layer_follows_the_device_and_keeps_its_parameters() -> None:
    model = mlp().eval()
    plan = insert(model, {"0": GuidedDropout(6)})
    strength = next(plan.layers.parameters())
    model.cuda()(torch.randn(5, 4, device="cuda"))
    assert strength.device.type == "cuda"
    assert next(plan.layers.parameters()) is strength


def test_layer_moves_to_the_device_of_its_input() -> None:
    model = mlp().to("meta")
    plan = insert(model, {"0": GuidedDropout(6)})
    assert plan.layers[0].strength.device.type == "cpu"
    plan.layers.to("meta")
    model(torch.empty(5, 4, device="meta"))
    assert plan.layers[0].strength.device.type == "meta"


def test_each_match_has_its_own_layer() -> None:
    layer = Flipover(0.1)
    model = mlp()
    plan = insert(model, {nn.Linear: layer})
    assert len(plan.layers) == 2
    plan.layers[0].p = 0.7
    assert (plan.layers[0].p, plan.layers[1].p, layer.p) == (0.7, 0.1, 0.1)


def test_shared_module_gets_one_layer_and_all_its_names() -> None:
    shared = nn.Linear(4, 4)
    model, x = nn.Sequential(shared, shared), torch.randn(5, 4)
    plan = insert(model, {"1": ALWAYS})
    assert [each.names for each in plan.placements] == [("0", "1")]
    assert "0, 1" in str(plan)
    assert torch.equal(model(x), -shared.forward(-shared.forward(x)))
    plan.remove()
    assert len(insert(model, {"*": ALWAYS}).placements) == 1


def test_patterns_match_segment_by_segment() -> None:
    block = nn.ModuleDict({"attn": nn.ModuleDict({"mlp": nn.Linear(2, 2)}), "mlp": nn.Linear(2, 2)})
    model = nn.ModuleDict({"blocks": nn.ModuleList([block, copy.deepcopy(block)])})
    plan = insert(model, {"blocks.*.mlp": Flipover(0.1)})
    assert [each.names for each in plan.placements] == [("blocks.0.mlp",), ("blocks.1.mlp",)]


@pytest.mark.parametrize("carry", [copy.deepcopy, pickled])
def test_copies_and_pickles_carry_their_own_layers(carry) -> None:
    model, x = mlp(), torch.randn(5, 4)
    clean = model(x)
    plan = insert(model, {"2": ALWAYS, "0": ("before", Flipover(0.0))})
    twin, twin_plan = carry((model, plan))
    assert torch.equal(twin(x), -clean)
    plan.layers[1].p = 0.0
    plan.remove()
    assert torch.equal(twin(x), -clean)
    twin_plan.remove()
    assert torch.equal(twin(x), clean)
    assert hook_count(twin) == 0


def test_a_loaded_model_takes_further_insertions(tmp_path) -> None:
    # torch numbers its hooks from 0 in each process: a loaded hook must not be overwritten by a new one.
    model, x = mlp(), torch.randn(5, 4)
    clean = model(x)
    insert(model, {"2": ALWAYS})
    torch.save(model, tmp_path / "model.pt")
    torch.utils.hooks.RemovableHandle.next_id, old = 0, torch.utils.hooks.RemovableHandle.next_id
    try:
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for _ in range(3):
            insert(loaded, {"2": ALWAYS})
        assert len(list(regularizers(loaded))) == 4
        assert torch.equal(loaded(x), clean)
    finally:
        torch.utils.hooks.RemovableHandle.next_id = max(old, torch.utils.hooks.RemovableHandle.next_id)


def test_tuples_lists_and_named_tuples_keep_their_kind() -> None:
    class Returns(nn.Module):
        def __init__(self, make) -> None:
            super().__init__()
            self.make = make

        def forward(self, x):
            return self.make(x)

    x = torch.randn(5, 4)
    for output, kind in (((x, 1), tuple), ([x, 1], list), (Pair(x, 1), Pair)):
        model = Returns(lambda _, output=output: output)
        insert(model, {"": ALWAYS})
        result = model(x)
        assert type(result) is kind
        assert torch.equal(result[0], -x)
        assert result[1] == 1
    lstm = nn.LSTM(4, 3)
    clean, _ = lstm(x)
    insert(lstm, {"": ALWAYS})
    changed, state = lstm(x)
    assert torch.equal(changed, -clean)
    assert len(state) == 2


def test_keyword_only_calls_take_the_one_tensor() -> None:
    class Inner(nn.Module):
        def forward(self, x, other=None, scale=1.0):
            return x * scale

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()
            self.both = False

        def forward(self, x):
            return self.inner(x=x, other=x if self.both else None, scale=2.0)

    model, x = Outer(), torch.randn(5, 4)
    insert(model, {"inner": ("before", ALWAYS)})
    assert torch.equal(model(x), -2 * x)
    model.both = True
    with pytest.raises(TypeError, match=r"before 'inner': Inner was called with keywords only.*got x, other"):
        model(x)


def test_learned_strengths_train_through_the_plan() -> None:
    model = mlp()
    plan = insert(model, {"0": GuidedDropout(6, 0.0)})
    optimizer = torch.optim.SGD([*model.parameters(), *plan.layers.parameters()], lr=0.1)
    model(torch.rand(5, 4)).sum().backward()
    optimizer.step()
    strength = plan.layers[0].strength
    assert (strength != 1).any()
    other = insert(mlp(), plan)
    other.layers.load_state_dict(plan.layers.state_dict())
    assert torch.equal(other.layers[0].strength, strength)


def test_regularizers_finds_modules_and_insertions_once() -> None:
    shared = Flipover(0.2)
    model = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 4), shared, nn.Dropout(0.5))
    plan = insert(model, {"0": StochasticActivationPruning()})
    assert list(regularizers(model)) == [shared, plan.layers[0]]


def test_a_misfit_names_the_position() -> None:
    model = mlp()
    insert(model, {"0": CrossmapDropout(0.5)})
    with pytest.raises(ValueError, match=r"^CrossmapDropout after '0': position units take .*got an input of shape"):
        model(torch.randn(5, 4))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_in_one_graph_and_follows_every_flag(backend: str) -> None:
    torch.compiler.reset()
    model, x = mlp(), torch.randn(64, 4)
    insert(model, {"0": GuidedDropout(6, 0.5), "2": ("before", Flipover(0.5))})
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    assert not torch.equal(compiled(x), compiled(x))
    model.eval()
    torch.testing.assert_close(compiled(x), model(x))
    assert torch.equal(compiled(x), compiled(x))
    model.train()
    assert not torch.equal(compiled(x), compiled(x))
