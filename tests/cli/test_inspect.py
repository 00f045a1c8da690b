"""`dropover inspect`, the command, on a small net and real digits."""

import base64
import io
import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st
from safetensors.torch import save_file
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.models.parts.weights_file import load_weights

NET = """
from torch import nn
import dropover

def net(channels, size, classes):
    \"\"\"A net of one's own.\"\"\"
    return nn.Sequential(
        nn.Conv2d(channels, 12, 5, stride=2), nn.ReLU(), dropover.SpatialDropout(0.3), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(48, classes))

class Turned(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.conv, self.mixed, self.sum = nn.Conv2d(channels, 6, 5, stride=4), nn.Linear(6, 6), nn.Identity()
        self.fc = nn.Linear(6, classes)

    def forward(self, x):
        return self.fc(self.sum(self.mixed(self.conv(x).movedim(1, -1)) + 1).mean((1, 2)))

def other(channels, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes))
"""


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inspected_nets.py").write_text(NET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "inspected_nets", raising=False)
    return tmp_path


def weights(here: Path) -> Path:
    sys.path.insert(0, str(here))
    try:
        import inspected_nets
    finally:
        sys.path.remove(str(here))
    path = here / "w.pt"
    torch.save(inspected_nets.net(1, 28, 10).state_dict(), path)
    return path


def test_a_net_of_ones_own_is_drawn(here: Path):
    code, out, err = run(
        "inspected_nets:net", "--weights", weights(here), "--data", "mnist-5k", "--out", "pictures", "--images", 2
    )
    assert (code, err) == (0, "")
    names = ["activations", "projections-after-2", "inverted-after-2", "averages-after-2", "noisy", "adversarial"]
    assert out.splitlines() == [
        "after '2': 12 maps of 12×12",
        "before '5': 48 features",
        f"Written: pictures/index.html, and as SVG, PDF and PNG beside it {', '.join(names)}",
    ]
    files = {f"{name}.{kind}" for name in names for kind in ("svg", "pdf", "png")}
    assert {path.name for path in Path("pictures").iterdir()} == {"index.html", *files}
    page = Path("pictures/index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|[\w-]+\.(?:svg|pdf|png)")', page) == []  # nothing to load
    embedded = [base64.b64decode(part) for part in re.findall(r"base64,([^\"]+)", page)]
    assert embedded == [Path(f"pictures/{name}.svg").read_bytes() for name in names]
    assert "One draw of SpatialDropout(p=0.3" in page


def test_maps_with_their_channels_last_are_projected_and_unknown_ones_are_named(here: Path):
    code, out, _ = run("inspected_nets:Turned", "--data", "mnist-5k", "--out", "turned", "--images", 1, "--at", "mixed",
                       "--at", "sum")  # fmt: skip
    assert code == 0
    assert out.splitlines()[:2] == [
        "after 'mixed': 6 maps of 6×6",
        "after 'sum': 6×6×6 numbers, of which the dimension of the channels isn't known",
    ]
    assert out.splitlines()[2].endswith("activations, projections-after-mixed, noisy, adversarial")


def test_a_net_without_maps_is_drawn_as_far_as_it_goes(here: Path):
    code, out, _ = run("inspected_nets:other", "--data", "mnist-5k", "--out", "flat", "--images", 1)
    assert code == 0
    assert "activations, noisy, adversarial" in out


def test_errors_are_one_line_each(here: Path):
    good, bad = weights(here), here / "bad.pt"
    fine = ("inspected_nets:net", "--data", "mnist-5k")

    def fails(line: str, *arguments: object) -> None:
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert line in err

    fails("there is no module 'no_such'", "no_such:net", "--data", "mnist-5k")
    fails("did you mean 'mnist-5k'", "inspected_nets:net", "--data", "mnist-5")
    fails("no.pt: there is no such file", *fine, "--weights", "no.pt")
    told = "not of this model: it lacks '1.weight', '1.bias' and also has '0.weight', '0.bias', '5.weight' and 1 more"
    fails(told, "inspected_nets:other", "--data", "mnist-5k", "--weights", good)
    fails("no position 'conv9'", *fine, "--at", "conv9")
    bad.write_bytes(b"not a file of torch")
    fails("bad.pt: ", *fine, "--weights", bad)
    torch.save(torch.nn.Linear(2, 2), bad)
    fails("holds more than tensors", *fine, "--weights", bad)
    torch.save([1, 2], bad)
    fails("must hold a state_dict, tensors by name, got list", *fine, "--weights", bad)
    state = torch.load(good, weights_only=True)
    torch.save({"state_dict": {**state, "5.bias": torch.zeros(3)}}, bad)
    fails("'5.bias' has the shape (3,) and the model's has (10,)", *fine, "--weights", bad)
    (here / "bad.safetensors").write_bytes(b"\x00")
    fails("can't be read as safetensors", *fine, "--weights", here / "bad.safetensors")
    (here / "taken").write_text("", encoding="utf-8")
    fails("taken", *fine, "--out", "taken", "--images", 1)


def test_weights_come_from_safetensors_and_from_what_training_scripts_write(here: Path):
    wanted = torch.nn.Linear(3, 2)
    torch.save({"epoch": 3, "model": {"state_dict": wanted.state_dict()}}, here / "a.pth")
    save_file(wanted.state_dict(), here / "b.safetensors")
    for name in ("a.pth", "b.safetensors"):
        model = torch.nn.Linear(3, 2)
        load_weights(model, here / name)
        assert torch.equal(model.weight, wanted.weight)


class Payload:
    def __reduce__(self) -> Any:
        return os._exit, (66,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("whole.pt", lambda: saved(Payload())),
        ("among.pt", lambda: saved({**torch.nn.Linear(3, 2).state_dict(), "note": Payload()})),
        ("old.pt", lambda: saved({"weight": torch.ones(1), "note": Payload()}, _use_new_zipfile_serialization=False)),
        ("bare.pth", lambda: pickle.dumps(Payload())),
        ("misnamed.safetensors", lambda: saved(Payload())),
        ("bare.safetensors", lambda: pickle.dumps(Payload())),
    ],
)
def test_nothing_that_weights_hold_is_run(here: Path, name: str, content: Callable[[], bytes]):
    (here / name).write_bytes(content())
    code, out, err = run("inspected_nets:net", "--data", "mnist-5k", "--weights", name)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith(f"{name}: ")


@checked(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.booleans(), place=st.integers(0), bit=st.integers(0, 7), cut=st.booleans())
def test_damaged_weights_are_refused_in_a_line_or_read(tmp_path: Path, old: bool, place: int, bit: int, cut: bool):
    content = bytearray(saved(torch.nn.Linear(3, 2).state_dict(), _use_new_zipfile_serialization=not old))
    content[place % len(content)] ^= 1 << bit
    (tmp_path / "a.pt").write_bytes(content[: place % len(content)] if cut else content)
    told = ""
    try:
        load_weights(torch.nn.Linear(3, 2), tmp_path / "a.pt")
    except ValueError as error:
        told = str(error)
    assert re.fullmatch(rf"({re.escape(str(tmp_path / 'a.pt'))}: .*)?", told)


def saved(value: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **how)
    return file.getvalue()
