"""What a run tells of itself in its folder, and what `dropover status` makes of it."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.records.files import write_text
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.running import heartbeat
from dropover.lab.running.events import Ended, Event, Failed, Moved, Started
from dropover.lab.running.heartbeat import Beat, Heartbeat, beats
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.runner import run_study
from dropover.lab.running.tally import Tally
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Arm, Study

from ..commands import POSIX, SECONDS, started

FAKE = """
import time
from dropover.lab.records.rows import Row
from dropover.lab.running.progress import TrialProgress

def fake(study, arm, seed, report):
    report(TrialProgress(0.5, None, "training, loss 0.25"))
    if arm.label == "raises":
        raise ValueError("no")
    return [Row("clean", None, 0.5)]
"""
TOLD: dict[str, Any] = {
    "study": "own", "host": "elsewhere", "process": 7, "began": 0.0, "written": 0.0, "ended": "", "total": 4,
    "finished": 1, "reused": 1, "failed": 1, "failures": {"drop [x], seed 0": "ValueError: no"},
    "moving": [{"trial": "none, seed 1", "began": 0.0, "done": 0.4, "doing": "training, loss 0.31"}], "left": 90.0,
}  # fmt: skip


@pytest.fixture
def fake(make_module: Callable[[str, str], ModuleType]) -> TrialFunction:
    return make_module("tells", FAKE).fake


def study(*labels: str) -> Study:
    arms = [Arm.model_validate({"method": "none", "name": name, "number": index}) for index, name in enumerate(labels)]
    return Study(name="own", reference=labels[0], seeds=[0, 1], arms=arms)


def tell(folder: Path, name: str = "elsewhere-7", **changes: Any) -> None:
    now = time.time()
    times = {"began": now - 200, "written": now - 1} | changes
    moving = [{**TOLD["moving"][0], "began": now - 61}]
    write_text(folder / heartbeat.FOLDER / f"{name}.json", json.dumps({**TOLD, "moving": moving, **times}))


def status(*folder: object) -> tuple[int, list[str], str]:
    result = CliRunner().invoke(app, ["status", *map(str, folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout.splitlines(), result.stderr


def test_a_run_tells_what_came_of_it(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("fine", "raises"), tmp_path / "out"
    run_study(study("fine"), out, 1, trial=fake)
    run_study(chosen, out, 1, trial=fake)
    [beat] = beats(out)  # an ended one goes when another begins
    assert (beat.study, beat.total, beat.finished, beat.reused, beat.failed) == ("own", 4, 2, 2, 2)
    assert (beat.standing, beat.ended, beat.moving, beat.process) == ("ended", "ended", [], os.getpid())
    assert beat.failures["raises, seed 0"].startswith("ValueError: no")
    code, lines, _ = status(tmp_path)
    assert code == 0
    assert lines[0] == f"own, in {out}: 2 of 4 trials finished (2 by an earlier run), 2 failed"
    assert lines[1].startswith("  ended ")
    assert lines[2].startswith("  raises, seed 0: failed: ValueError: no")


def test_a_run_tells_while_it_runs_what_it_does_and_how_it_was_stopped(
    tmp_path: Path, fake: TrialFunction, monkeypatch: pytest.MonkeyPatch
):
    def stop(event: Event) -> None:
        if isinstance(event, Moved):
            told.append(wait_for(tmp_path / "out", lambda beat: bool(beat.moving and beat.moving[0].done)))
            raise KeyboardInterrupt

    told: list[Beat] = []
    monkeypatch.setattr(heartbeat, "EVERY", 0.01)
    run_study(study("fine"), tmp_path / "out", 1, stop, fake)
    [moving] = told[0].moving
    assert (moving.trial, moving.done, moving.doing) == ("fine, seed 0", 0.5, "training, loss 0.25")
    assert told[0].standing == "running"
    [beat] = beats(tmp_path / "out")
    assert (beat.standing, beat.ended, beat.finished) == ("ended", "stopped", 0)


def wait_for(folder: Path, holds: Callable[[Beat], bool]) -> Beat:
    while True:
        for beat in beats(folder):
            if holds(beat):
                return beat
        time.sleep(0.01)


def test_an_error_is_how_a_run_ended(tmp_path: Path):
    with pytest.raises(OSError, match="full"), Heartbeat(study("a"), tmp_path, 1, lambda _: None):
        raise OSError("full")
    [beat] = beats(tmp_path)
    assert beat.ended.startswith("OSError: full")


def test_where_nothing_can_be_written_the_run_goes_on(tmp_path: Path):
    write_text(tmp_path / heartbeat.FOLDER, "a file where the folder should be")
    with Heartbeat(study("a"), tmp_path, 1, lambda _: None):
        pass
    assert beats(tmp_path) == []


def test_what_runs_elsewhere_is_shown_with_its_figures_and_the_time_left(tmp_path: Path):
    tell(tmp_path)
    code, lines, _ = status(tmp_path)
    assert code == 0
    assert lines[0] == f"own, in {tmp_path}: 1 of 4 trials finished (1 by an earlier run), 1 failed"
    assert "running for 3 min 19 s, about 1 min 30 s left (process 7 on elsewhere, heard " in lines[1]
    assert lines[2] == "  none, seed 1: running for 1 min 00 s, 40 %, training, loss 0.31"
    assert lines[3] == "  drop [x], seed 0: failed: ValueError: no"


@pytest.mark.parametrize(
    ("changes", "standing", "words"),
    [
        ({"written": 0.0}, "silent", "silent, last heard "),
        ({"written": 0.0, "ended": "stopped"}, "ended", "stopped "),
        ({"host": heartbeat.platform.node(), "process": 2**22 + 1}, "gone", "gone without a word, last heard "),
        ({"written": 9e9}, "running", "heard 0 s ago"),  # a clock that goes ahead
    ],
)
def test_a_run_that_tells_nothing_any_more_is_said_to(
    tmp_path: Path, changes: dict[str, Any], standing: str, words: str
):
    tell(tmp_path, **changes)
    assert [beat.standing for beat in beats(tmp_path)] == [standing]
    _, lines, _ = status(tmp_path)
    assert words in lines[1]
    assert ("was running" in lines[2]) == (standing != "running")


def test_several_runs_are_all_shown_and_what_is_none_is_passed_over(tmp_path: Path):
    tell(tmp_path / "a")
    tell(tmp_path / "a", "other", host="other")
    tell(tmp_path / "names" / "b", study="deeper")
    write_text(tmp_path / "a" / heartbeat.FOLDER / "no.json", "{")
    _, lines, _ = status(tmp_path)
    assert [line.split(",")[0] for line in lines if not line.startswith(" ")] == ["own", "own", "deeper"]


def test_a_folder_without_a_word_says_what_it_has(tmp_path: Path):
    assert status(tmp_path / "no") == (2, [], f"{tmp_path / 'no'}: there is no such folder of results\n")
    assert status(tmp_path) == (2, [], f"{tmp_path}: no run has told anything here, and it has no trials\n")
    for name in ("a.json", "b.json", "c.failed.json", "d.json.damaged"):
        write_text(tmp_path / "trials" / name, "")
    told = f"{tmp_path}: no run has told anything here; its trials: 2 finished, 1 failed"
    assert status(tmp_path) == (0, [told], "")


def test_the_time_left_is_by_this_runs_own_work():
    tally, trial = Tally(10), TrialKey(Arm(method="none"), 0, {})
    assert tally.left is None
    for seed in range(4):
        tally.count(Ended(Finished(TrialKey(trial.arm, seed, {}), [], 1.0, {}), reused=True))
    tally.count(Failed(trial, "no", earlier=True))
    assert tally.left is None
    tally.count(Started(trial))
    tally.count(Moved(trial, TrialProgress(0.5, None, "")))
    tally.began = time.monotonic() - 30
    # Half a trial took 30 s, and four and a half are left.
    assert tally.left == pytest.approx(270, rel=0.01)


@POSIX
def test_a_command_that_was_killed_is_said_to_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "forever.py").write_text("import time\ndef train(trial):\n    time.sleep(1e6)\n", encoding="utf-8")
    text = 'name = "own"\nseeds = 1\n[trial]\nfunction = "forever:train"\n[[arms]]\nmethod = "none"\n'
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with started("compare", "study.toml", "--jobs", "1") as process:
        wait_for(tmp_path / "results" / "own", lambda beat: bool(beat.moving))
        assert "running for" in status()[1][1]
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=SECONDS)
    _, lines, _ = status()
    assert lines[0] == "own, in results/own: 0 of 1 trials finished"
    assert lines[1].startswith("  gone without a word, last heard ")
    assert lines[2].startswith("  none, seed 0: was running for ")
