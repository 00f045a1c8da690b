"""Scheduled rates: their values, how a layer follows them, and what a checkpoint keeps."""

import copy
import io
import math
import pickle
import re

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

import dropover
from dropover import (
    CosineSchedule,
    Dropout,
    Flip,
    Flipover,
    LinearSchedule,
    Plan,
    Regularizer,
    StepSchedule,
    advance,
    functional,
    insert,
)

UNIT = st.floats(0, 1)
SCHEDULED = {
    "dropout": lambda p: Dropout(p),
    "spatial": lambda p: dropover.SpatialDropout(p),
    "crossmap": lambda p: dropover.CrossmapDropout(p),
    "flipover": lambda p: Flipover(p),
    "drop-path": lambda p: dropover.DropPath(p),
    "drop-block": lambda p: dropover.DropBlock(p, 2),
    "gaussian": lambda p: dropover.GaussianDropout(eval_p=p).eval(),
    "flipover at inference": lambda p: Flipover(0.0, eval_p=p).eval(),
    "composed": lambda p: Regularizer("sample", p, Flip(0.25)),
}


def first_hits(layer, y):
    """Whether the first unit of each sample of ones was hit: samples are independent in every method here."""
    return y[:, 0, 0, 0] != 1 if layer.rescale == "none" else y[:, 0, 0, 0] == 0


def test_values_in_closed_form():
    linear, cosine, step = (
        LinearSchedule(0.2, 0.6),
        CosineSchedule(0.6, 0.2),
        StepSchedule(values=(0.0, 0.5, 0.1), at=(0.3, 0.7)),
    )
    assert [linear(t) for t in (0, 0.25, 0.5, 1)] == pytest.approx([0.2, 0.3, 0.4, 0.6])
    assert [cosine(t) for t in (0, 1 / 3, 0.5, 2 / 3, 1)] == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2])
    assert [step(t) for t in (0, math.nextafter(0.3, 0), 0.3, 0.69, 0.7, 1)] == [0.0, 0.0, 0.5, 0.5, 0.1, 0.1]
    assert StepSchedule([0, 1], [0.5]) == StepSchedule((0.0, 1.0), (0.5,))


@hypothesis.given(UNIT, UNIT, UNIT)
def test_no_value_leaves_the_ends(start, end, progress):
    for schedule in (LinearSchedule(start, end), CosineSchedule(start, end)):
        assert min(start, end) <= schedule(progress) <= max(start, end)
        assert (schedule(0.0), schedule(1.0)) == (start, end)


@pytest.mark.parametrize("name", SCHEDULED)
def test_the_frequency_of_hits_follows_advance(name, limit, z_of_rate):
    layer = SCHEDULED[name](LinearSchedule(0.0, 1.0))
    x = torch.ones(20_000, 1, 2, 2)
    assert layer(x) is x
    for fraction in (0.25, 0.7):
        advance(layer, fraction)
        assert torch.equal(layer.rates(x), torch.full_like(layer.rates(x), fraction))
        assert abs(z_of_rate(first_hits(layer, layer(x)), fraction)) < limit(2 * len(SCHEDULED))
    advance(layer, 1)
    assert first_hits(layer, layer(x)).all()
    advance(layer, 0)
    assert layer(x) is x


def test_eager_masks_are_those_of_the_number():
    x, layer = torch.ones(64, 32), Dropout(CosineSchedule(0.1, 0.9))
    advance(layer, 0.5)
    torch.manual_seed(5)
    y = layer(x)
    torch.manual_seed(5)
    assert torch.equal(y, Dropout(CosineSchedule(0.1, 0.9)(0.5))(x))


def test_every_layer_is_reached_and_both_modes_move():
    shared = Dropout(LinearSchedule(0.0, 0.4), eval_p=LinearSchedule(0.2, 0.0))
    host = nn.Linear(3, 3)
    model = nn.Sequential(
        host, shared, shared, Dropout(0.7), dropover.DropConnect(nn.Linear(3, 3), LinearSchedule(1.0, 0.0))
    )
    plan = insert(model, {"0": Flipover(lambda t: t**2)})
    advance(model, 0.5)
    x = torch.ones(2, 3)
    inserted = plan.placements[0].layer
    assert [layer.rates(x)[0, 0].item() for layer in (shared, model[3], model[4].dropping, inserted)] == pytest.approx(
        [0.2, 0.7, 0.5, 0.25]
    )
    assert shared.eval().rates(x)[0, 0].item() == pytest.approx(0.1)


def test_a_checkpoint_keeps_the_progress():
    def net():
        return nn.Sequential(
            nn.Linear(4, 4), Dropout(StepSchedule((0.0, 0.5), (0.7,))), Dropout(0.5), Flipover(LinearSchedule(0, 0.1))
        )

    model, x = net(), torch.ones(3, 4)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.progress", "3.progress"]
    advance(model, 0.7)
    file = io.BytesIO()
    torch.save(model.half().state_dict(), file)  # a cast must round neither the progress nor the step
    file.seek(0)
    fresh = net()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert [fresh[1].progress, fresh[3].progress] == [0.7, 0.7]
    assert torch.equal(fresh[1].rates(x), torch.full((3, 4), 0.5))
    assert torch.equal(fresh[3].rates(x), torch.full((3, 4), 0.7 * 0.1))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert copied[1].progress == 0.7
        assert torch.equal(copied[1].rates(x), model[1].rates(x))


def test_a_checkpoint_that_does_not_fit_is_refused():
    scheduled, constant = Dropout(LinearSchedule(0, 0.5)), Dropout(0.5)
    assert constant.state_dict() == {}
    assert list(constant.buffers()) == []
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "progress"'):
        scheduled.load_state_dict({})
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "progress"'):
        constant.load_state_dict(scheduled.state_dict())
    with pytest.raises(RuntimeError, match=r"progress must be in \[0, 1\], got 1.5"):
        scheduled.load_state_dict({"progress": torch.tensor(1.5)})
    with pytest.raises(RuntimeError, match="progress: "):
        scheduled.load_state_dict({"progress": torch.zeros(3)})
    assert scheduled.progress == 0


def test_a_plan_keeps_schedules_and_progress():
    def net():
        return nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    model = net()
    schedules = {
        "0": Dropout(StepSchedule((0.1, 0.3), (0.5,))),
        "1": Flipover(LinearSchedule(0, 0.2), eval_p=CosineSchedule(0.3, 0.1)),
    }
    plan = insert(model, {**schedules, "": Regularizer("sample", 0.5, "zero")})
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    advance(model, 0.6)
    again = insert(net(), Plan.from_json(plan.to_json()))
    assert str(again) == str(plan)
    assert again.to_json() == plan.to_json()
    assert plan.to_json().count("progress") == 2
    assert [each.layer.progress for each in again.placements if each.layer.scheduled] == [0.6, 0.6]
    text = plan.to_json().replace('"progress": 0.6', '"progress": 6')
    with pytest.raises(ValueError, match=r"placements\[\d\].layer: Dropout: progress must be in \[0, 1\], got 6"):
        Plan.from_json(text)
    with pytest.raises(ValueError, match="'progress' would have no effect"):
        Plan.from_json(re.sub(r'\{\s*"class": "StepSchedule",.*?\}\s*\}', "0.5", plan.to_json(), flags=re.DOTALL))
    earlier = Plan.from_json(plan.to_json().replace("Schedule", ""))  # as plans called them before
    assert repr(earlier.layers) == repr(plan.layers)
    with pytest.raises(ValueError, match="only dropover's own layers and schedules can be saved in a plan, got a func"):
        insert(net(), {"0": Dropout(lambda t: t / 2)}).to_json()


def test_a_rate_can_become_scheduled_and_a_number_again():
    layer, x = Dropout(LinearSchedule(0, 0.5)), torch.ones(2)
    advance(layer, 0.4)
    layer.p = CosineSchedule(0, 1)
    assert layer.rates(x)[0] == torch.tensor(CosineSchedule(0, 1)(0.4))
    with pytest.raises(ValueError, match=r"^Dropout.p: the rate that .* gives at progress 0.4 must be in \[0, 1\]"):
        layer.p = lambda t: t + 1
    assert layer.p == CosineSchedule(0, 1)
    layer.p = 0.3
    assert layer.state_dict() == {}
    assert repr(layer) == "Dropout(p=0.3)"
    layer.eval_p = LinearSchedule(0.0, 0.5)
    assert repr(layer) == "Dropout(p=0.3, eval_p=LinearSchedule(start=0.0, end=0.5))"
    assert repr(eval(repr(layer), vars(dropover))) == repr(layer)  # noqa: S307
    assert list(layer.state_dict()) == ["progress"]


@pytest.mark.parametrize("name", [*SCHEDULED, "inserted"])
def test_compiled_graphs_follow_without_compiling_again(name, limit, z_of_rate):
    torch.compiler.reset()
    x = torch.ones(2000, 1, 2, 2)
    if name == "inserted":
        model = nn.Sequential(nn.Identity())
        layer = insert(model, {"0": Dropout(LinearSchedule(0.0, 1.0))}).placements[0].layer
    else:
        model = layer = SCHEDULED[name](LinearSchedule(0.0, 1.0))
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    for step in range(21):
        advance(compiled, step / 20)
        hits = first_hits(layer, compiled(x))
        if 0 < step < 20:
            assert abs(z_of_rate(hits, step / 20)) < limit(19 * len(SCHEDULED))
        else:
            assert hits.sum() == step / 20 * len(x)
    assert counter.frame_count == 1


def test_the_compiled_scale_and_gradient_are_those_of_the_present_rate(limit, z_of_rate):
    torch.compiler.reset()
    layer = Dropout(LinearSchedule(0.0, 0.8)).to(torch.bfloat16)  # the rate itself must not be rounded to 8 bits
    compiled = torch.compile(layer, backend="inductor", fullgraph=True)
    x = torch.ones(400, 400, requires_grad=True)
    compiled(x)
    with torch.compiler.set_stance("fail_on_recompile"):
        for fraction in (0.3, 0.9):
            advance(layer, fraction)
            y = compiled(x)
            (gradient,) = torch.autograd.grad(y.sum(), x)
            assert torch.equal(gradient, y)
            torch.testing.assert_close(y.unique(), torch.tensor([0, 1 / (1 - 0.8 * fraction)]))
            assert abs(z_of_rate(y == 0, 0.8 * fraction)) < limit(2)


def test_memory_that_was_lost_gets_its_rates_back():
    with torch.device("meta"):
        layer = Dropout(LinearSchedule(0.0, 0.5))
    advance(layer, 0.5)
    assert layer.to_empty(device="cpu")._present.tolist() == [0.25, 0.0]
    assert layer.double()._present.dtype == torch.float32


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan, math.inf])
def test_progress_outside_0_to_1(fraction):
    with pytest.raises(ValueError, match=rf"^fraction must be in \[0, 1\], got {fraction!r}$"):
        advance(Dropout(LinearSchedule(0, 1)), fraction)


def test_an_advance_that_would_have_no_effect():
    for model in (nn.Linear(2, 2), nn.Sequential(Dropout(0.5), Flipover(0.2))):
        with pytest.raises(ValueError, match=r"^model has no scheduled rate, so that advance would have no effect"):
            advance(model, 0.5)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got str"):
        advance("model", 0.5)


def test_a_schedule_that_gives_no_rate_changes_nothing():
    model = nn.Sequential(Dropout(LinearSchedule(0, 0.5)), Dropout(lambda t: 2 * t))
    advance(model, 0.5)
    with pytest.raises(ValueError, match=r"the rate that .* gives at progress 0.75 must be in \[0, 1\], got 1.5"):
        advance(model, 0.75)
    assert [layer.progress for layer in model] == [0.5, 0.5]
    with pytest.raises(TypeError, match=r"the rate that .* gives at progress 0.0 must be a number, got '0'"):
        Dropout(lambda _: "0")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LinearSchedule(0, 1.5), ValueError, "end must be in [0, 1], got 1.5"),
        (lambda: CosineSchedule("0", 1), TypeError, "start must be a number, got '0'"),
        (lambda: StepSchedule((0.1, 2), (0.5,)), ValueError, "values[1] must be in [0, 1], got 2"),
        (
            lambda: StepSchedule((0.1,), ()),
            ValueError,
            "at must be increasing numbers above 0 and below 1, at least one",
        ),
        (lambda: StepSchedule((0.1, 0.2), (0.0,)), ValueError, "at must be increasing numbers above 0 and below 1"),
        (
            lambda: StepSchedule((0.1, 0.2, 0.3), (0.5, 0.5)),
            ValueError,
            "at must be increasing numbers above 0 and below 1",
        ),
        (
            lambda: StepSchedule((0.1, 0.2), (0.3, 0.5)),
            ValueError,
            "values must hold one rate more than at has steps, 3, got 2",
        ),
        (lambda: StepSchedule(0.5, (0.3,)), TypeError, "values must be a tuple of numbers, got 0.5"),
        (
            lambda: Dropout(LinearSchedule),
            TypeError,
            "p must be a number or a schedule such as LinearSchedule(0.0, 0.5), got the class",
        ),
        (lambda: Flipover(LinearSchedule(0, 0.6), rescale="mean"), ValueError, "which is 0 at p = 0.5"),
        (lambda: Flipover(lambda t: t / 9, rescale="mean"), ValueError, "which is 0 at p = 0.5"),
        (
            lambda: functional.dropout(torch.ones(2), LinearSchedule(0, 1)),
            TypeError,
            "p must be a number here, got LinearSchedule",
        ),
    ],
)
def test_wrong_settings(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
