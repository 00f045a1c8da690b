"""A search's file and its folder: what can't be run is said in a line before anything runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dropover.lab.records.files import write_text
from dropover.lab.running.study_file import StudyError, well_formed
from dropover.lab.searching.budget import budget_of
from dropover.lab.searching.reading import END, alone, claim, planned, search_of
from dropover.lab.searching.settings import SearchSettings

FILE: dict[str, Any] = {
    "name": "mine",
    "data": {"train_limit": 40, "validation": 40, "test_limit": 20},
    "model": {"name": "small-cnn", "width": 0.1},
    "evaluation": {
        "attack_images": 10,
        "noise": {"gaussian": [0.5]},
        "attacks": [{"name": "fgsm", "eps": [0.05, 0.1]}, {"name": "pgd", "eps": [0.1]}],
    },
}
SEARCH: dict[str, Any] = {"methods": ["dropout"], "trials": 40}


def plan(**search: Any) -> Any:
    return planned(search_of({**FILE, "search": {**SEARCH, **search}}, "mine.toml"), "mine.toml")


@pytest.mark.parametrize(
    "words", ["clean", "worst linf 0.1", "worst 0.1", "gaussian 0.5", "fgsm 0.05", "audit linf 0.1", "audit 0.1"]
)
def test_an_objective_is_any_measure_at_a_level_that_trials_have(words: str) -> None:
    (objective,) = plan(objectives=[words]).objectives
    assert (objective.level is None) == (words == "clean")
    assert objective.higher_is_better


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("cleen", "did you mean 'clean'?"),
        ("worst linf 0.05", "measured is worst 0.1"),  # pgd doesn't run there
        ("worst l2 0.1", "measured are clean"),
        ("gaussian", "measured is gaussian 0.5"),
        ("clean 0.5", "measured is clean"),
        ("poisson 1", "measured are clean"),
    ],
)
def test_an_objective_that_no_trial_measures_is_refused_with_those_that_are(words: str, line: str) -> None:
    with pytest.raises(StudyError) as refusal:
        plan(objectives=["gaussian 0.5", words])
    assert str(refusal.value).startswith(f"mine.toml: search.objectives: no trial measures {words!r}: ")
    assert line in str(refusal.value)


def test_one_objective_in_two_spellings_is_refused() -> None:
    with pytest.raises(StudyError, match=r"search.objectives: 'worst linf 0.10' is 'worst 0.1' again"):
        plan(objectives=["clean", "worst 0.1", "worst linf 0.10"])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"arms": []}, "mine.toml: arms: has no effect in a search"),
        ({"search": 3}, "mine.toml: search: is missing"),
        ({"search": {"methods": ["dropout"]}}, "mine.toml: search: needs a budget"),
        ({"search": {"trials": 9, "time": "2h"}}, "mine.toml: search: needs a budget"),
        ({"search": {"time": "2 days"}}, "mine.toml: search.time: must be a time above 0"),
        ({"search": {"trials": 9, "sampler": "magic"}}, "mine.toml: search.sampler: "),
        ({"search": {"trials": 9, "seds": 2}}, "mine.toml: unknown key 'search.seds'"),
        (
            {"search": {"trials": 9, "ranges": {"dropout": {"p": {"low": 1, "high": 0}}}}},
            "dropout.p: low must be below",
        ),
        (
            {"search": {"trials": 9, "ranges": {"dropout": {"p": {"low": 1}}}}},
            "search.ranges.dropout.p.high: is missing",
        ),
        (
            {"search": {"trials": 9, "ranges": {"dropout": {"p": 0.1}}}},
            "search.ranges.dropout.p: must be a range such as",
        ),
        (
            {"search": {"trials": 9, "ranges": {"dropout": {"p": []}}}},
            "search.ranges.dropout.p: must be a range such as",
        ),
        ({"data": {}}, "mine.toml: data.validation: must be above 0"),
    ],
)
def test_a_file_that_is_no_search_is_refused_in_a_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(StudyError) as refusal:
        search_of({**FILE, "search": SEARCH, **changes}, "mine.toml")
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("race", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("methods", [1, 7, 17])
def test_a_budget_is_enough_if_it_is_the_one_that_the_refusal_names(race: float, methods: int) -> None:
    with pytest.raises(ValueError, match=r"must be at least \d+ for one trial of each") as refusal:
        budget_of(SearchSettings(trials=1, race=race), methods)
    least = int(str(refusal.value).split()[4])
    budget = budget_of(SearchSettings(trials=least, race=race), methods)
    assert budget.to_explore(0, 0) > methods
    assert budget.to_explore(0, 0) + budget.to_race(0, 0) == least


def test_a_folder_is_one_searchs_whose_budget_alone_may_change_until_test_images_were_read(tmp_path: Path) -> None:
    def of(search: dict[str, Any] | None = None, **changes: Any) -> Any:
        return search_of({**FILE, "search": {**SEARCH, **(search or {})}, **changes}, "mine.toml")

    for _ in range(2):
        claim(tmp_path, of(), "mine.toml")
    claim(tmp_path, of({"trials": 60}), "mine.toml")
    with pytest.raises(StudyError, match=r"holds another search, 'mine'"):
        claim(tmp_path, of(name="other"), "other.toml")
    with pytest.raises(StudyError, match=r"was edited since .* began \(training.epochs, search.sampler\)"):
        claim(tmp_path, of({"sampler": "random"}, training={"epochs": 1}), "mine.toml")
    (tmp_path / END).mkdir()
    claim(tmp_path, of({"trials": 60}), "mine.toml")
    with pytest.raises(StudyError, match=r"test images were read"):
        claim(tmp_path, of({"trials": 80}), "mine.toml")
    for damaged in ("{", "[]", "{}", '{"study": 3}'):
        write_text(tmp_path / "search.json", damaged)
        with pytest.raises(StudyError, match=r"is damaged"):
            claim(tmp_path, of(), "mine.toml")


@pytest.mark.parametrize("left", ["study.toml", "results.csv", "trials"])
def test_a_folder_with_a_studys_results_is_no_searchs(left: str, tmp_path: Path) -> None:
    (tmp_path / left).mkdir()
    with pytest.raises(StudyError, match=r"holds the results of a study that is no search"):
        claim(tmp_path, search_of({**FILE, "search": SEARCH}, "mine.toml"), "mine.toml")
    assert [path.name for path in tmp_path.iterdir()] == [left]


@pytest.mark.parametrize(
    ("edited", "key"),
    [
        ({"data": {**FILE["data"], "validation": 50}}, "data.validation"),
        ({"model": {"name": "small-cnn", "width": 0.2}}, "model.width"),
        ({"evaluation": {"attack_images": 10}}, "evaluation.noise.gaussian, evaluation.attacks"),
        ({"seeds": 2}, "seeds"),
        ({"search": {**SEARCH, "methods": ["flipover"]}}, "search.methods"),
        ({"search": {**SEARCH, "places": ["fc"]}}, "search.places"),
        ({"search": {**SEARCH, "ranges": {"dropout": {"p": [0.1]}}}}, "search.ranges.dropout"),
        ({"search": {**SEARCH, "objectives": ["gaussian 0.5"]}}, "search.objectives"),
        ({"search": {**SEARCH, "seed": 1}}, "search.seed"),
        ({"search": {**SEARCH, "fresh_seeds": 6}}, "search.fresh_seeds"),
    ],
)
def test_whatever_was_edited_since_it_began_is_named(edited: dict[str, Any], key: str, tmp_path: Path) -> None:
    claim(tmp_path, search_of({**FILE, "search": SEARCH}, "mine.toml"), "mine.toml")
    with pytest.raises(StudyError) as refusal:
        claim(tmp_path, search_of({**FILE, "search": SEARCH, **edited}, "mine.toml"), "mine.toml")
    line = f"mine.toml: was edited since the search in {tmp_path} began ({key}): undo that"
    assert str(refusal.value).startswith(line)
    claim(tmp_path, search_of({**FILE, "search": SEARCH}, "mine.toml"), "mine.toml")


def test_a_study_with_a_search_is_not_compared() -> None:
    with pytest.raises(StudyError, match=r"^mine.toml: search: is for dropover search mine.toml, which finds arms"):
        well_formed({**FILE, "search": SEARCH}, "mine.toml")


def test_a_folder_is_searched_by_one_process_at_a_time(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from dropover.lab.searching.reading import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('there', flush=True); sys.stdin.read()"
    )
    command, pipe = [sys.executable, "-c", script, str(tmp_path)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:  # noqa: S603 - our own
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        with pytest.raises(StudyError, match="a search is running in it already: wait for its end"), alone(tmp_path):
            pass
        other.kill()
    with alone(tmp_path):
        pass
