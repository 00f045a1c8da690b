"""`dropover models`: every network and position is listed, and mistakes are one line."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.models import NETWORKS

WIDE = {"COLUMNS": "300"}


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments], env=WIDE)
    assert result.exit_code == 0, result.output
    return re.sub(" +", " ", result.output)


def test_the_list_has_every_network_with_its_positions() -> None:
    listed = shown()
    for network in NETWORKS:
        assert f"{network.name} {network.summary} {', '.join(network.positions)}" in listed
    assert "MODULE:FACTORY" in listed
    assert "timm:NAME" in listed


def test_a_network_is_shown_with_its_parameters_settings_and_positions() -> None:
    text = shown("resnet18", "--channels", "3", "--size", "32", "--classes", "10")
    # torchvision's 11,689,512 for 1000 classes, less the larger head (990 × 513) and the larger stem (64 × 3 × 40).
    assert f"parameters {11_689_512 - 990 * 513 - 64 * 3 * 40:,}" in text
    assert "settings width=1.0, head='one'" in text
    assert "stage4 layer4.0 maps 512 maps of 4×4" in text
    assert "fc before fc features 512 features" in text


def test_groups_of_positions_and_a_data_set_by_name() -> None:
    text = shown("vit-small", "--data", "mnist-5k")
    assert "built for 1 channel of 28×28 pixels, 10 classes" in text
    assert "attention blocks.*.attention.attn_drop attention 6 times attention weights of 49×49 in 4 heads" in text
    assert "dropouts embeddings, attention, projection, mlp-hidden, mlp tokens 13 times 49 tokens" in text


def test_a_network_of_the_users_is_shown_by_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shown_nets.py").write_text(
        "from torch import nn\n"
        "def make(classes):\n"
        "    return nn.Sequential(nn.Conv2d(1, 5, 3), nn.Flatten(), nn.LazyLinear(classes))\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    text = shown("shown_nets:make", "--size", "6", "--classes", "4")
    assert "0 maps 5 maps of 4×4" in text
    assert "1 features 80 features" in text
    assert "'after 2' or 'before 2'" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet19"], "unknown network 'resnet19': did you mean 'resnet18'"),
        (["small-cnn", "--size", "8"], "small-cnn needs images of at least 16 pixels a side, got 8"),
        (["json:dumps"], "json:dumps needs a setting 'obj', which only a study can give it"),
        (["small-cnn", "--data", "mnist-5k", "--size", "28"], "--data says channels, size and classes already"),
        (["small-cnn", "--data", "mnist-5"], "did you mean 'mnist-5k'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["models", *arguments], env=WIDE)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
