"""The honest end of a search: its best arms trained again on seeds that it never saw, and tested, once.

What the search itself says of them is too good, as they were chosen by it: by how much, the end tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import decided
from dropover.lab.judging.measures import measure_of
from dropover.lab.judging.soundness import Soundness, soundness
from dropover.lab.searching.audited import audited_at, unaudited
from dropover.lab.searching.objectives import Objective, scores_of
from dropover.lab.searching.search import Found
from dropover.lab.searching.settings import SearchStudy
from dropover.lab.searching.space import Places, Space
from dropover.lab.study import Arm, Study


@dataclass(frozen=True)
class Figure:
    """What an arm came to at an objective.

    Attributes:
        arm: Its label.
        objective: At what.
        searched: The search's own figure, a mean over its seeds; None for an arm that it didn't try.
        fresh: The mean over fresh seeds, on test images.
        low: The lower end of its 95 % interval over seeds.
        high: The upper end.
        gain: The mean lead over the arm without a method, over the same seeds, more being better.
        gain_low: The lower end of its interval, as the lab's verdicts have it: all arms are judged at once.
        gain_high: The upper end.
        verdict: What is decided of it, such as "better"; empty for the arm without a method.
        searched_gain: That lead as the search saw it.
        soundness: What the audits of its nets say of it; None if none is made there.
        unaudited: Why none is, of a figure under attack; else empty.
        failed: With how many of the fresh seeds its trial failed; the figures are of the others.
    """

    arm: str
    objective: Objective
    searched: float | None
    fresh: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    verdict: str
    searched_gain: float | None
    soundness: Soundness | None = None
    unaudited: str = ""
    failed: int = 0

    @property
    def warning(self) -> str:
        """That the arm is not to be taken for this figure, and why; empty if audits support it or there are none."""
        if self.soundness is None or not self.soundness.doubt:
            return ""
        return f"Don't take {self.arm} for its {self.objective.words}: {self.soundness.doubt}."

    @property
    def optimism(self) -> float | None:
        """How much better the search's own figure is than the fresh one, below 0 if it is worse."""
        return None if self.searched is None else self.objective.gain(self.searched - self.fresh)

    @property
    def optimism_of_gain(self) -> float | None:
        """The same of the lead over the arm without a method, which no difference between images has a part in."""
        return None if self.searched_gain is None else self.searched_gain - self.gain


def final_study(plan: SearchStudy, found: Found, space: Space) -> Study:
    """The study that ends a search: no method, its winners, and each of its methods as its card has it."""
    study = _fresh(plan, found.objectives)
    winners = [found.study.arm(label) for label in found.winners]
    return study.model_copy(update={"arms": [*study.arms, *winners, *_as_published(study, space)]})


def winner_study(plan: SearchStudy, found: Found, label: str) -> Study:
    """The study of one winner against no method, ready to be compared; by its name it has a folder of its own."""
    study = _fresh(plan, found.objectives)
    # As many bytes as a folder's name may have.
    name = study.name.encode()[:97].decode(errors="ignore") + f"-{found.winners.index(label) + 1:02d}"
    arms = [*study.arms, found.study.arm(label)]
    return study.model_copy(update={"arms": arms, "name": name, "description": f"Found: {label}"})


def figures(plan: SearchStudy, found: Found, final: Study, table: pd.DataFrame) -> list[Figure]:
    """What every arm came to in the end at every objective, of the end's table by labels."""
    none = final.arms[0].label
    fresh = scores_of(table, final, found.objectives)
    base = fresh.get(none, {})
    verdicts = {
        each.words: {said.arm: said for said in decided(each.values(table, final), final, each.label).comparisons}
        for each in found.objectives
    }
    audits = {each.words: soundness(table, final, each.label, each.level) for each in found.objectives}
    there: list[Figure] = []
    for arm in final.arms:
        row = fresh.get(arm.label, {})
        shared = [seed for seed in row if seed in base]
        if not shared:
            continue
        seen = found.scores.get(arm.label, {})
        seeds = [seed for seed in seen if seed in found.scores.get(none, {})]
        for place, objective in enumerate(found.objectives):
            values = [row[seed][place] for seed in row]
            mean = st.paired_difference(values, [0.0] * len(values))
            judged = verdicts[objective.words].get(arm.label)
            lead = st.paired_difference([row[seed][place] for seed in shared], [base[seed][place] for seed in shared])
            low, high = sorted((objective.gain(_or(mean.low, mean.mean)), objective.gain(_or(mean.high, mean.mean))))
            if measure_of(final, objective.label).scale == "share":
                low, high = max(low, 0.0), min(high, 1.0)
            ends = (None, None) if judged is None else (judged.low, judged.high)
            gain_low, gain_high = sorted(lead.mean if end is None else objective.gain(end) for end in ends)
            own = fmean(seen[seed][place] for seed in seen) if seen else None
            ahead = fmean(seen[seed][place] - found.scores[none][seed][place] for seed in seeds) if seeds else None
            there.append(
                Figure(
                    arm.label,
                    objective,
                    None if own is None else objective.gain(own),
                    objective.gain(mean.mean),
                    low,
                    high,
                    lead.mean,
                    gain_low,
                    gain_high,
                    "" if judged is None else judged.verdict,
                    None if arm.label == none else ahead,
                    audits[objective.words].get(arm.label),
                    unaudited(objective, final),
                    len(final.seeds) - len(row),
                )
            )
    return there


def _fresh(plan: SearchStudy, objectives: Sequence[Objective]) -> Study:
    """The study on test images, on seeds that the search never saw, audited where its objectives are."""
    study = audited_at(plan.tested, objectives)
    first = study.seeds[0] + plan.search.seeds
    return study.model_copy(update={"seeds": list(range(first, first + plan.search.fresh_seeds))})


def _as_published(study: Study, space: Space) -> list[Arm]:
    """Each method with the settings of its card's defaults, where it goes by default, else at its first place."""
    fitting = Places(study)
    arms = []
    for method, words in space.places.items():
        name = f"{method} as published"
        for at in (None, *([word] for word in words if study.trial is None)):
            where = {} if at is None else {"at": at}
            arm = Arm.model_validate({"method": method, "name": name, **where})
            try:
                fitting.check(arm)
            except (TypeError, ValueError):
                continue
            arms.append(arm)
            break
    return arms


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
