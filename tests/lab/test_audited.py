"""A trial's audit: where it is made, what of it is kept, and that it is true of the model that was trained."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover import lab
from dropover.lab.examples import Examples
from dropover.lab.judging.comparison import places
from dropover.lab.records.labels import WORST, labelled
from dropover.lab.records.rows import CHECK, Row
from dropover.lab.records.store import Finished, table_of
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.audited import Radius, audit_rows, radii
from dropover.lab.running.calling import run_trial
from dropover.lab.study import FunctionSettings, Study

IMAGES, LABELS = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 5


def study(*attacks: dict[str, Any], **evaluation: Any) -> Study:
    return Study.model_validate({"arms": [{"method": "none"}], "evaluation": {**evaluation, "attacks": attacks}})


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()


def audited(chosen: Study, lines: list[str] | None = None) -> list[Row]:
    told = [] if lines is None else lines
    return audit_rows(chosen, net(), Examples(IMAGES, LABELS, 10), 3, lambda _done, _name: None, told.append)


def function(trial: lab.Trial) -> tuple[nn.Module, dict[str, float], tuple[Tensor, Tensor]]:
    return trial.regularize(net()), {"figure": 0.5}, (IMAGES, LABELS)


OWN = FunctionSettings(function=f"{__name__}:function")
FGSM, PGD = {"name": "fgsm", "eps": [0.0, 0.1, 0.2, 0.3]}, {"name": "pgd", "eps": [0.2, 0.3], "steps": 2}
IN_L2 = {"name": "fgsm", "norm": "l2", "eps": [0.5]}


@pytest.mark.parametrize(
    ("attacks", "where"),
    [
        ([], []),
        ([FGSM], [Radius("linf", 0.2, 0.2)]),
        ([FGSM, PGD], [Radius("linf", 0.2, 0.2)]),
        ([FGSM, {**PGD, "eps": [0.4]}], [Radius("linf", 0.2, 0.2)]),
        ([{"name": "fgsm", "eps": [0.0]}], []),
        ([PGD, IN_L2], [Radius("linf", 0.2, 0.2), Radius("l2", 0.5, 0.5)]),
        ([{**FGSM, "units": "normalised", "std": 0.25}], [Radius("linf", 0.2, 0.05)]),
        ([{**FGSM, "units": "normalised", "std": [0.25, 0.5, 0.5]}], [Radius("linf", 0.2, None)]),
    ],
)
def test_it_is_made_at_the_middle_radius_that_all_attacks_of_a_norm_have_in_pixels(
    attacks: list[dict[str, Any]], where: list[Radius]
):
    assert list(radii(study(*attacks))) == where


@pytest.mark.parametrize("attacks", [[FGSM], [FGSM, PGD], [FGSM, {**PGD, "eps": [0.4]}, IN_L2]])
def test_it_is_made_where_the_table_shows_the_worst_case(attacks: list[dict[str, Any]]):
    chosen = study(*attacks, attack_images=20).model_copy(update={"trial": OWN})
    arm = chosen.arms[0]
    rows = run_trial(chosen, arm, chosen.seeds[0])
    table = labelled(table_of([Finished(TrialKey(arm, chosen.seeds[0], {}), rows, 1.0, {})], chosen))
    there = places(table, chosen)
    shown = {(name, eps) for name, eps in there if name in WORST.values() and eps and not math.isnan(eps)}
    assert {(WORST[each.norm], each.eps) for each in radii(chosen)} == shown


def test_what_is_kept_is_what_an_audit_of_the_model_itself_says():
    chosen = study(FGSM, IN_L2, attack_images=20)
    rows = audited(chosen)
    of_trial = Examples(IMAGES, LABELS, 10)
    first = of_trial.chosen(torch.arange(20))
    for norm, eps in (("linf", 0.2), ("l2", 0.5)):
        found = lab.audit(net(), first.images, first.labels, eps=eps, norm=norm, seed=3)
        kept = {row.measure: row.value for row in rows if (row.norm, row.level) == (norm, eps)}
        assert (kept.pop("audit"), kept.pop("audit images")) == (found.accuracy, len(found.index))
        assert {name.removeprefix(CHECK) for name in kept} == {check.name for check in found.checks}
        assert {name for name, value in kept.items() if value == 1} == {
            f"{CHECK}{check.name}" for check in found.checks if check.passed
        }


def test_it_can_be_left_out_and_is_where_nothing_is_attacked():
    assert audited(study(FGSM, audit=False)) == audited(study()) == []


def test_a_radius_of_another_length_in_each_channel_is_told_and_left_out():
    lines: list[str] = []
    assert audited(study({**FGSM, "units": "normalised", "std": [0.25, 0.5, 0.5]}), lines) == []
    assert lines == ["No audit in linf: it needs ε in pixels, or one std for all channels"]
