"""No figure under attack leaves a search unchecked: each is marked by its audits, or said to be unaudited."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dropover import lab
from dropover.lab.judging.soundness import LEGEND
from dropover.lab.running.audited import radii
from dropover.lab.running.runner import StudyRun
from dropover.lab.searching.audited import audited_at, unaudited
from dropover.lab.searching.conclusion import answer, audits, warnings
from dropover.lab.searching.ending import Figure, figures
from dropover.lab.searching.objectives import Objective, measured, objectives_of
from dropover.lab.searching.reading import search_of
from dropover.lab.searching.search import Found
from dropover.lab.searching.settings import SearchStudy
from dropover.lab.study import AttackSettings, Study
from dropover.lab.telling.searching import said_at_the_end

NETS: dict[str, Any] = {
    "name": "tiny",
    "data": {"name": "mnist-5k", "train_limit": 100, "validation": 60, "test_limit": 60},
    "model": {"name": "small-cnn", "width": 0.1},
    "training": {"epochs": 1},
}


def asked(objectives: list[str], *attacks: tuple[str, list[float]], **evaluation: Any) -> SearchStudy:
    tables = [{"name": name, "eps": eps} for name, eps in attacks]
    evaluation = {"attack_images": 20, "attacks": tables, **evaluation}
    search = {"objectives": objectives, "methods": ["dropout"], "places": ["fc"], "trials": 8, "fresh_seeds": 2}
    return search_of({**NETS, "evaluation": evaluation, "search": {**search, "seeds": 2}}, "tiny.toml")


def ended(file: SearchStudy) -> tuple[Study, list[Objective]]:
    objectives = objectives_of(file.search.objectives, file.searched)
    return audited_at(file.tested, objectives), objectives


@pytest.mark.parametrize(("std", "audited"), [([0.3], True), ([0.3, 0.2, 0.4], False)])
def test_an_audit_that_no_trial_can_have_is_no_objective(std: list[float], audited: bool) -> None:
    study = asked(["clean"], ("pgd", [0.1])).tested
    attack = AttackSettings.model_validate({"name": "pgd", "eps": [0.1], "units": "normalised", "std": std})
    evaluation = study.evaluation.model_copy(update={"attacks": [attack]})
    study = study.model_copy(update={"evaluation": evaluation})
    assert ("audit" in measured(study)) == audited
    (objective,) = objectives_of(["worst 0.1"], study)
    assert bool(unaudited(objective, study)) != audited


@pytest.mark.parametrize("eps", [[0.05, 0.1], [0.05, 0.1, 0.2], [0.0, 0.05, 0.1, 0.2, 0.3]])
@pytest.mark.parametrize("label", ["worst linf", "worst", "pgd"])
def test_at_any_one_eps_that_an_objective_names_its_end_is_audited(eps: list[float], label: str) -> None:
    for level in filter(None, eps):
        study, (objective,) = ended(asked([f"{label} {level}"], ("pgd", eps), ("fgsm", eps)))
        assert [radius.eps for radius in radii(study)] == [level]
        assert not unaudited(objective, study)


def test_what_is_audited_already_is_attacked_at_every_eps_that_the_file_has() -> None:
    file = asked(["clean", "worst linf 0.1"], ("pgd", [0.05, 0.1, 0.2]))
    study, _ = ended(file)
    assert study == file.tested


@pytest.mark.parametrize(
    ("objectives", "attacks", "evaluation", "reasons"),
    [
        (["clean", "gaussian 0.5"], [("pgd", [0.1])], {"noise": {"gaussian": [0.5]}}, ["", ""]),
        (["audit linf 0.1"], [("pgd", [0.1])], {}, [""]),
        (["worst linf 0.1"], [("pgd", [0.1])], {"audit": False}, ["evaluation.audit is false"]),
        (["worst 0.05", "worst 0.2"], [("pgd", [0.05, 0.1, 0.2])], {}, ["", "audits are made at ε = 0.05 alone"]),
        (["fgsm 0.05"], [("fgsm", [0.05, 0.1]), ("pgd", [0.1])], {}, ["audits are made at ε = 0.1 alone"]),
        (["pgd 0"], [("pgd", [0])], {}, ["an audit needs an ε above 0 in pixels, or one std for all channels"]),
    ],
)  # fmt: skip
def test_what_is_not_audited_is_known_with_its_reason(
    objectives: list[str], attacks: list[tuple[str, list[float]]], evaluation: dict[str, Any], reasons: list[str]
) -> None:
    study, there = ended(asked(objectives, *attacks, **evaluation))
    assert [unaudited(each, study) for each in there] == reasons


def table(audits: dict[str, float], checks: dict[str, float]) -> pd.DataFrame:
    """Of every arm, with two seeds, 60 % right under attack, and what its audit leaves of 100 images."""
    rows: list[tuple[str, int, str, float | None, float]] = []
    for arm, left in audits.items():
        for seed in (2, 3):
            rows += [
                (arm, seed, "clean", None, 0.9 + 0.01 * seed),
                (arm, seed, "worst", 0.1, 0.6 + 0.01 * seed),
                (arm, seed, "audit", 0.1, left),
                (arm, seed, "audit images", 0.1, 100),
                (arm, seed, "audit: order", 0.1, checks[arm]),
            ]
    return pd.DataFrame(rows, columns=["arm", "seed", "measure", "level", "value"])


def told(left: float, check: float) -> list[Figure]:
    file = asked(["clean", "worst linf 0.1"], ("pgd", [0.1]))
    study, objectives = ended(file)
    arms = [{"method": "none", "name": "none"}, {"method": "dropout", "name": "won", "at": ["fc"], "p": 0.3}]
    final = Study.model_validate({**study.model_dump(), "arms": arms, "seeds": [2, 3]})
    gains = {"none": {0: (0.9, 0.6)}, "won": {0: (0.95, 0.7)}}
    found = Found(final, objectives, StudyRun(0, [], 0), gains, winners=["won"])
    return figures(file, found, final, table({"none": 0.62, "won": left}, {"none": 1.0, "won": check}))


@pytest.mark.parametrize(
    ("left", "check", "mark", "warning"),
    [
        (0.6, 1.0, "✓", ""),
        (0.6, 0.0, "≤", "Don't take won for its worst linf 0.1: the audit calls its figure an upper bound only (order"),
        (0.1, 1.0, "✗", "Don't take won for its worst linf 0.1: other attacks leave only 10.0 %."),
    ],
)
def test_a_winners_figure_under_attack_has_its_mark_and_is_not_recommended_without_it(
    left: float, check: float, mark: str, warning: str
) -> None:
    there = told(left, check)
    clean, worst = (each for each in there if each.arm == "won")
    assert clean.soundness is None
    assert not clean.warning
    assert worst.soundness is not None
    assert worst.soundness.mark == mark
    assert worst.warning.startswith(warning)
    assert bool(worst.warning) == bool(warning)
    lines = said_at_the_end(there, ["won"], asked(["clean"], ("pgd", [0.1])).study)
    assert any(line.startswith("* won") and f"% {mark} (" in line for line in lines)
    assert LEGEND in lines
    assert worst.warning in [*lines, ""]
    (audit,) = [line for line in lines if line.startswith("Audit at worst linf 0.1")]
    assert f"won {mark} {100 * left:.1f} %" in audit


def test_without_audits_no_mark_is_explained() -> None:
    there = [each for each in told(0.6, 1.0) if each.objective.words == "clean"]
    assert not audits(there)
    assert not warnings(there, ["won"], asked(["clean"], ("pgd", [0.1])).study)


@pytest.mark.parametrize("audit", [True, False])
def test_a_search_of_real_nets_says_of_every_figure_under_attack_how_far_to_believe_it(
    tmp_path: Path, audit: bool
) -> None:
    objective = "worst linf 0.1"
    attack = {"name": "pgd", "eps": [0.05, 0.1], "steps": 2}
    search = {"objectives": ["clean", objective], "methods": ["dropout"], "places": ["fc"], "trials": 8}
    raw = {**NETS, "evaluation": {"attack_images": 20, "attacks": [attack], "audit": audit}}
    raw["search"] = {**search, "seeds": 2, "fresh_seeds": 2}
    result = lab.search(raw, out=tmp_path, progress=False, jobs=1)
    front = pd.read_csv(tmp_path / "front.csv", keep_default_na=False)
    page = (tmp_path / "search.html").read_text(encoding="utf-8")
    robust = front[front["objective"] == objective]
    assert len(robust) > 0
    assert set(front.loc[front["objective"] == "clean", "audit"]) == {""}
    verdicts = {"supported", "upper bound only", "broken"} if audit else {"not audited"}
    assert set(robust["audit"]) <= verdicts
    for words in (str(result), page):
        assert (LEGEND in words) == audit
        assert ("Not audited: worst linf 0.1, since evaluation.audit is false." in words) != audit
    assert all((each.soundness is not None) == audit for each in result.figures if each.objective.words == objective)


def test_a_search_whose_attacks_fell_short_even_of_no_method_says_what_to_do() -> None:
    there = [each for each in told(0.6, 1.0) if each.objective.words != "clean"]
    study = asked(["clean"], ("pgd", [0.1])).study
    assert not warnings(there, ["won"], study)
    broken = [each for each in told(0.1, 1.0) if each.arm == "won"]
    as_none = [replace(each, arm="none", verdict="") for each in broken]
    (line,) = warnings(as_none, ["won"], study)
    assert "too weak at worst linf 0.1" in line
    assert "search for “audit linf 0.1”" in line


@pytest.mark.parametrize(("left", "recommended"), [(0.7, True), (0.1, False)])
def test_what_looks_better_is_recommended_only_if_its_audit_supports_it(left: float, recommended: bool) -> None:
    study = asked(["clean"], ("pgd", [0.1])).study
    better = [replace(each, verdict="better", gain=0.1) if each.arm == "won" else each for each in told(left, 1.0)]
    lines = answer(better, ["won"], study)
    assert "Better than “none” at clean: won (by 10.0 points)." in lines
    assert ("Better than “none” at worst linf 0.1: won (by 10.0 points)." in lines) == recommended
    assert ("Better at every objective: won." in lines) == recommended
    assert any("nothing can be recommended" in line for line in lines) != recommended


def test_what_an_arm_costs_at_another_objective_is_said_too() -> None:
    study = asked(["clean"], ("pgd", [0.1])).study
    worse = [replace(each, verdict="worse", gain=-0.02) if each.arm == "won" else each for each in told(0.7, 1.0)]
    line = "At clean nothing that was found is shown to be better than “none”; worse: won (by 2.0 points)."
    assert line in answer(worse, ["won"], study)
