"""Studies that grow until they are decided, with trials whose values are made up."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from dropover.lab import growing
from dropover.lab.growing import Growth, Round, grow
from dropover.lab.judging.looks import follow
from dropover.lab.running.events import Ended, Event, Listener, Started
from dropover.lab.running.runner import run_study
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Arm, EvaluationSettings, Study

FAKE = """
import random
from pathlib import Path

from dropover.lab.records.rows import Row

MEANS = {"none": 0.90, "far": 0.60, "like": 0.9001, "wide": 0.899, "noisy": 0.9}
SPREADS = {"wide": 0.04}

def value(label, seed, measure="clean"):
    draw = random.Random(f"{label} {seed} {measure}").gauss(0, SPREADS.get(label.split()[0], 0.001))
    lower = 0.2 if label == "noisy" and measure == "gaussian" else 0
    return MEANS.get(label, 0.9) + draw - lower

def fake(study, arm, seed, report):
    with (Path(__file__).parent / "calls").open("a") as calls:
        calls.write(f"{arm.label} {seed}\\n")
    late, once = "soon" in arm.label and seed > 2, arm.label == "once" and seed == 1
    if late or once or arm.label == "never" or "reference" in arm.label:
        raise ValueError("no")
    clean = Row("clean", None, value(arm.label, seed))
    return [clean, Row("gaussian", 0.3, value(arm.label, seed, "gaussian")), Row("fgsm", 0.1, 0.5)]
"""


@pytest.fixture
def fake(make_module: Callable[[str, str], ModuleType]) -> TrialFunction:
    return make_module("grown_trial", FAKE).fake


def study(*labels: str, seeds: int | list[int] = 1, margin: float = 2.0) -> Study:
    arms = [Arm.model_validate({"method": "none", "name": name, "number": index}) for index, name in enumerate(labels)]
    noise = EvaluationSettings(noise={"gaussian": [0.3]})
    numbers = list(range(seeds)) if isinstance(seeds, int) else seeds
    return Study(reference=labels[0], seeds=numbers, arms=arms, margin=margin, evaluation=noise)


class Watch:
    """Listens to every look, and keeps what it was told."""

    def __init__(self, hear: Callable[[Event], None] = lambda _: None) -> None:
        self.rounds: list[Round] = []
        self.events: list[Event] = []
        self._hear = hear

    @contextlib.contextmanager
    def __call__(self, _growth: Growth, asked: Round) -> Iterator[Listener]:
        self.rounds.append(asked)
        yield self.hear

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._hear(event)


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def verdicts(growth: Growth, measure: str = "clean") -> dict[str, str]:
    (decision,) = (each.decision for (name, _), each in growth.progress.items() if name == measure)
    return {comparison.arm: comparison.verdict for comparison in decision.comparisons}


def test_arms_that_are_decided_get_no_more_seeds_and_verdicts_are_those_of_the_looks(
    tmp_path: Path, fake: TrialFunction
):
    chosen, watch = study("none", "far", "like", "wide"), Watch()
    growth = grow(chosen, tmp_path / "out", 1, 6, None, watch, fake)
    assert growth.seeds == {"none": 6, "far": 3, "like": 3, "wide": 6}
    assert sorted(calls(tmp_path)) == sorted(f"{arm} {seed}" for arm, n in growth.seeds.items() for seed in range(n))
    assert verdicts(growth) == {"far": "worse", "like": "level", "wide": "undecided"}
    assert (growth.seen, growth.ending) == (3, "It ended with 6 seeds, the most it was to have.")
    assert growth.spent == pytest.approx(0.05)
    assert [(r.number, r.planned, r.seeds, r.arms, r.trials, r.later) for r in watch.rounds] == [
        (1, 3, 3, ("none", "far", "like", "wide"), 12, 12),
        (2, 3, 4, ("none", "wide"), 2, 4),
        (3, 3, 6, ("none", "wide"), 4, 0),
    ]
    import grown_trial

    for (measure, _), progress in growth.counting.items():
        whole = {arm: {n: grown_trial.value(arm, n, measure) for n in range(6)} for arm in growth.seeds}
        assert follow(whole, "none", 0.02, growth.looks, range(6)) == progress
        assert (
            growth.judge(measure, {arm: {n: whole[arm][n] for n in range(k)} for arm, k in growth.seeds.items()})
            == progress.decision
        )

    # Nothing runs again, and nothing is told twice.
    assert sum(isinstance(event, Ended) for event in watch.events) == len(calls(tmp_path)) == 18
    again = Watch()
    same = grow(chosen, tmp_path / "out", 1, 6, None, again, fake)
    assert (same.progress, same.seeds, same.run.reused) == (growth.progress, growth.seeds, 18)
    assert len(calls(tmp_path)) == len(again.events) == 18
    plain = run_study(chosen.model_copy(update={"seeds": [0, 1, 2]}), tmp_path / "out", 1, trial=fake)
    assert (plain.reused, len(plain.finished)) == (12, 12)


def test_an_arm_that_is_open_at_one_measure_alone_goes_on(tmp_path: Path, fake: TrialFunction):
    growth = grow(study("none", "noisy", margin=1.0), tmp_path / "out", 1, 3, None, Watch(), fake)
    assert (verdicts(growth), verdicts(growth, "gaussian")) == ({"noisy": "level"}, {"noisy": "worse"})
    assert (growth.undecided, growth.ending) == ({}, "Every arm is decided.")
    assert growth.standing == "After look 1 of 1, at 3 seeds. Decided at every measure: noisy."
    growth.progress |= {
        ("gaussian", 0.3): growing.Progress(growing.decide({"none": {}, "noisy": {}}, "none", 0.01), 1, 3, {"noisy": 4})
    }
    assert growth.needed == {"noisy": 4}
    assert "Undecided: noisy (gaussian at 0.3)." in growth.standing


def test_a_study_that_was_stopped_goes_on_from_the_same_looks(tmp_path: Path, fake: TrialFunction):
    def stop_in_the_second_look(event: Event) -> None:
        started.extend([event] if isinstance(event, Started) else [])
        if len(started) == 11:
            raise KeyboardInterrupt

    started: list[Event] = []
    chosen = study("none", "like", "wide")
    stopped = grow(chosen, tmp_path / "out", 1, 6, None, Watch(stop_in_the_second_look), fake)
    assert stopped.run.stop is not None
    assert (len(stopped.run.finished), stopped.seen, stopped.seeds["wide"]) == (10, 1, 4)
    assert stopped.finished == {"none": 4, "like": 3, "wide": 3}
    assert stopped.ending == "It was stopped before every arm was decided."
    assert multiprocessing.active_children() == []
    rest = grow(chosen, tmp_path / "out", 1, 6, None, Watch(), fake)
    assert (rest.run.reused, rest.run.stop, rest.seeds) == (10, None, {"none": 6, "like": 3, "wide": 6})
    finished = [trial for trial in calls(tmp_path) if calls(tmp_path).count(trial) == 1]
    assert len(finished) >= 14  # the one that was stopped may have begun


def test_a_stop_between_looks_keeps_what_there_is(tmp_path: Path, fake: TrialFunction, monkeypatch: pytest.MonkeyPatch):
    watch = Watch()

    @contextlib.contextmanager
    def stopped_at_the_second(growth: Growth, asked: Round) -> Iterator[Listener]:
        if asked.number == 2:
            raise KeyboardInterrupt
        with watch(growth, asked) as listener:
            yield listener

    growth = grow(study("none", "wide"), tmp_path / "out", 1, 6, None, stopped_at_the_second, fake)
    assert growth.run.stop is not None
    assert (len(growth.run.finished), growth.seen) == (6, 1)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(growing, "run_study", stop)
    with pytest.raises(KeyboardInterrupt):
        grow(study("none", "wide"), tmp_path / "out", 1, 6, None, Watch(), fake)


def test_after_its_time_nothing_is_begun_and_what_is_there_counts(tmp_path: Path, fake: TrialFunction):
    chosen, out = study("none", "wide"), tmp_path / "out"
    nothing = grow(chosen, out, 1, 6, 0.0, Watch(), fake)
    assert (calls(tmp_path), nothing.run.finished, nothing.seen, nothing.spent) == ([], [], 0, 0.0)
    assert nothing.standing == "Nothing is decided yet: the first look is at 3 seeds."
    run_study(chosen.model_copy(update={"seeds": [0, 1, 2]}), out, 1, trial=fake)
    growth = grow(chosen, out, 1, 6, 0.0, Watch(), fake)
    assert (len(growth.run.finished), growth.seen, len(calls(tmp_path))) == (6, 1, 6)
    assert growth.ending == "The time was up before every arm was decided."
    assert (growth.given.seeds, growth.finished, growth.run.total) == ([0, 1, 2], {"none": 3, "wide": 3}, 8)


def test_failed_trials_are_neither_waited_for_nor_run_at_every_look(tmp_path: Path, fake: TrialFunction):
    growth = grow(study("none", "once", "never", "wide"), tmp_path / "out", 2, 4, None, Watch(), fake)
    assert growth.seeds == {"none": 4, "once": 4, "never": 3, "wide": 4}
    assert len(calls(tmp_path)) == len(set(calls(tmp_path))) == growth.run.total == 15
    assert len(growth.run.failed) == 4
    (clean,) = (each.decision for (name, _), each in growth.progress.items() if name == "clean")
    once, never, wide = clean.comparisons
    assert (once.arm, once.left_out) == ("once", (1,))
    assert (never.verdict, never.why) == ("undecided", "Nothing can be compared: never has no value.")
    assert wide.seeds == 4
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert set(table["arm"]) == {"none", "once", "wide"}


@pytest.mark.parametrize("others", [("none",), ("second reference",)])
def test_without_a_reference_there_is_nothing_to_grow_for(tmp_path: Path, fake: TrialFunction, others: tuple[str, ...]):
    growth = grow(study("reference", *others), tmp_path / "out", 2, 6, None, Watch(), fake)
    assert set(growth.seeds.values()) == {3}
    assert len(growth.run.failed) == 3 * (1 + (others[0] != "none"))
    assert all(len(each.decision.of("undecided")) == 1 for each in growth.progress.values())
    broken = "Every trial of the latest look failed: no more are tried."
    assert growth.ending == ("An arm that failed in every seed gets no more." if others == ("none",) else broken)


def test_a_look_whose_trials_all_fail_is_the_last(tmp_path: Path, fake: TrialFunction):
    growth = grow(study("none soon", "wide soon", margin=0.01), tmp_path / "out", 1, 6, None, Watch(), fake)
    assert growth.seeds == {"none soon": 4, "wide soon": 4}
    assert (len(growth.run.finished), len(growth.run.failed), growth.finished["wide soon"]) == (6, 2, 3)
    assert growth.ending == "Every trial of the latest look failed: no more are tried."


def test_seeds_are_the_studys_own_and_then_the_lowest(tmp_path: Path, fake: TrialFunction):
    growth = grow(study("none", "far", seeds=[7, 2]), tmp_path / "out", 1, 5, None, Watch(), fake)
    assert growth.study.seeds == [7, 2, 0, 1, 3]
    assert growth.given.seeds == [7, 2, 0]
    assert calls(tmp_path) == ["none 7", "far 7", "none 2", "far 2", "none 0", "far 0"]


def test_an_arm_that_is_the_reference_by_another_name_is_level_and_costs_nothing(tmp_path: Path, fake: TrialFunction):
    arms = [Arm(method="none", name="none"), Arm(method="none", name="twin")]
    watch = Watch()
    growth = grow(Study(arms=arms, reference="none"), tmp_path / "out", 1, 6, None, watch, fake)
    assert (verdicts(growth), growth.seeds) == ({"twin": "level"}, {"none": 3, "twin": 3})
    assert len(calls(tmp_path)) == 3
