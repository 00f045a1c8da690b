"""Which figures under attack the end of a search audits, and why it doesn't audit the others."""

from collections.abc import Sequence

from dropover.lab.judging.comparison import attacks_in
from dropover.lab.records.labels import AUDIT, WORST
from dropover.lab.running.audited import Radius, radii
from dropover.lab.searching.objectives import Objective
from dropover.lab.study import Study


def audited_at(study: Study, objectives: Sequence[Objective]) -> Study:
    """The study, attacked so that an ε of the objectives is the one at which it is audited, where that can be.

    A study's models are audited at one ε of each norm. Where the objectives name others, which all attacks of the norm
    have, the attacks are left with those alone.
    """
    attacks = list(study.evaluation.attacks)
    for radius in _radii(study):
        of_norm = attacks_in(study, radius.norm)
        wanted = {each.level for each in objectives if each.level and norm_under(each, study) == radius.norm}
        if wanted and radius.eps not in wanted and all(wanted <= {*attack.eps} for attack in of_norm):
            kept = {"eps": sorted(wanted)}
            attacks = [attack.model_copy(update=kept) if attack in of_norm else attack for attack in attacks]
    evaluation = study.evaluation.model_copy(update={"attacks": attacks})
    return study.model_copy(update={"evaluation": evaluation})


def unaudited(objective: Objective, study: Study) -> str:
    """Why a study's figures at an objective are not audited; empty if they are, or are under no attack."""
    norm = norm_under(objective, study)
    if norm is None:
        return ""
    if not study.evaluation.audit:
        return "evaluation.audit is false"
    radius = next((each for each in _radii(study) if each.norm == norm), None)
    if radius is None or radius.pixels is None:
        return "an audit needs an ε above 0 in pixels, or one std for all channels"
    return "" if radius.eps == objective.level else f"audits are made at ε = {radius.eps:g} alone"


def unaudited_line(objective: Objective, reason: str) -> str:
    """That an objective's figures are not audited, in a line."""
    return f"Not audited: {objective.words}, since {reason}."


def norm_under(objective: Objective, study: Study) -> str | None:
    """The norm of the attacks that an objective is measured under; None if it is under none."""
    for norm, worst in WORST.items():
        if objective.label in (worst, AUDIT[norm], *(attack.label for attack in attacks_in(study, norm))):
            return norm
    return None


def _radii(study: Study) -> list[Radius]:
    return list(radii(study)) if study.evaluation.audit else []
