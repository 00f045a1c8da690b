"""The guarantees of `replace`."""

import copy
import functools
import pickle
import threading

import pytest
import torch
from torch import nn

from dropover.insertion import insert, replace
from dropover.methods.density import DensityDropout
from dropover.methods.drop_connect import DropConnect
from dropover.methods.flipover import Flipover
from dropover.methods.guided import GuidedDropout


def pickled(anything):
    return pickle.loads(pickle.dumps(anything))  # noqa: S301  # our own


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.2), nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.4)))


def test_replaces_all_and_puts_the_very_old_ones_back() -> None:
    model = net()
    model[2].eval()
    old, keys = (model[1], model[2][1]), list(model.state_dict())
    plan = replace(model, nn.Dropout, lambda each: Flipover(each.p))
    assert [model[1].p, model[2][1].p] == [0.2, 0.4]
    assert [model[1].training, model[2][1].training] == [True, False]
    assert plan.replaced == {"1": (old[0], model[1]), "2.1": (old[1], model[2][1])}
    assert [each.side for each in plan.placements] == ["instead", "instead"]
    assert list(model.state_dict()) == keys
    plan.remove()
    assert model[1] is old[0]
    assert model[2][1] is old[1]
    plan.remove()


def test_a_layer_is_copied_for_each_place() -> None:
    model, layer = net(), Flipover(0.1)
    plan = replace(model, nn.Dropout, layer)
    assert [each.p for each in plan.layers] == [0.1, 0.1]
    assert len({layer, *plan.layers}) == 3
    plan.layers[0].p = 0.7
    assert (layer.p, plan.layers[1].p) == (0.1, 0.1)
    assert [model[1], model[2][1]] == list(plan.layers)
    assert [each.names for each in plan.placements] == [("1",), ("2.1",)]
    assert torch.equal(model.eval()(torch.ones(5, 4)), model(torch.ones(5, 4)))

    strengths = nn.Sequential(nn.PReLU(), nn.PReLU())
    plan = replace(strengths, nn.PReLU, nn.PReLU())
    first, second = plan.layers
    assert first.weight.data_ptr() != second.weight.data_ptr()


def test_a_class_is_made_anew_with_the_rate_of_the_old_one() -> None:
    model = net()
    plan = replace(model, nn.Dropout, Flipover)
    assert [type(each) for each in plan.layers] == [Flipover, Flipover]
    assert [each.p for each in plan.layers] == [0.2, 0.4]
    replace(model, Flipover, nn.AlphaDropout)
    assert [model[1].p, model[2][1].p] == [0.2, 0.4]
    replace(model, nn.AlphaDropout, DensityDropout)  # which has no rate `p`
    assert repr(model[1]) == repr(DensityDropout(channel_dim=-1))
    activations = nn.Sequential(nn.ReLU(), nn.ReLU())
    replace(activations, nn.ReLU, nn.GELU)
    assert [type(each) for each in activations] == [nn.GELU, nn.GELU]
    replace(activations, nn.GELU, Flipover)
    assert [each.p for each in activations] == [Flipover().p] * 2


def test_a_callable_that_is_no_module_is_a_function() -> None:
    class Halving:
        def __call__(self, old: nn.Module) -> nn.Module:
            return Flipover(old.p / 2)

    for make in (Halving(), Halving().__call__, functools.partial(lambda old, by: Flipover(old.p / by), by=2)):
        model = net()
        assert [each.p for each in replace(model, nn.Dropout, make).layers] == [0.1, 0.2]


def test_rate_zero_is_bit_identical() -> None:
    model, x = net(), torch.randn(5, 4)
    clean = model.eval()(x)
    model.train()
    replace(model, nn.Dropout, lambda old: Flipover(0.0))
    assert torch.equal(model(x), clean)


def test_names_and_patterns_select_too() -> None:
    model = net()
    replace(model, "*.1", lambda old: Flipover(old.p))
    assert isinstance(model[1], nn.Dropout)
    assert isinstance(model[2][1], Flipover)


def test_a_shared_module_is_replaced_once_everywhere() -> None:
    shared, calls = nn.Dropout(0.1), []
    model = nn.Sequential(shared, nn.Sequential(shared))
    plan = replace(model, nn.Dropout, lambda old: calls.append(old) or Flipover(old.p))
    assert len(calls) == 1
    assert model[0] is model[1][0]
    assert plan.placements[0].names == ("0", "1.0")
    plan.remove()
    assert model[0] is model[1][0] is shared


def test_device_comes_from_what_is_around() -> None:
    model = net().to("meta")
    replace(model, "1", lambda old: nn.Sequential(nn.Identity(), _Buffered()))
    assert model[1][1].mean.device.type == "meta"


class _Buffered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1), persistent=False)


class _Locked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class _OfTensor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(1, requires_grad=True) * 2


class _Low(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        if p >= 0.1:
            raise ValueError(f"p must be below 0.1, got {p}")


@pytest.mark.parametrize(
    ("kind", "make", "error", "message"),
    [
        (nn.Dropout2d, Flipover, ValueError, r"no module of type Dropout2d; it has Sequential, Linear, Dropout"),
        ("", lambda old: nn.Identity(), ValueError, r"the root can't be replaced; insert\(model, \{'': layer\}\)"),
        (nn.Sequential, lambda old: nn.Identity(), ValueError, r"the root can't be replaced"),
        ("1", lambda old: GuidedDropout(6), ValueError, r"would add the state_dict key '1.rule.strength'"),
        ("0", lambda old: nn.Identity(), ValueError, r"would lose the state_dict key '0\.(weight|bias)'"),
        ("0", lambda old: nn.Linear(4, 6), ValueError, r"would change the value of '0.weight' in the state_dict"),
        ("1", "flipover", TypeError, r"make must be a layer \(each place gets a copy\), a class .* got 'flipover'"),
        ("1", 0.3, TypeError, r"make must be a layer .*, a class of layers, or a function .* got 0.3"),
        ("1", None, TypeError, r"make must be a layer .* got None"),
        ("1", int, TypeError, r"make: a class must be a subclass of torch.nn.Module, got int"),
        (
            "1",
            GuidedDropout,
            TypeError,
            r"GuidedDropout instead of '1' \(Dropout\): the class needs num_units; give a lay",
        ),
        ("1", DropConnect, TypeError, r"needs host; give a layer, or a function such as lambda old: DropConnect\(host"),
        (
            "1",
            _Locked(),
            TypeError,
            r"^instead of '1' \(Dropout\): each place gets a copy, and _Locked can't be copied: ",
        ),
        ("1", _OfTensor(), TypeError, r"each place gets a copy, and _OfTensor can't be copied: Only Tensors created"),
        ("1", _Low, ValueError, r"^_Low instead of '1' \(Dropout\): p must be below 0.1, got 0.2"),
        ("1", lambda old: None, TypeError, r"make must return a torch.nn.Module, got None for '1'"),
        ("1", lambda old: Flipover, TypeError, r"make must return a torch.nn.Module, got <class .*Flipover'> for '1'"),
        ("1", lambda old: 0.3, TypeError, r"make must return a torch.nn.Module, got 0.3 for '1'"),
    ],
)
def test_refusals_leave_the_model_alone(kind, make, error: type[Exception], message: str) -> None:
    model = net()
    children = list(model.modules())
    with pytest.raises(error, match=message):
        replace(model, kind, make)
    assert list(model.modules()) == children


def test_a_module_within_a_replaced_one_is_refused() -> None:
    model = nn.ModuleDict({"a": nn.Sequential(nn.Sequential(nn.ReLU()))})
    with pytest.raises(ValueError, match=r"'a\.0' lies within 'a', which would be replaced too; name one of them"):
        replace(model, nn.Sequential, lambda old: nn.Identity())


def test_plans_on_one_place_come_off_last_first() -> None:
    model = net()
    original = model[1]
    first = replace(model, "1", lambda old: Flipover(0.1))
    second = replace(model, "1", lambda old: Flipover(0.2))
    with pytest.raises(RuntimeError, match="'1' was replaced again since; remove the later plan first"):
        first.remove()
    assert model[1].p == 0.2
    second.remove()
    first.remove()
    assert model[1] is original


def test_dropout_applied_as_a_function_is_named() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.MultiheadAttention(4, 2, dropout=0.1) for _ in range(2))
            self.lstm = nn.LSTM(4, 4, num_layers=2, dropout=0.3)
            self.drop = nn.Dropout(0.5)
            self.dropout = 0.7  # kept, and read by no forward

    plan = replace(Net(), nn.Dropout, lambda old: Flipover(old.p))
    assert plan.notes == (
        "dropout=0.1 of MultiheadAttention at a and 1 more is applied as a function and stays",
        "dropout=0.3 of LSTM at lstm is applied as a function and stays",
    )
    assert "note: dropout=0.3 of LSTM" in str(plan)
    with pytest.raises(
        ValueError, match=r"no module of type Dropout; .*out of reach: dropout=0.1 of MultiheadAttention"
    ):
        replace(nn.Sequential(nn.MultiheadAttention(4, 2, dropout=0.1)), nn.Dropout, lambda old: Flipover(old.p))


def test_a_layer_to_insert_that_cannot_be_copied_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"^after '0': each place gets a copy, and _Locked can't be copied: cannot pickle"
    ):
        insert(net(), {"0": _Locked()})


def test_the_fast_path_of_the_encoder_layer_is_not_fooled() -> None:
    layer, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(2, 3, 8)
    with torch.no_grad():
        with pytest.raises(ValueError, match="no effect at inference, where the fast path of TransformerEncoderLayer"):
            replace(layer, "dropout1", lambda old: Flipover(old.p, eval_p=0.5))
        insert(layer, {"dropout1": Flipover(0.5, eval_p=0.5)})
        assert not torch.equal(layer(x), layer(x))
    replace(layer, "dropout2", lambda old: Flipover(old.p))


def test_copies_carry_the_replacement_and_its_plan() -> None:
    model = net()
    plan = replace(model, nn.Dropout, lambda old: Flipover(old.p))
    for carry in (copy.deepcopy, pickled):
        twin, twin_plan = carry((model, plan))
        assert isinstance(twin[1], Flipover)
        twin_plan.remove()
        assert isinstance(twin[1], nn.Dropout)
    assert isinstance(model[1], Flipover)
