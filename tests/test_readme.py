"""The README's examples do what it says."""

import re
import tomllib
from pathlib import Path

import pytest
import torch
import torchvision

import dropover
from dropover.lab.study import Study

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_a_layer_in_a_model():
    names = {}
    exec(BLOCKS[0], names)  # noqa: S102 - the README is ours
    model, x = names["model"], torch.randn(2, 3, 8, 8)
    assert model(x).shape == (2, 10)
    model.eval()
    assert torch.equal(model(x), model(x))


def test_insertion(capsys):
    model = torchvision.models.resnet18().eval()
    keys, x = list(model.state_dict()), torch.randn(1, 3, 32, 32)
    before = model(x)
    exec(BLOCKS[1], {"dropover": dropover, "model": model})  # noqa: S102
    assert "layer4.0" in capsys.readouterr().out
    assert list(model.state_dict()) == keys
    assert torch.equal(model(x), before)


def test_a_method_of_three_parts():
    names = {"dropover": dropover}
    exec(BLOCKS[2], names)  # noqa: S102
    x = torch.rand(4, 16, 3, 3)
    assert set((names["flip_maps"](x) / x).unique().tolist()) == {-1.0, 1.0}


def test_the_study_file_is_valid():
    raw = tomllib.loads(re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0])
    assert Study.model_validate(raw).seeds == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_links_point_somewhere(path):
    assert (Path(__file__).parents[1] / path).exists()
