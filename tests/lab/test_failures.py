"""Failed trials are kept with their reason, taken over as failed, and tried again where that makes sense."""

import errno
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dropover.lab.growing import grow
from dropover.lab.records.failures import failure_path, read_failure, write_failure
from dropover.lab.records.stock import take_stock
from dropover.lab.records.trials import trials_of
from dropover.lab.running.events import Ended, Event, Failed, Started
from dropover.lab.running.guard import ChangedError
from dropover.lab.running.passing import is_passing
from dropover.lab.running.runner import StudyRun, run_study
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Arm, Study
from dropover.lab.telling.live import RETRY, live, unseen

FAKE = """
import errno, os, signal
from pathlib import Path

from dropover.lab.records.rows import Row
from dropover.lab.running.guard import ChangedError

HERE = Path(__file__).parent

def fake(study, arm, seed, report):
    with (HERE / "calls").open("a") as calls:
        calls.write(f"{arm.label} {seed}\\n")
    if arm.label in ("fine", "other") or (HERE / "mended").exists():
        return [Row("clean", None, 0.5 + seed / 10)]
    if arm.label == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if arm.label == "dies":
        os._exit(3)
    errors = {"raises": ValueError("no"), "edited": ChangedError("edited"), "full": OSError(errno.ENOSPC, "full")}
    raise errors[arm.label]
"""
PASSING = ("killed", "edited", "full")


@pytest.fixture
def fake(make_module: Callable[[str, str], ModuleType]) -> TrialFunction:
    return make_module("fails", FAKE).fake


def study(*labels: str, seeds: int = 2, **changes: object) -> Study:
    arms = [Arm.model_validate({"method": "none", "name": name, "number": index}) for index, name in enumerate(labels)]
    return Study.model_validate({"reference": labels[0], "seeds": list(range(seeds)), "arms": arms, **changes})


def calls(folder: Path) -> list[str]:
    """The trials that were tried since this was asked for."""
    path = folder / "calls"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(lines)


def reasons(run: StudyRun) -> dict[str, str]:
    return {failed.trial.label: failed.reason for failed in run.failed}


def test_a_failure_is_taken_over_with_its_reason_until_it_is_to_be_tried_again(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("fine", "raises", "dies"), tmp_path / "out"
    first = run_study(chosen, out, 2, trial=fake)
    assert len(calls(tmp_path)) == 6
    assert set(reasons(first)) == {f"{arm}, seed {seed}" for arm in ("raises", "dies") for seed in (0, 1)}
    assert reasons(first)["raises, seed 0"].startswith("ValueError: no (")

    events: list[Event] = []
    again = run_study(chosen, out, 2, events.append, fake)
    assert calls(tmp_path) == []
    assert reasons(again) == reasons(first)
    assert (again.total, len(again.finished), again.reused) == (6, 2, 2)
    assert {type(event) for event in events} == {Ended, Failed}
    assert all(event.earlier for event in events if isinstance(event, Failed))

    (tmp_path / "mended").touch()
    events.clear()
    retried = run_study(chosen, out, 2, events.append, fake, retry_failed=True)
    assert len(calls(tmp_path)) == 4
    assert (len(retried.finished), retried.failed) == (6, [])
    assert [event.line for event in events if not isinstance(event, Started | Ended)] == [
        "4 trials that failed before run again"
    ]
    assert list((out / "trials").glob("*.failed.json")) == []
    assert len(run_study(chosen, out, 1, trial=fake).finished) == 6
    assert calls(tmp_path) == []


def test_a_trial_that_fails_again_has_its_last_reason(tmp_path: Path, fake: TrialFunction):
    chosen = study("raises", seeds=1)
    write_failure(tmp_path / "out", chosen, trials_of(chosen)[0], "another reason")
    assert reasons(run_study(chosen, tmp_path / "out", 1, trial=fake)) == {"raises, seed 0": "another reason"}
    run_study(chosen, tmp_path / "out", 1, trial=fake, retry_failed=True)
    told = reasons(run_study(chosen, tmp_path / "out", 1, trial=fake))
    assert told["raises, seed 0"].startswith("ValueError: no")
    assert calls(tmp_path) == ["raises 0"]


def test_what_is_no_property_of_a_trial_is_told_and_tried_again_by_itself(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("fine", *PASSING, seeds=1), tmp_path / "out"
    for _ in range(2):
        assert set(reasons(run_study(chosen, out, 1, trial=fake))) == {f"{arm}, seed 0" for arm in PASSING}
    assert calls(tmp_path) == sorted(["fine 0", *(f"{arm} 0" for arm in PASSING * 2)])
    # Not even if the same trial had failed before by itself.
    killed = trials_of(chosen)[1]
    write_failure(out, chosen, killed, "ValueError: no")
    run_study(chosen, out, 1, trial=fake, retry_failed=True)
    assert read_failure(out, killed) is None


def test_which_errors_tell_nothing_of_the_trial():
    assert all(map(is_passing, (ChangedError("edited"), OSError(errno.ENOSPC, "full"), OSError(errno.EROFS, "locked"))))
    assert not any(
        map(is_passing, (MemoryError(), ValueError("no"), OSError("no"), FileNotFoundError(errno.ENOENT, "x")))
    )


def test_changed_settings_are_tried_by_themselves_and_say_why(tmp_path: Path, fake: TrialFunction):
    out = tmp_path / "out"
    run_study(study("raises"), out, 1, trial=fake)
    changed = study("raises", training={"lr": 0.02})
    stock = take_stock(out, changed)
    assert (len(stock.missing), stock.failed) == (2, [])
    assert stock.notes == ["training.lr 0.01 -> 0.02; 2 trials run again"]


def test_arms_that_differ_in_name_alone_fail_together(tmp_path: Path, fake: TrialFunction):
    arms = [{"method": "none"}, {"method": "none", "name": "raises", "number": 1}]
    double = Study.model_validate({"seeds": [0], "arms": [*arms, {**arms[1], "name": "twin"}], "reference": "none"})
    (tmp_path / "mended").touch()
    write_failure(tmp_path / "out", double, trials_of(double)[1], "ValueError: no")
    assert set(reasons(run_study(double, tmp_path / "out", 1, trial=fake))) == {"raises, seed 0", "twin, seed 0"}


def test_a_damaged_failure_is_set_aside_and_run_again(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("raises", seeds=1), tmp_path / "out"
    run_study(chosen, out, 1, trial=fake)
    path = failure_path(out, trials_of(chosen)[0])
    path.write_text(path.read_text(encoding="utf-8").replace("ValueError", "TypeError"), encoding="utf-8")
    stock = take_stock(out, chosen)
    assert stock.failed == []
    assert [trial.label for trial in stock.missing] == ["raises, seed 0"]
    assert stock.notes == [
        f"{path} was changed since it was written: set aside as {path.name}.damaged; raises, seed 0 runs again"
    ]


def test_a_study_that_grows_takes_failures_over_and_tries_them_once(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("fine", "other", "raises", seeds=3), tmp_path / "out"

    def grown(retry_failed: bool) -> StudyRun:
        growth = grow(chosen, out, 1, 4, None, lambda *_: unseen(chosen, 1), fake, retry_failed)
        return growth.run

    first = grown(False)
    tried = calls(tmp_path)
    assert [line for line in tried if line.startswith("raises")] == [f"raises {seed}" for seed in range(3)]
    assert reasons(grown(False)) == reasons(first)
    assert calls(tmp_path) == []
    assert set(reasons(grown(True))) == set(reasons(first))
    assert calls(tmp_path) == [f"raises {seed}" for seed in range(3)]


@pytest.mark.parametrize(
    ("seeds", "line"),
    [
        (
            1,
            f"1 trial failed in an earlier run and is not tried again: {RETRY} tries it",
        ),
        (
            2,
            f"2 trials failed in an earlier run and are not tried again: {RETRY} tries them",
        ),
    ],
)
def test_the_terminal_counts_earlier_failures(
    tmp_path: Path, fake: TrialFunction, capsys: pytest.CaptureFixture[str], seeds: int, line: str
):
    chosen = study("fine", "raises", seeds=seeds)
    run_study(chosen, tmp_path / "out", 1, trial=fake)
    with live(chosen, 1) as listener:
        run_study(chosen, tmp_path / "out", 1, listener, fake)
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{seeds} of {2 * seeds} trials were finished by an earlier run and are taken over.", line
    ]  # fmt: skip
