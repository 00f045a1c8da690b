"""Whole searches, of a training function whose truth is known."""

import html
import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pandas as pd
import pytest

from dropover import lab
from dropover.lab.running.study_file import StudyError, read_study, well_formed
from dropover.lab.running.trial import Trial
from dropover.lab.searching.settings import SearchError

SPACE: dict[str, Any] = {
    "methods": ["dropout", "gaussian"],
    "objectives": ["accuracy", "robustness"],
    "trials": 40,
    "seeds": 4,
    "fresh_seeds": 3,
    "schedules": ["constant"],
}


def truth(method: str, settings: Any) -> tuple[float, float]:
    """Dropout is best at p = 0.3, and p trades one objective for the other below that; gaussian is of no use."""
    if method != "dropout":
        return (0.80, 0.40) if method == "none" else (0.70, 0.30)
    p = settings.get("p", 0.5)
    return 0.90 - abs(p - 0.3), 0.50 - 2 * (p - 0.35) ** 2


def of_known_truth(
    calls: list[tuple[str, int, str]], noise: float = 0.003, stop: int | None = None
) -> Callable[[Trial], dict[str, float]]:
    """A function that notes its calls, and stops the run after so many; where it is tested, all is a tenth worse."""

    def train(trial: Trial) -> dict[str, float]:
        if len(calls) == stop:
            raise KeyboardInterrupt
        score = trial.settings["score"]
        calls.append((trial.arm, trial.seed, score))
        arm = trial.study.arm(trial.arm)
        random = Random(f"{trial.arm} {trial.seed} {score}")
        clean, robust = truth(arm.method, arm.settings)
        worse = 0.1 * (score == "test")
        return {"accuracy": clean - worse + random.gauss(0, noise), "robustness": robust + random.gauss(0, noise)}

    return train


def searched(out: Path, calls: list[tuple[str, int, str]] | None = None, noise: float = 0.003, **space: Any) -> Any:
    function = of_known_truth([] if calls is None else calls, noise)
    return lab.search(function, {**SPACE, **space}, name="known", version="1", out=out, progress=False)


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2", "gp"])
def test_a_search_finds_what_is_best_and_spends_its_budget(tmp_path: Path, sampler: str) -> None:
    calls: list[tuple[str, int, str]] = []
    result = searched(tmp_path, calls, sampler=sampler)
    assert result.found.winners
    for label in result.found.winners:
        arm = result.found.study.arm(label)
        assert arm.method == "dropout"
        assert 0.1 < arm.settings["p"] < 0.5
    on_validation = [call for call in calls if call[2] == "validation"]
    assert len(on_validation) == len(set(on_validation)) <= 40
    assert len(on_validation) > 24
    tried = {arm.split()[0] for arm, _, _ in on_validation}
    assert tried == {"none", "dropout", "gaussian"}


def test_the_winners_have_most_seeds_and_their_figures_are_means(tmp_path: Path) -> None:
    result = searched(tmp_path, noise=0.05)
    seeds = result.trials.groupby("arm")["seed"].nunique()
    assert all(seeds[label] == seeds.drop("none").max() for label in result.found.winners)
    assert seeds.drop("none").max() > 1
    for each in result.figures:
        own = result.trials.loc[result.trials["arm"] == each.arm, each.objective.words]
        assert each.searched is None if own.empty else math.isclose(each.searched, own.mean())


def test_the_end_is_on_fresh_seeds_and_test_images_beside_none_and_what_was_published(tmp_path: Path) -> None:
    calls: list[tuple[str, int, str]] = []
    result = searched(tmp_path, calls)
    at_the_end = {(arm, seed) for arm, seed, score in calls if score == "test"}
    seen = {seed for _, seed, score in calls if score == "validation"}
    assert seen.isdisjoint(seed for _, seed in at_the_end)
    arms = {arm for arm, _ in at_the_end}
    assert arms == {"none", "dropout as published", "gaussian as published", *result.found.winners}
    for each in result.figures:
        assert each.low <= each.fresh <= each.high
        if each.optimism is not None and each.objective.words == "accuracy":
            assert 0.07 < each.optimism < 0.13  # what the test images take from all alike
        if each.optimism_of_gain is not None:
            assert abs(each.optimism_of_gain) < 0.03
    assert "Optimism of" in str(result)


def test_a_search_that_is_called_again_trains_nothing_and_says_the_same(tmp_path: Path) -> None:
    first, calls = searched(tmp_path), list[tuple[str, int, str]]()
    again = searched(tmp_path, calls)
    assert not calls
    assert str(again) == str(first)
    pd.testing.assert_frame_equal(again.front, first.front)


def test_a_search_that_is_stopped_goes_on_from_where_it_was(tmp_path: Path) -> None:
    calls: list[tuple[str, int, str]] = []
    half = lab.search(of_known_truth(calls, stop=17), SPACE, name="known", version="1", out=tmp_path, progress=False)
    assert half.end is None
    assert not half.found.winners
    assert half.found.run.stop is not None
    assert "stopped before its end: 17 trials" in str(half)
    trained = set(calls)
    assert searched(tmp_path, calls).end is not None
    assert trained.isdisjoint(calls[len(trained) :])


def test_the_journal_is_opened_by_optuna_and_no_trial_in_it_is_left_open(tmp_path: Path) -> None:
    result = searched(tmp_path)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "optuna.log")))
    study = optuna.load_study(study_name="known", storage=storage)
    assert study.metric_names == SPACE["objectives"]
    assert all(trial.state.is_finished() for trial in study.trials)
    labels = {trial.user_attrs["arm"] for trial in study.trials if "arm" in trial.user_attrs}
    assert labels == {*result.trials["arm"]} - {"none"}


def test_half_a_line_at_the_journals_end_is_no_end_of_the_search(tmp_path: Path) -> None:
    first = searched(tmp_path)
    with (tmp_path / "optuna.log").open("a") as journal:
        journal.write('{"op_code": 5, "wor')
    assert str(searched(tmp_path)) == str(first)
    for line in (tmp_path / "optuna.log").read_text().splitlines():
        json.loads(line)


@pytest.mark.parametrize(
    "damage", [b"garbage\n", b"5\n", b"{}\n", b"\xff\xfe\n", b'{"op_code": 99, "worker_id": ""}\n']
)
def test_a_journal_that_is_damaged_is_said_to_be_in_a_line(damage: bytes, tmp_path: Path) -> None:
    lab.search(of_known_truth([], stop=7), SPACE, name="known", version="1", out=tmp_path, progress=False)
    sound = (tmp_path / "optuna.log").read_bytes()
    lines = sound.splitlines(keepends=True)
    for broken in (sound + damage, b"".join([*lines[: len(lines) // 2], damage, *lines[len(lines) // 2 :]])):
        (tmp_path / "optuna.log").write_bytes(broken)
        calls: list[tuple[str, int, str]] = []
        with pytest.raises(StudyError) as refusal:
            searched(tmp_path, calls)
        assert str(refusal.value).startswith(f"{tmp_path / 'optuna.log'}: is damaged (")
        assert "\n" not in str(refusal.value)
        assert not calls
    (tmp_path / "optuna.log").unlink()
    assert searched(tmp_path, calls).end is not None


def test_a_stop_at_its_end_says_nothing_of_half_of_it_and_goes_on(tmp_path: Path) -> None:
    calls: list[tuple[str, int, str]] = []
    whole = searched(tmp_path / "whole", calls)
    stop = len([call for call in calls if call[2] == "validation"]) + 4
    calls.clear()
    half = lab.search(
        of_known_truth(calls, stop=stop), SPACE, name="known", version="1", out=tmp_path / "half", progress=False
    )
    assert half.end is not None
    assert half.figures == []
    assert "stopped at its end, of which nothing is said until it is whole: 4 of" in str(half)
    assert not (tmp_path / "half" / "front.csv").exists()
    assert "stopped before its end was whole" in (tmp_path / "half" / "search.html").read_text(encoding="utf-8")
    assert str(searched(tmp_path / "half", calls)) == str(whole)
    assert len(calls) == len(set(calls))


def test_an_arm_that_fails_at_the_end_is_shown_and_the_others_are_judged(tmp_path: Path) -> None:
    train = of_known_truth([])

    def diverging(trial: Trial) -> dict[str, float]:
        won = trial.settings["score"] == "test" and trial.seed == 4 and "p=" in trial.arm
        if trial.arm == "gaussian as published" or won:
            raise ArithmeticError("the loss is nan")
        return train(trial)

    result = lab.search(diverging, SPACE, name="known", version="1", out=tmp_path, progress=False)
    page = html.unescape((tmp_path / "search.html").read_text(encoding="utf-8"))
    for words in (str(result), page):
        assert "gaussian as published, seed 5" in words
        assert "the loss is nan" in words
        assert f"{result.found.winners[0]} failed with 1 of the fresh seeds" in words
    arms = {each.arm for each in result.figures}
    assert arms == {"none", "dropout as published", *result.found.winners}


def test_what_a_study_says_itself_is_no_argument() -> None:
    for given in ({"space": {}}, {"settings": {"lr": 1}}, {"name": "x"}, {"version": "1"}):
        with pytest.raises(ValueError, match=r"^space, settings, name and version are for a function"):
            lab.search("study.toml", **given)


@pytest.mark.parametrize(
    ("arguments", "settings", "line"),
    [
        ((5,), {}, "what must be a study file, its content, or a training function, got int"),
        ((of_known_truth([]), 5), {}, "space must be a dictionary such as"),
        ((of_known_truth([]), SPACE), {"function": "mine"}, "settings must have other names than function"),
    ],
)
def test_an_argument_that_means_nothing_is_refused_in_a_line(
    arguments: tuple[Any, ...], settings: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises((TypeError, ValueError)) as refusal:
        lab.search(*arguments, settings=settings, out=tmp_path / "out")
    assert str(refusal.value).startswith(line)
    assert not (tmp_path / "out").exists()


def test_an_arm_that_fails_is_a_fact_about_it_and_the_search_goes_on(tmp_path: Path) -> None:
    train = of_known_truth([])

    def diverging(trial: Trial) -> dict[str, float]:
        if trial.arm.startswith("gaussian"):
            raise ArithmeticError("the loss is nan")
        figures = train(trial)
        return {**figures, "accuracy": math.nan} if trial.study.arm(trial.arm).settings.get("p", 0) > 0.6 else figures

    result = lab.search(diverging, SPACE, name="known", version="1", out=tmp_path, progress=False)
    assert result.found.run.failed
    assert result.found.winners
    assert all(label.startswith("dropout") for label in result.found.winners)


def test_what_nothing_can_be_compared_with_or_measured_ends_the_search_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"no trial measures all of accurazy: returned were accuracy, robustness"):
        searched(tmp_path / "a", objectives=["accurazy"])

    def broken(trial: Trial) -> dict[str, float]:
        raise ArithmeticError("the loss is nan")

    with pytest.raises(SearchError, match=r"the arm without a method failed.*: .*the loss is nan"):
        lab.search(broken, SPACE, name="known", version="1", out=tmp_path / "b", progress=False)


def test_a_budget_in_time_ends_a_search_as_one_in_trials_does(tmp_path: Path) -> None:
    calls: list[tuple[str, int, str]] = []
    result = searched(tmp_path, calls, trials=None, time="2s")
    assert result.end is not None
    assert len(calls) > 10
    with pytest.raises(SearchError, match=r"search.time: was up before the arm without a method was trained"):
        searched(tmp_path / "short", trials=None, time="0.0001s")


def test_a_space_of_few_arms_is_exhausted_and_the_search_ends(tmp_path: Path) -> None:
    few = {"dropout": {"p": [0.2, 0.3]}, "gaussian": {"std": [0.5]}}
    result = searched(tmp_path, ranges=few)
    assert set(result.trials["arm"]) == {
        "none", *(f"{arm}" for arm in ("dropout p=0.2", "dropout p=0.3", "gaussian std=0.5"))
    }  # fmt: skip
    assert result.found.winners == ["dropout p=0.3"]


def test_where_nothing_is_better_than_none_the_front_is_empty(tmp_path: Path) -> None:
    result = searched(tmp_path, methods=["gaussian"])
    assert result.found.winners == []
    assert "The search found nothing beside “none”." in str(result)


def test_each_winner_has_a_study_file_that_compare_reads(tmp_path: Path) -> None:
    result = searched(tmp_path)
    files = sorted((tmp_path / "winners").glob("*.toml"))
    assert len(files) == len(result.found.winners)
    for label, file in zip(result.found.winners, files, strict=True):
        study = well_formed(read_study(file), str(file))
        assert [arm.label for arm in study.arms] == ["none", label]
        assert study.arm(label).settings == result.found.study.arm(label).settings
        # Neither the seeds that chose it, nor the folder of the search or of another winner.
        assert set(study.seeds).isdisjoint(result.trials["seed"])
    names = {read_study(file)["name"] for file in files}
    assert len(names) == len(files)
    assert result.plan.file.study.name not in names


def test_a_search_that_was_tested_is_not_searched_any_further(tmp_path: Path) -> None:
    searched(tmp_path)
    with pytest.raises(StudyError, match=r"the test images were read at its end"):
        searched(tmp_path, trials=80)


@pytest.mark.parametrize("objectives", [["accuracy"], ["accuracy", "robustness"]])
def test_the_page_shows_every_arm_trial_and_winner(tmp_path: Path, objectives: list[str]) -> None:
    result = searched(tmp_path, objectives=objectives)
    page = html.unescape((tmp_path / "search.html").read_text(encoding="utf-8"))
    for arm in (*result.trials["arm"], *result.front["arm"]):
        assert arm in page
    for label in result.found.winners:
        assert f"p={result.found.study.arm(label).settings['p']}" in page
    assert "<svg" in page
    assert "What matters" in page
    assert (tmp_path / "end" / "report.html").exists()


def test_the_page_of_a_search_that_was_stopped_says_so(tmp_path: Path) -> None:
    lab.search(of_known_truth([], stop=9), SPACE, name="known", version="1", out=tmp_path, progress=False)
    page = (tmp_path / "search.html").read_text(encoding="utf-8")
    assert "stopped before its end was whole" in page
