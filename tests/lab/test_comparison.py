import math

import pandas as pd
import pytest

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import columns, figures, levels, margin_checks, worst_levels
from dropover.lab.study import Arm, AttackSettings, EvaluationSettings, Study

EPS = [0.05, 0.1, 0.2]
STUDY = Study(
    seeds=[0, 1, 2],
    arms=[Arm(method="none"), Arm(method="dropout"), Arm(method="flipover")],
    evaluation=EvaluationSettings(
        noise={"gaussian": [0.0, 0.2, 0.4]},
        attacks=[AttackSettings(name=name, eps=EPS) for name in ("fgsm", "pgd", "pgd-margin")],
    ),
)


def table(**rows: list[float]) -> pd.DataFrame:
    """Rows by label from keywords `arm__measure__level`, a value for each seed; the level is in hundredths."""
    made = []
    for key, values in rows.items():
        arm, measure, *level = key.split("__")
        at = int(level[0]) / 100 if level else math.nan
        made += [(arm, seed, measure.replace("_", "-"), at, value) for seed, value in enumerate(values)]
    return pd.DataFrame(made, columns=["arm", "seed", "measure", "level", "value"])


def test_a_figure_is_compared_with_the_reference_seed_by_seed():
    none, dropout, flipover = figures(
        table(none__clean=[0.90, 0.92, 0.94], dropout__clean=[0.91, 0.93, 0.95], flipover__clean=[0.9, 0.9, 0.9]),
        STUDY,
        "clean",
    )
    assert (none.mean, none.spread) == (pytest.approx(0.92), pytest.approx(0.02))
    assert (none.difference, none.p_exact, none.p_student, none.dagger) == (None, None, None, False)
    assert dropout.difference is not None
    assert dropout.difference.mean == pytest.approx(0.01)
    assert (dropout.p_exact, dropout.p_holm, dropout.tests) == (0.25, 0.5, 2)
    # Paired, the difference is the same with every seed; unpaired, it drowns in the spread.
    assert dropout.difference.std == pytest.approx(0)
    assert dropout.p_student == pytest.approx(st.student_t([0.91, 0.93, 0.95], [0.90, 0.92, 0.94]))
    assert not dropout.dagger
    assert flipover.difference is not None
    assert flipover.difference.mean == pytest.approx(-0.02)


def test_only_the_seeds_that_both_have_are_compared():
    found = figures(table(none__clean=[0.9, 0.8], dropout__clean=[0.95, 0.85, 0.1]), STUDY, "clean")
    assert len(found[1].values) == 3
    assert found[1].difference is not None
    assert (found[1].difference.n, found[1].difference.mean) == (2, pytest.approx(0.05))


def test_without_the_reference_there_are_figures_and_no_comparison():
    (figure,) = figures(table(dropout__clean=[0.9]), STUDY, "clean")
    assert (figure.mean, figure.spread, figure.difference) == (0.9, None, None)


@pytest.mark.parametrize(("dropout", "dagger"), [([0.95, 0.96, 0.97], True), ([0.85, 0.86, 0.87], False)])
def test_the_dagger_is_for_better_arms_alone(dropout: list[float], dagger: bool):
    found = figures(table(none__clean=[0.90, 0.91, 0.92], dropout__clean=dropout), STUDY, "clean")
    assert found[1].p_student is not None
    assert found[1].p_student < 0.05
    assert found[1].dagger is dagger


def test_columns_show_a_middle_level_and_attacks_at_one_eps():
    rows = table(
        none__clean=[0.9], dropout__clean=[0.9], none__gaussian__0=[0.9], none__gaussian__20=[0.8],
        none__gaussian__40=[0.7], none__fgsm__5=[0.5], none__fgsm__10=[0.4], none__fgsm__20=[0.3],
        none__pgd__20=[0.1], none__worst__5=[0.5], none__worst__10=[0.4], none__worst__20=[0.1],
    )  # fmt: skip
    shown = {column.measure: column for column in columns(rows, STUDY)}
    assert {name: column.level for name, column in shown.items()} == {
        "clean": None, "gaussian": 0.2, "fgsm": 0.1, "pgd": 0.2, "worst": 0.1
    }  # fmt: skip
    assert shown["clean"].best == []
    assert levels(rows, "gaussian") == [0.2, 0.4]


def test_the_worst_case_is_shown_where_every_attack_ran():
    attacks = [AttackSettings(name="fgsm", eps=[0.1, 0.2, 0.3]), AttackSettings(name="pgd", eps=[0.1])]
    study = STUDY.model_copy(update={"evaluation": EvaluationSettings(attacks=attacks)})
    rows = table(none__worst__10=[0.2], none__worst__20=[0.5], none__worst__30=[0.4])
    assert worst_levels(rows, study) == [0.1]
    apart = EvaluationSettings(attacks=[attacks[0], AttackSettings(name="pgd", eps=[0.4])])
    assert worst_levels(rows, STUDY.model_copy(update={"evaluation": apart})) == [0.1, 0.2, 0.3]


def test_ties_share_the_best():
    rows = table(none__clean=[0.8], dropout__clean=[0.9], flipover__clean=[0.9])
    (column,) = columns(rows, STUDY)
    assert column.best == ["dropout", "flipover"]
    assert [column.marks(arm) for arm in column.figures] == ["", "*", "*"]


def check(weak: list[float], margin: list[float], images: int, name: str = "pgd") -> bool:
    rows = table(**{f"none__{name}__10": weak, "none__fgsm__10": [0.9] * len(weak), "none__pgd_margin__10": margin})
    (found,) = margin_checks(rows, STUDY, images)
    assert found.gap == pytest.approx(sum(weak) / len(weak) - sum(margin) / len(margin))
    return found.hidden


@pytest.mark.parametrize(
    ("weak", "margin", "images", "hidden"),
    [
        ([0.5, 0.5, 0.5], [0.2, 0.2, 0.2], 300, True),
        ([0.5, 0.5, 0.5], [0.49, 0.49, 0.49], 300, False),  # a point is noise on 900 images ...
        ([0.5, 0.5, 0.5], [0.49, 0.49, 0.49], 100_000, True),  # ... and isn't on 300,000
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.2], 100_000, False),  # one seed of three alone
        ([0.5], [0.3], 300, True),
        ([0.2], [0.5], 300, False),  # a margin loss that finds less is no alarm
        ([0.0], [0.0], 300, False),
        ([0.5, 0.5], [0.3, 0.3], 300, True),
    ],
)
def test_the_margin_loss_must_find_more_than_noise(weak: list[float], margin: list[float], images: int, hidden: bool):
    assert check(weak, margin, images) is hidden


def test_the_audit_knows_attacks_by_their_other_names_and_needs_both_kinds():
    study = STUDY.model_copy(
        update={"evaluation": EvaluationSettings(attacks=[AttackSettings(name=n, eps=EPS) for n in ("pgd", "pgd-dlr")])}
    )
    rows = table(none__pgd__10=[0.6], none__pgd_dlr__10=[0.1])
    assert [found.hidden for found in margin_checks(rows, study, 100)] == [True]
    assert margin_checks(table(none__pgd__10=[0.6]), STUDY, 100) == []
    assert margin_checks(table(none__pgd_margin__10=[0.6]), STUDY, 100) == []
