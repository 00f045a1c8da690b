"""Networks of the user's own, and timm's: built, looked at, and refused in one line."""

import re
import sys
from pathlib import Path

import pytest
import torch

import dropover
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.models.parts.placing import place
from dropover.lab.models.parts.positions import Place, look
from dropover.lab.running.checks import problems_of
from dropover.lab.streams import seeded
from dropover.lab.study import Study
from dropover.methods import METHODS

OWN = '''
"""Networks for a test."""
from torch import nn
import neighbour_of_own

def make(channels, classes, *, hidden=8, depth=1):
    """A small net of mine.

    More about it.
    """
    import another_neighbour
    body = [nn.Sequential(nn.LazyLinear(hidden), nn.ReLU()) for _ in range(depth)]
    return nn.Sequential(nn.Flatten(), *body, nn.Linear(hidden, classes))

def needs(factor): return nn.Linear(factor, 2)
def loose(**settings): return make(1, settings["outputs"])
def no_module(): return "net"
def wrong_shape(): return nn.Flatten()
def fails(classes): raise RuntimeError("no such thing\\nsecond line")
def fails_late(): return nn.Linear(3, 2)
number = 3
class Holder:
    make = staticmethod(make)
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that lies in the current directory, which is not on the path."""
    (tmp_path / "own_nets.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "neighbour_of_own.py").touch()
    (tmp_path / "another_neighbour.py").touch()
    (tmp_path / "broken_nets.py").write_text("import not_there_at_all\n", encoding="utf-8")
    (tmp_path / "worse_nets.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each not in ("", str(tmp_path))])
    for name in ("own_nets", "neighbour_of_own", "another_neighbour"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "own_nets"


def test_a_factory_of_the_users_is_told_what_it_asks_for(own: str) -> None:
    path = list(sys.path)
    network = network_named(f"{own}:make")
    assert network.summary == "A small net of mine."
    assert network.settings() == {"hidden": 8, "depth": 1}
    assert not network.takes_any_setting
    model = network.build(1, 16, 3, depth=2)
    assert model(torch.rand(5, 1, 16, 16)).shape == (5, 3)
    assert len(model) == 4
    assert sys.path == path
    assert network_named(f"{own}:Holder.make").build(1, 16, 3)(torch.rand(2, 1, 16, 16)).shape == (2, 3)


def test_its_weights_come_from_the_stream_that_it_is_built_in(own: str) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.rand(3)
        with seeded(seed, "weights"):
            states.append(network_named(f"{own}:make").build(1, 8, 3).state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert not torch.equal(states[0]["1.0.weight"], states[2]["1.0.weight"])


def test_a_layer_goes_to_any_module_of_the_users_net(own: str) -> None:
    model = network_named(f"{own}:make").build(1, 8, 3)
    place(model, {}, ["1.1", "before 2"], METHODS.get("flipover"), {}, torch.rand(2, 1, 8, 8))
    assert len(list(dropover.regularizers(model))) == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_nets:nothing", "module 'own_nets' has no 'nothing'"),
        ("own_nets:number", "own_nets:number must be a function or class, got int"),
        ("own_nets:", "must be MODULE:FACTORY, such as my_package.my_module:make, got 'own_nets:'"),
        ("own_netz:make", "there is no module 'own_netz': looked in the current directory, "),
        ("broken_nets:make", "module 'broken_nets' can't be imported: No module named 'not_there_at_all'"),
        ("worse_nets:make", "module 'worse_nets' can't be imported: ZeroDivisionError: division by zero"),
        ("timm:resnet1", "timm has no model 'resnet1': did you mean 'timm:"),
        ("resnet19", "did you mean 'resnet18'"),
    ],
)
def test_names_that_are_none(own: str, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        network_named(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("no_module", "own_nets:no_module must return a torch.nn.Module, got str"),
        (
            "wrong_shape",
            "own_nets:wrong_shape must give logits of shape (2, 3) for two images of shape (1, 8, 8), got (2, 64)",
        ),
        ("fails", "own_nets:fails failed: RuntimeError: no such thing"),
        ("fails_late", "own_nets:fails_late failed: RuntimeError: "),
    ],
)
def test_factories_that_give_no_network(own: str, factory: str, said: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)) as caught:
        network_named(f"{own}:{factory}").build(1, 8, 3)
    assert "\n" not in str(caught.value)


def problems(model: dict[str, object], *arms: dict[str, object]) -> list[str]:
    return problems_of(Study.model_validate({"model": model, "arms": [{"method": "none"}, *arms]}))


def test_a_study_of_the_users_network_is_checked_like_any_other(own: str) -> None:
    name = f"{own}:make"
    assert problems({"name": name, "hidden": 5}, {"method": "dropout", "at": ["1"]}) == []
    assert problems({"name": name, "hiden": 5}) == [
        f"model.hiden: network {name} has no such setting: did you mean 'hidden'? known are hidden, depth"
    ]
    assert problems({"name": f"{own}:needs"}) == [f"model: network {own}:needs needs a setting 'factor'"]
    assert problems({"name": f"{own}:loose", "outputs": 10}) == []
    (problem,) = problems({"name": name}, {"method": "dropout"})
    assert problem.startswith(f"arms[1].at: network {name} has no position 'fc', where dropout goes by default: name")
    assert "any module's path ('0', '1' and so on)" in problem
    (problem,) = problems({"name": f"{own}:no_module"})
    assert problem == f"model: {own}:no_module must return a torch.nn.Module, got str"


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"^timm:resnet18 needs timm: pip install timm$"):
        network_named("timm:resnet18")


def test_timms_networks_are_built_for_the_images_and_normalised_before_their_first_layer() -> None:
    timm = pytest.importorskip("timm")
    ours = network_named("timm:resnet10t").build(1, 32, 5).eval()
    theirs = timm.create_model("resnet10t", in_chans=1, num_classes=5).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(ours(images), theirs(images * 2 - 1))


def test_timms_transformers_take_the_images_size_and_a_layer_on_their_fused_attention() -> None:
    pytest.importorskip("timm")
    name, settings = "timm:vit_tiny_patch16_224", {"depth": 2, "embed_dim": 24, "num_heads": 3, "patch_size": 4}
    model = network_named(name).build(3, 16, 4, **settings).eval()
    images = torch.rand(2, 3, 16, 16)
    before, at = model(images), Place("blocks.1.attn.attn_drop", "after")
    position = look(model, [at], images)[at]
    assert (position.kind, position.shape) == ("attention", (3, 17, 17))
    assert torch.equal(model(images), before)
    plan = place(model, {}, ["blocks.*.attn.attn_drop"], METHODS.get("flipover"), {"eval_p": 0.5}, images)
    assert not torch.allclose(model(images), before)
    plan.remove()
    assert torch.equal(model(images), before)


def test_a_setting_that_timm_does_not_know_is_said_in_a_line() -> None:
    pytest.importorskip("timm")
    (problem,) = problems({"name": "timm:resnet10t", "no_such_setting": 1})
    assert problem.startswith("model.no_such_setting: timm:resnet10t failed: TypeError")
