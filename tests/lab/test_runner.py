import multiprocessing
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from dropover.lab.blame import logged
from dropover.lab.records.files import write_text
from dropover.lab.records.store import write_table
from dropover.lab.running import runner
from dropover.lab.running.engines import processes
from dropover.lab.running.events import Ended, Event, Moved, Started
from dropover.lab.running.runner import run_study
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Arm, Study

FAKE = """
import os, signal, sys
from pathlib import Path

import torch

from dropover.lab.records.rows import Row
from dropover.lab.running.progress import TrialProgress

def fake(study, arm, seed, report):
    with (Path(__file__).parent / "calls").open("a") as calls:
        calls.write(f"{arm.label} {seed} threads={torch.get_num_threads()}\\n")
    report(TrialProgress(0.5, 0.25, "training"))
    if arm.label == "raises":
        raise ValueError("first line\\nsecond line")
    if arm.label == "leaves":
        sys.exit()
    if arm.label == "interrupts":
        raise KeyboardInterrupt
    if arm.label == "prints":
        print("from Python")
        print("and its errors", file=sys.stderr)
        os.system("echo from a program")
    if arm.label == "crashes" and hasattr(signal, "SIGSEGV"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if arm.label == "dies" and hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    return [Row("clean", None, 0.5 + seed / 10), Row("fgsm", 0.1, 0.25)]
"""


@pytest.fixture
def fake(make_module: Callable[[str, str], ModuleType]) -> TrialFunction:
    return make_module("fake_trial", FAKE).fake


def study(*labels: str, seeds: int = 2) -> Study:
    """Each arm has a setting of its own: arms that differ in name alone are run once."""
    arms = [Arm.model_validate({"method": "none", "name": name, "number": index}) for index, name in enumerate(labels)]
    return Study(reference=labels[0], seeds=list(range(seeds)), arms=arms)


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_every_trial_runs_once_seed_by_seed_and_a_rerun_takes_them_over(tmp_path: Path, fake: TrialFunction):
    events: list[Event] = []
    outcome = run_study(study("a", "b"), tmp_path / "out", 1, events.append, fake)
    assert calls(tmp_path) == [f"{arm} {seed} threads=1" for seed in (0, 1) for arm in ("a", "b")]
    assert (len(outcome.finished), outcome.failed, outcome.stop, outcome.reused) == (4, [], None, 0)
    assert [type(event) for event in events] == [Started, Moved, Ended] * 4
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert list(table.columns) == ["arm", "seed", "measure", "level", "value", "norm", "of", "inference_rate"]
    assert table[table["measure"] == "clean"]["value"].tolist() == [0.5, 0.5, 0.6, 0.6]

    again = run_study(study("a", "b", "new"), tmp_path / "out", 2, trial=fake)
    assert (again.reused, len(again.finished)) == (4, 6)
    assert sorted(calls(tmp_path)[4:]) == ["new 0 threads=1", "new 1 threads=1"]


@pytest.mark.parametrize(("seeds", "jobs"), [(1, 3), (3, 2), (2, 8)])
def test_more_processes_than_trials_end_too(tmp_path: Path, fake: TrialFunction, seeds: int, jobs: int):
    outcome = run_study(study("a", seeds=seeds), tmp_path / "out", jobs, trial=fake)
    assert len(outcome.finished) == seeds
    assert len(calls(tmp_path)) == seeds
    assert multiprocessing.active_children() == []


def test_trials_that_studies_share_are_kept_apart_from_their_tables(tmp_path: Path, fake: TrialFunction):
    for name in ("one", "two"):
        run_study(study("a", seeds=1), tmp_path / name, 1, trial=fake, store=tmp_path / "shared")
        assert len(pd.read_csv(tmp_path / name / "results.csv")) == 2
    assert len(calls(tmp_path)) == 1
    assert [path.parent.name for path in (tmp_path / "shared").glob("*/*.json")] == ["trials"]


def test_a_trial_that_raises_or_whose_process_dies_is_told_in_a_line_and_the_others_run(
    tmp_path: Path, fake: TrialFunction
):
    out = tmp_path / "out"
    outcome = run_study(study("fine", "raises", "leaves", "interrupts", "dies", "last", seeds=1), out, 2, trial=fake)
    reasons = {failed.trial.label: failed.reason for failed in outcome.failed}
    where, kept = rf"\({re.escape(str(tmp_path))}/fake_trial.py, line \d+\)", f"; traceback in {out / 'log.txt'}"
    for label, line in (
        ("raises", "ValueError: first line second line"), ("leaves", "SystemExit"), ("interrupts", "KeyboardInterrupt"),
    ):  # fmt: skip
        assert re.fullmatch(f"{line} {where}{re.escape(kept)}", reasons[f"{label}, seed 0"])
    assert reasons["dies, seed 0"] == "its process died (killed, most likely for want of memory: try fewer --jobs)"
    assert sorted(done.trial.arm.label for done in outcome.finished) == ["fine", "last"]
    log = (out / "log.txt").read_text(encoding="utf-8")
    assert log.count("Traceback (most recent call last)") == 3
    assert re.search(r"^--- .* raises, seed 0\n(.*\n)+?ValueError: first line\nsecond line\n", log, re.MULTILINE)


def test_what_trials_print_is_kept_and_stays_off_the_screen(
    tmp_path: Path, fake: TrialFunction, capfd: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert run_study(study("quiet", seeds=1), out, 1, trial=fake).printed is None
    assert not (out / "output.txt").exists()
    assert run_study(study("quiet", "prints", seeds=1), out, 1, trial=fake).printed == out / "output.txt"
    assert run_study(study("quiet", "prints", "other", seeds=1), out, 1, trial=fake).printed is None  # that was before
    printed = (out / "output.txt").read_text(encoding="utf-8").splitlines()
    assert printed == ["from Python", "and its errors", "from a program"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(signal, "SIGSEGV"), reason="needs a signal to crash by")
def test_a_crash_leaves_the_line_it_came_from(tmp_path: Path, fake: TrialFunction):
    outcome = run_study(study("crashes", seeds=1), tmp_path / "out", 1, trial=fake)
    left = tmp_path / "out" / "output.txt"
    assert outcome.failed[0].reason == f"its process died (signal 11); what it printed is in {left}"
    assert re.search(r"fake_trial.py\", line \d+ in fake", left.read_text(encoding="utf-8"))


def test_where_no_log_can_be_written_a_temporary_one_serves(tmp_path: Path):
    (tmp_path / "file").touch()
    told = logged(ValueError("no"), "a trial", tmp_path / "file")
    assert told.startswith("; traceback in ")
    assert "ValueError: no" in Path(told.removeprefix("; traceback in ")).read_text(encoding="utf-8")


def test_an_interrupt_keeps_what_is_finished_and_leaves_no_process(tmp_path: Path, fake: TrialFunction):
    def stop_after_three(event: Event) -> None:
        ended.extend([event] if isinstance(event, Ended) else [])
        if len(ended) == 3:
            raise KeyboardInterrupt

    ended: list[Event] = []
    outcome = run_study(study("a", "b"), tmp_path / "out", 1, stop_after_three, fake)
    assert outcome.stop is not None
    assert len(outcome.finished) == 3
    assert multiprocessing.active_children() == []
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == 6

    rest = run_study(study("a", "b"), tmp_path / "out", 1, trial=fake)
    assert (rest.reused, len(rest.finished), rest.stop) == (3, 4, None)
    assert len(calls(tmp_path)) == 4


def test_some_trials_alone_may_be_run_and_none_is_begun_when_the_time_is_up(tmp_path: Path, fake: TrialFunction):
    among = {("a", 1), ("b", 0), ("b", 1)}
    cut = run_study(
        study("a", "b"), tmp_path / "out", 1, trial=fake, among=among, time_is_up=lambda: bool(calls(tmp_path))
    )
    assert (cut.total, len(cut.finished), cut.failed, cut.stop) == (3, 1, [], None)
    whole = run_study(study("a", "b"), tmp_path / "out", 1, trial=fake, among=among)
    assert (whole.total, whole.reused, len(whole.finished)) == (3, 1, 3)
    assert calls(tmp_path) == [f"{trial} threads=1" for trial in ("b 0", "a 1", "b 1")]


def test_the_table_is_not_written_for_every_trial_and_yet_is_whole_at_the_end(
    tmp_path: Path, fake: TrialFunction, monkeypatch: pytest.MonkeyPatch
):
    def counted(table: pd.DataFrame, path: Path) -> None:
        written.append(len(table))
        write_table(table, path)

    written: list[int] = []
    monkeypatch.setattr(runner, "write_table", counted)
    monkeypatch.setattr(runner, "EVERY", 3600.0)
    run_study(study("a", "b", seeds=5), tmp_path / "out", 1, trial=fake)
    assert written == [0, 20]
    run_study(study("a", "b", seeds=5), tmp_path / "out", 1, trial=fake)
    assert written == [0, 20, 20]

    def stop(event: Event) -> None:
        if isinstance(event, Ended) and not event.reused:
            raise OSError("as where a listener fails")

    with pytest.raises(OSError, match="as where"):
        run_study(study("a", "b", seeds=6), tmp_path / "out", 1, stop, fake)
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == 22


def test_results_that_cannot_be_written_stop_the_run_before_anything_is_computed(tmp_path: Path, fake: TrialFunction):
    write_text(tmp_path / "out", "a file where the folder should be")
    with pytest.raises(OSError, match="out"):
        run_study(study("a"), tmp_path / "out", 1, trial=fake)
    assert calls(tmp_path) == []


def test_the_cause_of_a_death_is_named():
    assert "memory" in processes._cause(-9)
    assert processes._cause(-11) == "signal 11"
    assert processes._cause(3) == "exit code 3"
