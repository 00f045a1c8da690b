"""How commands end before their end: stopped by a signal, killed, or by code of the user's that fails or leaves."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.running.stopping import STOPS, Stop, exit_code, stoppable, stops_held

from ..commands import POSIX, SECONDS, is_let_go, started, wait_for

STUDY = """
name = "own"
seeds = [0]
data = { name = "DATA", train_limit = 200, test_limit = 20 }
model = { name = "MODEL" }
training = { epochs = 1, lr = 0.01 }
[[arms]]
name = "none"
method = "none"
"""
MODULE = """
import os, sys, time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent

def hold():
    "Say that this place is come to, hold a lock as long as the process lives, and never go on."
    import fcntl
    lock = (HERE / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (HERE / "here").touch()
    while True:
        time.sleep(0.01)

class Net(nn.Module):
    def __init__(self, channels, size, classes, when):
        super().__init__()
        self.fc, self.when = nn.Linear(channels * size * size, classes), when
    def forward(self, x):
        if self.when(self, x): hold()
        return self.fc(x.flatten(1))

def trains_forever(channels, size, classes): return Net(channels, size, classes, lambda net, x: net.training)
def never_checked(channels, size, classes): hold()
def leaves(channels, size, classes): sys.exit("enough")
def interrupts(channels, size, classes): raise KeyboardInterrupt
def leaves_late(channels, size, classes):
    net = Net(channels, size, classes, lambda net, x: False)
    net.fc.register_forward_hook(lambda *_: sys.exit(0) if len(_[1][0]) > 2 else None)
    return net
def leaves_when_trained(channels, size, classes):
    return Net(channels, size, classes, lambda net, x: sys.exit(3) if net.training else False)
def images_leave(): sys.exit(7)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "leaving_module.py").write_text("import sys\nsys.exit(5)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("own_module", "leaving_module"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def study(here: Path, model: str = "small-cnn", data: str = "mnist-5k") -> str:
    (here / "own.toml").write_text(STUDY.replace("MODEL", model).replace("DATA", data), encoding="utf-8")
    return "own.toml"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@POSIX
def test_workers_end_with_a_command_that_is_killed(here: Path):
    with started("compare", study(here, "own_module:trains_forever"), "--jobs", "1") as process:
        wait_for((here / "here").exists, process)
        process.kill()
        assert is_let_go(here / "lock")


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_stop_in_the_middle_of_a_trial_ends_its_worker_and_says_so(here: Path, name: str, code: int):
    with started("compare", study(here, "own_module:trains_forever"), "--jobs", "1") as process:
        wait_for((here / "here").exists, process)
        # To the command and its worker alike, as terminals and `timeout` do.
        os.killpg(process.pid, getattr(signal, name))
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == code
    assert err.startswith(
        "Stopped: 0 of 1 trials are finished and kept. The same command goes on from there: dropover compare own.toml"
    )
    assert err.count("\n") == 1
    assert "failed" not in out
    assert is_let_go(here / "lock")


@POSIX
@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("compare", "own.toml"), "Stopped: what is finished is kept. The same command goes on from there: dropover"),
        (("inspect", "own_module:never_checked", "--data", "mnist-5k"), "Stopped.\n"),
    ],
)
def test_a_stop_while_the_users_code_is_tried_out(here: Path, command: tuple[str, ...], line: str):
    study(here, "own_module:never_checked")
    with started(*command) as process:
        wait_for((here / "here").exists, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err.count("\n")) == (143, "", 1)
    assert err.startswith(line)


@POSIX
def test_a_stop_while_the_report_is_written(here: Path, monkeypatch: pytest.MonkeyPatch):
    from dropover.lab.report import files

    monkeypatch.setattr(files, "render", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    code, _, err = run("compare", study(here), "--jobs", 1)
    assert code == 143
    assert err.startswith("Stopped while the results were written: 1 of 1 trials are finished and kept. The same")


@pytest.mark.parametrize(
    ("model", "data", "line"),
    [
        ("leaving_module:make", "mnist-5k", "model.name: module 'leaving_module' can't be imported: SystemExit: 5"),
        ("own_module:leaves", "mnist-5k", "model: own_module:leaves failed: SystemExit: enough (own_module.py, line "),
        ("small-cnn", "own_module:images_leave", "data: own_module:images_leave raised SystemExit: 7 (own_module.py, "),
    ],
)
def test_user_code_that_ends_the_program_while_it_is_checked(here: Path, model: str, data: str, line: str):
    code, out, err = run("compare", study(here, model, data))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"own.toml: {line}")
    assert err.endswith("; traceback in results/own/log.txt\n")
    log = Path("results/own/log.txt").read_text(encoding="utf-8")
    assert re.search(r'File ".*_module.py", line \d+, in .*\n(.*\n)+SystemExit', log)
    assert [path.name for path in Path("results/own").iterdir()] == ["log.txt"]


def test_user_code_that_ends_the_program_in_the_middle_of_a_trial(here: Path):
    code, out, err = run("compare", study(here, "own_module:leaves_when_trained"), "--jobs", 1)
    told = r"none, seed 0: {}SystemExit: 3 \(own_module\.py, line \d+\); traceback in results/own/log\.txt\n"
    assert code == 1
    assert re.search(r"\[1/1\] " + told.format("failed: "), out)
    assert re.fullmatch(told.format("") + "1 of 1 trials failed: there is nothing to report\n", err)
    assert "own_module.py" in Path("results/own/log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        (("inspect", "leaving_module:make", "--data", "mnist-5k"), 2, "module 'leaving_module' can't be imported: Sys"),
        (("inspect", "own_module:leaves_late", "--data", "mnist-5k"), 1, "SystemExit: 0 (own_module.py, line "),
        (("inspect", "own_module:interrupts", "--data", "mnist-5k"), 1, "KeyboardInterrupt (own_module.py, line "),
        (("models", "own_module:leaves"), 2, "own_module:leaves failed: SystemExit: enough (own_module.py, line "),
        (("data", "own_module:images_leave"), 2, "own_module:images_leave raised SystemExit: 7 (own_module.py, line "),
    ],
)
def test_user_code_that_ends_the_program_in_the_other_commands(
    here: Path, command: tuple[str, ...], code: int, line: str
):
    found, out, err = run(*command)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(line)
    log = Path("results/inspect/log.txt" if command[0] == "inspect" else "results/log.txt")
    assert err.endswith(f"; traceback in {log}\n")
    assert "Traceback (most recent call last)" in log.read_text(encoding="utf-8")


def test_a_mistake_of_ours_is_told_in_a_line_too(here: Path, monkeypatch: pytest.MonkeyPatch):
    from dropover.lab.reproductions.parts import running

    monkeypatch.setattr(running, "plan", lambda *_, **__: {}["missing"])
    code, _, err = run("reproduce", "fdd-table2", "--scale", "smoke")
    log = "results/reproduce/smoke/fdd-table2/log.txt"
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("KeyError: 'missing'")
    assert err.endswith(f"; traceback in {log}\n")
    assert "KeyError" in Path(log).read_text(encoding="utf-8")


@pytest.fixture
def heard() -> Iterator[None]:
    """Every signal as a terminal has it: what runs the tests in the background may ignore some."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_stop_is_heard_and_then_only_ctrl_c(name: str, code: int):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip(f"no {name} here")
    before = signal.getsignal(number)
    with stoppable():
        with pytest.raises(Stop) as caught:
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
    assert exit_code(caught.value) == code
    assert exit_code(KeyboardInterrupt()) == 130
    assert signal.getsignal(number) is before


@pytest.mark.usefixtures("heard")
def test_a_stop_that_is_held_comes_at_the_end_and_one_that_is_ignored_never():
    reached = []

    def held() -> None:
        with stops_held():
            signal.raise_signal(signal.SIGTERM)
            reached.append("the end")

    with stoppable(), pytest.raises(Stop):
        held()
    assert reached == ["the end"]
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stoppable():
            held()
    finally:
        signal.signal(signal.SIGTERM, before)
