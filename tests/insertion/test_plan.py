"""A plan prints as a table, and survives JSON."""

import json

import pytest
import torch
from torch import nn

from dropover.insertion import Plan, insert, replace
from dropover.methods import METHODS
from dropover.methods.dropout import Dropout
from dropover.methods.flipover import Flipover
from dropover.methods.guided import GuidedDropout
from dropover.parts import effects, rates, units
from dropover.parts.draws import WithReplacement
from dropover.regularizer import Regularizer


def net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 4))


def test_the_table_is_aligned_and_complete() -> None:
    plan = insert(net(), {"": Flipover(0.25), "0": ("before", Dropout(0.5))})
    lines = str(plan).splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["position", "side", "host"],
        ["--------", "------", "----------"],
        ["(root)", "after", "Sequential"],
        ["0", "before", "Conv2d"],
    ]
    assert [lines[0].index("layer")] * 2 == [lines[2].index("Flipover(p=0.25"), lines[3].index("Dropout(p=0.5")]
    plan.remove()
    assert str(plan).endswith("(not attached to a model)")


def test_json_round_trip_attaches_the_same_layers() -> None:
    model = net()
    plan = insert(model, {"0": Flipover(0.3, 0.5), "3": ("before", GuidedDropout(144, 0.1, "top"))})
    replaced = replace(model, nn.Dropout, lambda old: Flipover(old.p))
    for original in (plan, replaced):
        loaded = Plan.from_json(original.to_json())
        assert not loaded.attached
        again = insert(net(), loaded, example=torch.randn(2, 3, 8, 8))
        assert str(again) == str(original)
        assert again.to_json() == original.to_json()
        assert again.attached


def test_a_replacement_from_json_is_removed_like_any_other() -> None:
    text = replace(net(), "1", lambda old: Flipover(old.p)).to_json()
    model = net().eval()
    old = model[1]
    plan = insert(model, Plan.from_json(text))
    assert plan.replaced == {"1": (old, model[1])}
    assert isinstance(model[1], Flipover)
    assert not model[1].training
    plan.remove()
    assert model[1] is old


@pytest.mark.parametrize("name", [method.name for method in METHODS if method.kind != "weights"])
def test_every_method_survives_json(name: str) -> None:
    plan = insert(net(), {"0": METHODS.get(name).make(4)})
    [layer], [loaded] = plan.layers, Plan.from_json(plan.to_json()).layers
    assert type(loaded) is type(layer)
    assert repr(loaded) == repr(layer)
    assert repr(loaded.settings()) == repr(layer.settings())


@pytest.mark.parametrize(
    "layer",
    [
        Regularizer(units.Channel(), rates.MagnitudeRates(0.1, 0.3, 0.5), effects.Flip(0.5), eval_rates=0.2),
        Regularizer(units.Position(), 0.4, effects.Noise(0.3), rescale="layer", channel_dim=-1),
        Regularizer("element", None, "zero", eval_rates=rates.SampledRates(0.5), draw=WithReplacement()),
        Regularizer("sample", rates.ConstantRate(0.2), "zero"),
        Regularizer("channel", rates.StrengthRates(4, 0.5, "top"), "zero"),
    ],
)
def test_composed_layers_survive_json(layer: Regularizer) -> None:
    plan = insert(net(), {"0": layer})
    [placed], [loaded] = plan.layers, Plan.from_json(plan.to_json()).layers
    assert repr(loaded.settings()) == repr(placed.settings())


def _json(**layer: object) -> str:
    placement = {"names": ["0"], "side": "after", "host": "Conv2d", "layer": {"class": "Flipover", "settings": {}}}
    placement.update(layer)
    return json.dumps({"format": "dropover plan 1", "placements": [placement]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "a plan must be JSON"),
        ("[]", "the JSON must hold 'format': 'dropover plan 1' and a list 'placements'"),
        ('{"format": "dropover plan 9", "placements": []}', "the JSON must hold 'format'"),
        (_json(extra=1), r"placements\[0\]: must have exactly the keys"),
        (_json(names=[]), r"placements\[0\].names: must be a list of at least one name"),
        (_json(names=[3]), r"placements\[0\].names"),
        (_json(side="around"), r"placements\[0\].side: must be one of 'before', 'after', 'instead', got 'around'"),
        (_json(host=3), r"placements\[0\].host"),
        (
            _json(channels={"dim": 1}),
            r"placements\[0\].channels: must have exactly the keys 'dim' and 'source', a text",
        ),
        (_json(channels=None), r"placements\[0\].channels: must have exactly the keys .* got None"),
        (_json(channels={"dim": 2, "source": "Conv2d"}), r"placements\[0\].channels.dim: must be 1 or -1, got 2"),
        (_json(channels={"dim": True, "source": "Conv2d"}), r"channels.dim: must be 1 or -1, got True"),
        (_json(layer=3), r"placements\[0\].layer: a layer must be one of dropover's, got 3"),
        (_json(layer={"class": "Zero", "settings": {}}), r"a layer must be one of dropover's"),
        (_json(layer={"class": "Flipovr", "settings": {}}), r"unknown class 'Flipovr': did you mean 'Flipover'\?"),
        (_json(layer={"class": "os.system", "settings": {}}), r"unknown class 'os.system': known are Regularizer"),
        (_json(layer={"class": ["x"], "settings": {}}), r"unknown class \['x'\]"),
        (_json(layer={"class": "Flipover"}), r"must have exactly the keys 'class' and 'settings'"),
        (_json(layer={"class": "Flipover", "settings": {"pp": 1}}), r"Flipover has no setting 'pp': did you mean 'p'"),
        (_json(layer={"class": "Flipover", "settings": {"p": 2}}), r"layer: Flipover: p must be in \[0, 1\], got 2"),
        (_json(layer={"class": "Flipover", "settings": {"p": "x"}}), r"Flipover: p must be a number, got 'x'"),
        (_json(layer={"class": "Flipover", "settings": {"p": [1]}}), r"Flipover: p must be a number, got \(1,\)"),
        (_json(layer={"class": "GuidedDropout", "settings": {}}), r"GuidedDropout: .*num_units"),
    ],
)
def test_a_bad_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan.from_json(text)


def test_a_plan_from_when_every_layer_had_a_channel_dim_loads() -> None:
    settings = {"p": 0.2, "channel_dim": None}
    [layer] = Plan.from_json(_json(layer={"class": "Flipover", "settings": settings})).layers
    assert repr(layer) == repr(Flipover(0.2))
    with pytest.raises(ValueError, match="Flipover has no setting 'channel_dim': known are p, "):
        Plan.from_json(_json(layer={"class": "Flipover", "settings": {"channel_dim": 1}}))


def test_only_own_layers_are_saved() -> None:
    class Mine(Flipover):
        pass

    for layer in (nn.Dropout(0.1), Mine(0.1)):
        with pytest.raises(
            ValueError, match=r"only dropover's own layers and schedules can be saved in a plan, got a (Dropout|Mine)"
        ):
            insert(net(), {"0": layer}).to_json()


def test_a_plan_for_another_model_is_refused() -> None:
    plan = Plan.from_json(insert(net(), {"3": Flipover()}).to_json())
    with pytest.raises(ValueError, match=r"the plan's position '3' is not in the model"):
        insert(nn.Sequential(nn.Linear(2, 2)), plan)
    shared = nn.Linear(2, 2)
    plan = Plan.from_json(insert(nn.Sequential(shared, shared), {"0": Flipover()}).to_json())
    with pytest.raises(ValueError, match=r"'0', '1' are one shared module in the plan, not in the model"):
        insert(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), plan)
    with pytest.raises(ValueError, match="the plan has no placements"):
        insert(nn.Linear(2, 2), Plan(()))
