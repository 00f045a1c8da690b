"""`dropover audit`, the command, on a small net and real digits."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.auditing.keeping import FACTS, IMAGES, PAGE
from dropover.lab.auditing.state import STATE
from dropover.lab.records.checkpoints import Checkpoints

from ..commands import POSIX, SECONDS, started, wait_for

NET = """
import time
from pathlib import Path
from torch import nn

class Net(nn.Module):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.fc = nn.Linear(channels * size * size, classes)
    def forward(self, x):
        if (Path(__file__).parent / "slow").exists(): time.sleep(0.02)
        return self.fc(x.flatten(1))

def other():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))

def few():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 3))
"""
ASKED = ("audited_nets:Net", "--weights", "net.pt", "--data", "mnist-5k", "--eps", "2/255")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Of a net that knows digits: a few steps of least effort."""
    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.study import DataSettings

    data = load_data(DataSettings(name="mnist-5k"))
    torch.manual_seed(0)
    fc = torch.nn.Linear(28 * 28, 10)
    optimizer = torch.optim.Adam(fc.parameters(), 0.003)
    images = data.train_images.flatten(1).float() / 255
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(fc(images), data.train_labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {f"fc.{name}": tensor.detach() for name, tensor in fc.state_dict().items()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: dict[str, torch.Tensor]) -> Path:
    (tmp_path / "audited_nets.py").write_text(NET, encoding="utf-8")
    torch.save(weights, tmp_path / "net.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "audited_nets", raising=False)
    return tmp_path


def content(folder: Path) -> dict[str, Any]:
    """All of audit.json that is equal where the same is done again."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    attacks = [{**each, "seconds": 0} for each in facts["attacks"]]
    return {**facts, "attacks": attacks, "circumstances": 0, "checksum": 0, "files": facts["files"][IMAGES]}


def test_a_net_is_audited_taken_over_and_verified(here: Path) -> None:
    code, out, err = run(*ASKED, "--out", "out")
    facts = json.loads((here / "out" / FACTS).read_text(encoding="utf-8"))
    assert (code, err) == (0 if facts["verdict"] == "supported" else 1, "")
    assert re.search(rf"^{facts['verdict']}$", out, re.MULTILINE)
    assert all(each["name"] in out for each in facts["checks"])
    assert facts["eps"] == 2 / 255
    assert {path.name for path in (here / "out").iterdir()} == {FACTS, IMAGES, PAGE}
    page = (here / "out" / PAGE).read_text(encoding="utf-8")
    assert "ε = 0.00784 (2/255), L∞" in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []  # nothing to load
    code, out, err = run(*ASKED, "--out", "out", "--claim", "99/100")
    assert code == 1
    assert re.search("^broken$", out, re.MULTILINE)
    code, out, err = run("--verify", "out")
    assert (code, err) == (0, ""), out
    assert out == f"recomputed: {100 * facts['accuracy']:.1f} %, broken\n"
    (here / "out" / PAGE).write_text("", encoding="utf-8")
    code, out, err = run("--verify", "out")
    assert code == 1
    assert out.startswith("audit.html was changed since it was written, or is gone\n")
    assert err == "out: is not what was written, or doesn't follow from the model\n"


def test_errors_are_one_line_each(here: Path) -> None:
    def fails(line: str, *arguments: object) -> None:
        code, out, err = run(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert line in err

    net, data = "audited_nets:Net", ("--data", "mnist-5k")
    fails("which model, and how large a ball?")
    fails("which model, and how large a ball?", net, *data)
    fails("--data is missing", net, "--eps", 0.1)
    fails("eps must be a number or a fraction such as 8/255, got '8/0'", net, *data, "--eps", "8/0")
    fails("eps must be a number or a fraction such as 8/255, got 'nan'", net, *data, "--eps", "nan")
    fails("eps must be above 0, got 0", net, *data, "--eps", 0)
    fails("eps must be a finite number of at least 0, got -0.1", net, *data, "--eps", -0.1)
    fails("eps must be at most 1 in linf, since pixels are in [0, 1], got 8", net, *data, "--eps", 8)
    fails("claim must be in [0, 1], got 45.0", net, *data, "--eps", 0.1, "--claim", 45)
    fails("budget must be one of 'quick', 'standard', 'full', got 'huge'", *ASKED, "--budget", "huge")
    fails("norm must be one of 'linf', 'l2', got 'l1'", *ASKED, "--norm", "l1")
    fails("seed must be at least 0, got -1", *ASKED, "--seed", -1)
    fails("there is no module 'no_such'", "no_such:net", *data, "--eps", 0.1)
    fails("did you mean 'mnist-5k'", net, "--data", "mnist-5", "--eps", 0.1)
    fails("net.pt: is not of this model: it lacks '1.weight'", "audited_nets:other", *ASKED[1:])
    fails("must give logits of shape (2, 10)", "audited_nets:few", *data, "--eps", 0.1)
    fails("nowhere: there is no finished audit: it has no audit.json", "--verify", "nowhere")
    (here / "taken").write_text("", encoding="utf-8")
    fails("taken", *ASKED, "--out", "taken")


@POSIX
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_an_audit_that_was_stopped_goes_on_where_it_was(here: Path, name: str) -> None:
    (here / "slow").touch()
    with started("audit", *ASKED, "--out", "out") as process:
        wait_for((here / "out" / STATE).exists, process)
        os.killpg(process.pid, getattr(signal, name))
        _, err = process.communicate(timeout=SECONDS)
    assert not (here / "out" / FACTS).exists()
    if name == "SIGINT":
        assert process.returncode == 130
        assert err.startswith("Stopped: what was found is kept. The same command goes on from there: dropover audit")
    kept = Checkpoints(here / "out" / STATE).read()
    assert kept is not None
    (here / "slow").unlink()
    run(*ASKED, "--out", "out")
    run(*ASKED, "--out", "undisturbed")
    assert content(here / "out") == content(here / "undisturbed")
    facts = json.loads((here / "out" / FACTS).read_text(encoding="utf-8"))
    assert facts["attacks"][: len(kept["attempts"])] == kept["attempts"]  # in its very seconds: it was not made again


STUDY = """
name = "tiny"
seeds = 1
reference = "nothing"
[data]
train_limit = 300
test_limit = 60
[model]
name = "small-cnn"
width = 0.1
[training]
epochs = 1
[evaluation]
noise = {}
attacks = []
[[arms]]
name = "nothing"
method = "none"
"""


def test_a_trial_of_a_study_is_audited_by_its_name(here: Path) -> None:
    (here / "study.toml").write_text(STUDY, encoding="utf-8")
    study = CliRunner().invoke(app, ["compare", "study.toml", "--out", "results"])
    assert study.exit_code == 0, study.output
    code, _, err = run("results:nothing/0", "--eps", "2/255", "--out", "out")
    assert code in (0, 1)
    assert err == "results kept no net of nothing, seed 0: it is trained once more, and kept in results/nets\n"
    code, out, err = run("--verify", "out")
    assert (code, err) == (0, ""), out
    for line, arguments in {
        "results:nothing/7: must end with a seed of 0, got '7'": ("results:nothing/7",),
        "it must be results:ARM/SEED, and the arms are nothing": ("results:other/0",),
        "--weights can't be given with a trial": ("results:nothing/0", "--weights", "net.pt"),
    }.items():
        code, out, err = run(*arguments, "--eps", "2/255")
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert line in err
