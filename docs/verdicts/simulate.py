"""Check the verdicts by simulation and write the tables of docs/verdicts.md.

python docs/verdicts/simulate.py           the tables anew, in three to ten minutes on one core
python docs/verdicts/simulate.py power     one of them
python docs/verdicts/simulate.py --quick   a tenth of the studies, to look at; the page stays as it is
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from math import e as euler
from pathlib import Path

import numpy as np
import power
import studies
import tried
from scipy import stats

from dropover.lab.judging.looks import Look, Spending, plan, squared

PAGE = Path(__file__).parent.parent / "verdicts.md"
STUDIES = 10_000
ARMS = 6
SEEDS = (3, 4, 6, 10, 20)
MOST_SEEDS = 30
SEED = 12


def main() -> None:
    """Run everything and fill the page."""
    quick = "--quick" in sys.argv
    size = STUDIES // 10 if quick else STUDIES
    wanted = [name for name in sys.argv[1:] if name != "--quick"] or list(TABLES)
    for name in wanted:
        began = time.monotonic()
        lines = list(TABLES[name](size))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if quick:
            print("\n".join(lines))
        else:
            PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), {name: lines}), encoding="utf-8")


def filled(text: str, blocks: dict[str, list[str]]) -> str:
    """The page with its tables, each between `<!-- NAME -->` and `<!-- end -->`."""
    for name, lines in blocks.items():
        body = "\n".join([f"<!-- {name} -->", *lines, "", "<!-- end -->"])
        text, times = re.subn(f"<!-- {name} -->.*?<!-- end -->", lambda _, body=body: body, text, flags=re.DOTALL)
        if times != 1:
            raise ValueError(f"{PAGE} has {times} tables named {name!r}, it needs one")
    return text


def fixed(size: int) -> Iterator[str]:
    """Family-wise false alarms of studies that are looked at once."""
    yield from head(["residuals", *(f"{n} seeds" for n in SEEDS)])
    rates = []
    for kind in studies.KINDS:
        row = [false_alarms(kind, size, ARMS, n) for n in SEEDS]
        rates += row
        yield line([kind.title, *map(with_error(size), row)])
    last = studies.KINDS[-1]
    paired = max(
        power.paired_alarms(last.residuals(generator(last.title, 100 * ARMS + n), size, ARMS, n)) for n in SEEDS
    )
    yield from ["", summary("fixed study but the last kind", rates[: -len(SEEDS)], size)]
    yield f"Of the last kind, up to {100 * max(rates[-len(SEEDS) :]):.1f} %;"
    yield f"there the paired t-test with Holm's correction has up to {100 * paired:.1f} %."


def pooling(size: int) -> Iterator[str]:
    """What pooling alone would do: false alarms, and how often it finds two points at a spread of half a point."""
    yield from head(["residuals", *(f"{n} seeds" for n in SEEDS)])
    for kind in studies.KINDS:
        drawn = [kind.residuals(generator(kind.title, 100 * ARMS + n), size, ARMS, n) for n in SEEDS]
        yield line([kind.title, *(with_error(size)(float(power.pooled_alone(y).any(1).mean())) for y in drawn)])
    y = power.LOGITS[None, :, None] + power.SPREAD * generator("pooling", 3).standard_normal((size, ARMS, 3))
    share = float(power.pooled_alone(y)[:, -1].mean())
    yield from [
        "",
        f"With three seeds it finds −2 points at a spread of half a point in {100 * share:.0f} % of studies.",
    ]


def other_sizes(size: int) -> Iterator[str]:
    """The same with fewer and more arms."""
    yield from head(["residuals", *(f"{arms} arms, {n} seeds" for arms in (3, 10) for n in (3, 6))])
    rates = []
    for kind in studies.KINDS:
        row = [false_alarms(kind, size, arms, n) for arms in (3, 10) for n in (3, 6)]
        rates += row
        yield line([kind.title, *map(with_error(size), row)])
    yield from ["", summary("study of 3 or 10 arms but the last kind", rates[:-4], size)]


def coverage(size: int) -> Iterator[str]:
    """How often all intervals of a study contain their truth, in points of accuracy, carried back from logits."""
    true = power.LOGITS
    yield from head(["residuals", *(f"{n} seeds" for n in SEEDS)])
    rates = []
    for kind in [*studies.KINDS[:6], studies.KINDS[-1]]:
        row = []
        for n in SEEDS:
            y = kind.residuals(generator(kind.title, n), size, ARMS, n) * power.SPREAD + true[None, :, None]
            found = power.against_first(y, 0.05)
            base = y[:, :1].mean(2)
            low, high = (
                power.points(base + found.difference + side * found.half) - power.points(base) for side in (-1, 1)
            )
            truth = power.points(true[1:]) - power.points(true[:1])
            row.append(float(((low <= truth) & (truth <= high)).all(1).mean()))
        rates += row
        yield line([kind.title, *map(with_error(size), row)])
    lowest = min(rates[: -len(SEEDS)])
    yield from [
        "",
        f"Aim: 95 % or more. Lowest: {100 * lowest:.1f} %, of the last kind {100 * min(rates[-len(SEEDS) :]):.1f} %.",
    ]


def sequential(size: int) -> Iterator[str]:
    """Family-wise false alarms over all looks, by way of spending."""
    looks = plan(MOST_SEEDS, ARMS - 1)
    yield f"Looks at {', '.join(str(look.seeds) for look in looks)} seeds; margin 0, so that no arm leaves as level."
    yield ""
    yield from head(["residuals", *(f"by {look.seeds} seeds" for look in looks[::2])])
    rates = []
    for kind in studies.KINDS:
        y = kind.residuals(generator(kind.title, MOST_SEEDS), size, ARMS, MOST_SEEDS)
        at = power.decided_at(y, looks, margin=0.0)[0]
        row = [float((at <= look.seeds).any(1).mean()) for look in looks[::2]]
        rates.append(row[-1])
        yield line([kind.title, *map(with_error(size), row)])
    yield from ["", summary("sequential study but the last kind", rates[:-1], size)]


def generator(title: str, number: int) -> np.random.Generator:
    """One for each cell of a table, so that no cell depends on the others."""
    return np.random.default_rng([SEED, number, *title.encode()])


def false_alarms(kind: studies.Kind, size: int, arms: int, n: int) -> float:
    """In which share of null studies any arm is called better or worse."""
    found = power.against_first(kind.residuals(generator(kind.title, 100 * arms + n), size, arms, n), 0.05)
    return float((np.abs(found.difference) > found.half).any(1).mean())


def with_error(size: int) -> Callable[[float], str]:
    """A share in percent with its standard error."""
    return lambda share: f"{100 * share:.1f} ± {100 * np.sqrt(max(share * (1 - share), 1 / size) / size):.1f}"


def summary(what: str, rates: list[float], size: int) -> str:
    """Whether 5 % is held, in a sentence."""
    worst = max(rates)
    error = np.sqrt(worst * (1 - worst) / size)
    held = (
        "5 % is held everywhere"
        if worst <= 0.05
        else f"5 % is not held in {sum(r > 0.05 for r in rates)} of {len(rates)}"
    )
    return f"Most in any {what}: {100 * worst:.1f} ± {100 * error:.1f} % of {size:,} studies; {held}."


def head(titles: list[str]) -> Iterator[str]:
    """A table's first two lines."""
    yield line(titles)
    yield "|---" + "|--:" * (len(titles) - 1) + "|"


def line(cells: list[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def against_todays(size: int) -> Iterator[str]:
    """How often a true difference is found, by this and by today's tests."""
    yield from head(["true difference", "seeds", *power.TESTS])
    for n, row in power.compared(size, generator("power", 0)):
        for effect, found in row.items():
            yield line(
                [f"{effect:+.2f} points".replace("-", "−"), str(n), *(f"{100 * share:.0f} %" for share in found)]
            )


def literally(size: int) -> Iterator[str]:
    """How often −2 points are found where the spread is half a point, in points."""
    yield from head(
        [
            "the reference's accuracy",
            "the true spread is",
            "every arm's three values spread by",
            "and do beside their seeds' effects",
        ]
    )
    for level in LEVELS:
        found = power.found_in_points(level, size, generator("literally", round(100 * level)))
        yield line([f"{100 * level:.0f} %", *(f"{100 * share:.0f} %" for share in found)])


def others(size: int) -> Iterator[str]:
    """Other ways to judge spreads that three seeds hardly show."""
    yield from head(["way", "most false alarms", "−2 points found", "found, with intervals stretched to 5 %"])
    for each in tried.tried(size, generator):
        shares = (each.alarms, each.found, each.found_held)
        yield line([each.title, f"{100 * shares[0]:.1f} %", *(f"{100 * share:.0f} %" for share in shares[1:])])


def spendings(size: int) -> Iterator[str]:
    """What ways to pay for the looks cost in trials, at the share of arms that they decide."""
    ways: dict[str, list[Look]] = {title: plan(MOST_SEEDS, ARMS - 1, spending=way) for title, way in SPENDINGS.items()}
    ways["by the square, at most 50 seeds"] = plan(50, ARMS - 1)
    ways[HOPELESS] = plan(MOST_SEEDS, ARMS - 1)
    yield from head(
        [
            "looks paid for",
            "study",
            "arms decided",
            "wrong verdicts",
            "trials",
            "fixed study with as many decided",
            "saved",
        ]
    )
    of_chosen = []
    for title, truth in power.TRUTHS.items():
        fixed_share = power.fixed_curve(truth, size // 5, generator(title, 1))
        for way, looks in [*ways.items(), ("anytime-valid (mixture)", None)]:
            decided, wrong, trials = power.followed(
                truth, looks, size // 5, generator(title, 2), leave_without_hope=way == HOPELESS
            )
            told = [f"{100 * decided:.0f} %", f"{100 * wrong:.1f} %", f"{trials:.0f}"]
            same = power.seeds_for(fixed_share, decided)
            yield line([way, title, *told, *saved(trials, same)])
            if same and way.startswith("by the square") and truth is not power.ALIKE:
                of_chosen.append(100 * (1 - trials / ARMS / same))
    low, high = min(of_chosen), max(of_chosen)
    yield from ["", f"By the square, where arms differ, {low:.0f} to {high:.0f} % are saved. The aim was half."]


def saved(trials: float, seeds: float | None) -> list[str]:
    """The fixed study that decides as much, and which share of its trials is saved."""
    most = ARMS * (seeds or power.FIXED[-1])
    share = f"{round(100 * (1 - trials / most))} %".replace("-", "−")
    return [f"{most:.0f} trials ({seeds:.0f} seeds)", share] if seeds else [f"over {most} trials", f"over {share}"]


def cubed(share: float, alpha: float) -> float:
    """Less than by the square at first."""
    return float(alpha * share**3)


def power_and_a_half(share: float, alpha: float) -> float:
    """More than by the square at first."""
    return float(alpha * share**1.5)


def pocock(share: float, alpha: float) -> float:
    """Nearly the same bound at every look (Lan & DeMets 1983)."""
    return float(alpha * np.log(1 + (euler - 1) * share))


def obrien_fleming(share: float, alpha: float) -> float:
    """Next to nothing at first (Lan & DeMets 1983)."""
    return float(4 * stats.norm.sf(stats.norm.isf(alpha / 4) / np.sqrt(share)))


HOPELESS = "arms without hope leave"
SPENDINGS: dict[str, Spending] = {
    "by the square": squared,
    "by the power 1.5": power_and_a_half,
    "by the cube": cubed,
    "like Pocock": pocock,
    "like O'Brien–Fleming": obrien_fleming,
}
LEVELS = (0.5, 0.7, 0.9, 0.95, 0.97)
TABLES = {
    "false alarms": fixed,
    "pooling alone": pooling,
    "other sizes": other_sizes,
    "false alarms over looks": sequential,
    "coverage": coverage,
    "power": against_todays,
    "in points": literally,
    "tried": others,
    "trials": spendings,
}

if __name__ == "__main__":
    main()
