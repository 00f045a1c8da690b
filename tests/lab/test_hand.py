"""`lab.attack`, `lab.inspect`, `lab.places` and `lab.reproduce` on what somebody has in hand."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

import dropover
from dropover import lab
from dropover.lab.models.parts.users import place_in
from dropover.lab.study import Arm
from dropover.registry import UnknownNameError

DRAWS = torch.Generator().manual_seed(0)
IMAGES = torch.rand(30, 1, 12, 12, generator=DRAWS)
LABELS = (IMAGES[:, 0, :6].mean((1, 2)) > IMAGES[:, 0, 6:].mean((1, 2))).long()


class HalfAgainstHalf(nn.Module):
    """Right on every image: which half is brighter. Nothing is trained, so that what attacks can do is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        brighter = x[:, 0, :6].mean((1, 2)) - x[:, 0, 6:].mean((1, 2))
        return torch.stack([-brighter, brighter], 1)


def test_an_attack_fells_what_lies_within_its_ball_and_nothing_else():
    model = HalfAgainstHalf()
    margins = model(IMAGES)[:, 1].abs()
    # Each half can be moved by eps towards the other, as far as its pixels are not clipped.
    found = lab.attack(model, IMAGES, LABELS, eps=[0.0, 1e-4, 0.5], name="pgd", steps=5)
    assert found.clean == 1.0
    assert found.eps == (0.0, 1e-4, 0.5)
    assert found.accuracy[0.0] == 1.0
    assert found.accuracy[0.5] == 0.0
    assert found.right[1][margins > 3e-4].all()
    for eps, images in zip(found.eps, found.images, strict=True):
        assert (images - IMAGES).abs().max() <= eps + 1e-6
        assert images.min() >= 0
        assert images.max() <= 1
    assert str(found).startswith("clean 100.0 %; under attack 100.0 % at ε = 0, ")


def test_bytes_are_pixels_too_and_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(144, 2)).train()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    whole = (IMAGES * 255).round().to(torch.uint8)
    as_bytes = lab.attack(model, whole, LABELS, 0.1, batch_size=7)
    as_floats = lab.attack(model, whole.float() / 255, LABELS, 0.1, batch_size=7)
    assert torch.equal(as_bytes.images[0], as_floats.images[0])
    assert torch.equal(torch.rand(2), expected)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_what_an_attack_does_not_have_is_refused():
    with pytest.raises(UnknownNameError, match="unknown attack 'pgdd'"):
        lab.attack(HalfAgainstHalf(), IMAGES, LABELS, 0.1, name="pgdd")
    with pytest.raises(TypeError, match="speed"):
        lab.attack(HalfAgainstHalf(), IMAGES, LABELS, 0.1, speed=3)


def test_a_model_in_hand_is_drawn(tmp_path: Path):
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2)
    ).train()
    files = lab.inspect(
        model, IMAGES, LABELS, out=tmp_path, count=3, classes=("dark", "bright"), facts={"Run": "first"}
    )
    page = files[0].read_text(encoding="utf-8")
    assert files[0] == tmp_path / "index.html"
    assert all(file.is_file() for file in files)
    assert "first" in page
    assert "74 parameters" in page
    assert model.training
    with pytest.raises(ValueError, match="no maps and no linear layer to look at"):
        lab.inspect(HalfAgainstHalf(), IMAGES, LABELS, out=tmp_path)


def test_a_table_of_the_papers_is_there_by_its_name(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="fdd-table33"):
        lab.reproduce("fdd-table33", out=tmp_path)
    made = lab.reproduce("fdd-figure2", "smoke", out=tmp_path, progress=False)
    assert not made.evidence.unfinished
    assert made.files[0].is_file()
    assert made.items


def test_dropouts_stay_where_a_layer_does_not_fit_them():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Linear(4, 2), nn.Dropout(0.2))
    maps_only = Arm.model_validate({"method": "fdd2d", "channel_dim": 1})
    with pytest.raises(ValueError, match="takes maps"):
        place_in(model, maps_only, torch.zeros(2, 4))
    assert [type(module) for module in model[1::2]] == [nn.Dropout, nn.Dropout]
    assert not any(True for _ in dropover.regularizers(model))
