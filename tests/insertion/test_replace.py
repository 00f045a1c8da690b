"""The guarantees of `replace`."""

import copy
import pickle

import pytest
import torch
from torch import nn

from dropover.insertion import insert, replace
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


@pytest.mark.parametrize(
    ("kind", "make", "error", "message"),
    [
        (nn.Dropout2d, Flipover, ValueError, r"no module of type Dropout2d; it has Sequential, Linear, Dropout"),
        ("", lambda old: nn.Identity(), ValueError, r"the root can't be replaced; insert\(model, \{'': layer\}\)"),
        (nn.Sequential, lambda old: nn.Identity(), ValueError, r"the root can't be replaced"),
        ("1", lambda old: GuidedDropout(6), ValueError, r"would add the state_dict key '1.rule.strength'"),
        ("0", lambda old: nn.Identity(), ValueError, r"would lose the state_dict key '0\.(weight|bias)'"),
        ("0", lambda old: nn.Linear(4, 6), ValueError, r"would change the value of '0.weight' in the state_dict"),
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
