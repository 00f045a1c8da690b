"""Does a method, a place and a rate beat no regularizer and dropout, clean and audited? The tables of searches.md.

python docs/findings/searches.py [RESULTS]    search (an hour for each of two), or take over what was searched; train
                                              what was found once more, beside dropout; write searches.csv
python docs/findings/tables.py --write        make the page's tables of it
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from dropover import lab
from dropover.lab.comparing import run
from dropover.lab.judging.comparison import values_at
from dropover.lab.judging.deciding import Comparison, decide
from dropover.lab.judging.soundness import TrialAudit, trial_audits
from dropover.lab.records.labels import AUDIT, labelled
from dropover.lab.records.rows import CLEAN
from dropover.lab.result import Result
from dropover.lab.searching import race
from dropover.lab.searching.search import Found
from dropover.lab.seeking import Searched
from dropover.lab.study import Arm
from dropover.lab.telling.live import live
from dropover.lab.telling.terminal import say

HERE = Path(__file__).parent
TABLE, ENDS = HERE / "searches.csv", HERE / "searches-ends.csv"
SEARCHES = ("search-mnist-5k", "search-fashion-mnist")
SEEDS = range(100, 108)
"""Which no search and no search's end has had."""
MARGIN = 0.005
"""Shares of images: half a point, as in every study."""
NONE, PUBLISHED, TUNED, FOUND = "none", "as published", "dropout, searched", "found"


def main(results: Path = Path("results")) -> None:
    """Search, train again what counts, and write the table."""
    columns = ["search", "arm", "role", "measure", "seeds", "mean", "doubts"]
    columns += ["against", "difference", "low", "high", "verdict"]
    rows: list[tuple[object, ...]] = []
    ends: list[pd.DataFrame] = []
    for name in SEARCHES:
        searched = lab.search(HERE / f"{name}.toml", out=results / name, jobs=2)
        ends.append(searched.front.assign(search=name))
        if ahead := _ahead(searched):
            roles = _roles(searched, ahead)
            arms = [arm for arm, _ in roles.values()]
            study = searched.plan.file.tested.model_copy(update={"arms": arms, "seeds": list(SEEDS)})
            again = run(study, results / f"{name}-again", jobs=2, view=live, tell=say)
            rows += [(name, *row) for row in _rows(again, {label: role for label, (_, role) in roles.items()})]
    pd.DataFrame(rows, columns=columns).to_csv(TABLE, index=False)
    pd.concat(ends).to_csv(ENDS, index=False)


def _ahead(searched: Searched) -> list[str]:
    """The winners that are ahead of none at every objective in the mean of the search's end."""
    behind = {each.arm for each in searched.figures if each.gain <= 0}
    return [arm for arm in searched.found.winners if arm not in behind]


def _roles(searched: Searched, ahead: list[str]) -> dict[str, tuple[Arm, str]]:
    """The arms that are trained again, by label: none, dropout as published and where it was best, and those ahead."""
    assert searched.end is not None
    none, published = searched.end.study.arms[0], searched.end.study.arm("dropout as published")
    roles = {NONE: (none, NONE), published.label: (published, PUBLISHED)}
    roles |= {label: (searched.found.study.arm(label), TUNED) for label in _dropouts(searched.found)}
    winners = {label: (searched.found.study.arm(label), FOUND) for label in ahead}
    return roles | {label: winner for label, winner in winners.items() if label not in roles}


def _dropouts(found: Found) -> list[str]:
    """The front of dropout's own arms, by their means, at most two."""
    own = [arm.label for arm in found.study.arms if arm.method == "dropout" and found.scores.get(arm.label)]
    return race.front(race.means(found.scores, own))[:2]


def _rows(result: Result, roles: dict[str, str]) -> Iterator[tuple[object, ...]]:
    """Every arm's mean, and its difference from none and from each dropout; shares of images."""
    table = labelled(result.table)
    eps = result.study.evaluation.attacks[0].eps[0]
    audits = trial_audits(table, result.study, "linf", eps)
    for measure, level in ((CLEAN, None), (AUDIT["linf"], eps)):
        values = values_at(table, result.study, measure, level)
        doubts = {arm: _doubts(audits[arm]) if measure != CLEAN else "" for arm in roles}
        for reference in (label for label, role in roles.items() if role != FOUND):
            said = {each.arm: each for each in decide(values, reference, MARGIN).comparisons}
            for arm, role in roles.items():
                mean = sum(values[arm].values()) / len(values[arm])
                yield (arm, role, measure, len(values[arm]), mean, doubts[arm], reference, *_judged(said.get(arm)))


def _doubts(audits: Mapping[int, TrialAudit]) -> str:
    """Which checks did not pass, in how many of the seeds: what the audit leaves is an upper bound only then."""
    names = Counter(name for each in audits.values() for name in (*each.failed, *each.not_made))
    return ", ".join(f"{name} ({count} of {len(audits)})" for name, count in names.items())


def _judged(said: Comparison | None) -> tuple[object, ...]:
    return (None, None, None, "") if said is None else (said.difference, said.low, said.high, said.verdict)


def blocks() -> dict[str, list[str]]:
    """Every table of the page, by its name there."""
    texts = {"doubts": "string", "verdict": "string"}
    again, ends = pd.read_csv(TABLE, dtype=texts).fillna(dict.fromkeys(texts, "")), pd.read_csv(ENDS)
    tables = {f"end of {name}": _end(ends[ends["search"] == name]) for name in SEARCHES}
    return tables | {name: _lines(again[again["search"] == name]) for name in dict.fromkeys(again["search"])}


def _end(table: pd.DataFrame) -> list[str]:
    """What the search's end says of its winners, of none, and of dropout as published."""
    words = list(dict.fromkeys(table["objective"]))
    shown = table[table["winner"] | table["arm"].isin([NONE, "dropout as published"])]
    lines = [f"| arm | {' | '.join(words)} | the audit leaves |", "|---|" + "--:|" * len(words) + "--:|"]
    for arm in dict.fromkeys(shown["arm"]):
        own = shown[shown["arm"] == arm].set_index("objective")
        audited = own[own["audit_leaves"].notna()].iloc[0]
        grounds = "" if pd.isna(audited["audit_grounds"]) else f" ≤ ({audited['audit_grounds']})"
        cells = [f"{100 * own.loc[each, 'fresh']:.1f} %" for each in words]
        lines.append(f"| {' | '.join([arm, *cells])} | {100 * audited['audit_leaves']:.1f} %{grounds} |")
    return [*lines, "", _beside_audits(table[table["audit_leaves"].notna()])]


def _beside_audits(table: pd.DataFrame) -> str:
    """How the attack's figures lie beside the audits', of all arms of an end."""
    apart, like = 100 * (table["fresh"] - table["audit_leaves"]), table["fresh"].corr(table["audit_leaves"], "spearman")
    return (
        f"Of all {len(table)} arms of this end, those as published too, the attack's figure is {apart.min():.1f} to "
        f"{apart.max():.1f} points above the audit's; their rank correlation is {like:.2f}."
    )


def _lines(table: pd.DataFrame) -> list[str]:
    """Every arm at both measures: its mean, and the least that it is ahead of each of none and dropout."""
    measures = list(dict.fromkeys(table["measure"]))
    dropouts = [arm for arm in dict.fromkeys(table["arm"]) if _role(table, arm) in (PUBLISHED, TUNED)]
    heads = [f"{measure} | against none | against dropout" for measure in measures]
    lines = [f"| arm | | {' | '.join(heads)} |", "|---|---|" + "--:|---|---|" * len(measures)]
    for arm in dict.fromkeys(table["arm"]):
        cells = [arm, _role(table, arm)]
        for measure in measures:
            own = table[(table["arm"] == arm) & (table["measure"] == measure)]
            mark = f" ≤ ({own['doubts'].iloc[0]})" if own["doubts"].iloc[0] else ""
            cells += [f"{100 * own['mean'].iloc[0]:.1f} %{mark}", _said(own[own["against"] == NONE])]
            cells.append(_said(own[own["against"].isin(dropouts)]))
        lines.append(f"| {' | '.join(cells)} |")
    beating = beats_all(table)
    return [*lines, "", f"Better than none and than every dropout at both: {', '.join(beating) or 'none of them'}."]


def beats_all(table: pd.DataFrame) -> list[str]:
    """The arms that are better than none and than every dropout, at both measures, and whose audits all passed."""
    found = table[table["role"] == FOUND]
    sound = [arm for arm, rows in found.groupby("arm", sort=False) if not any(rows["doubts"])]
    return [str(arm) for arm in sound if set(table.loc[table["arm"] == arm, "verdict"]) == {"better"}]


def _role(table: pd.DataFrame, arm: str) -> str:
    return str(table.loc[table["arm"] == arm, "role"].iloc[0])


def _said(rows: pd.DataFrame) -> str:
    """The least difference of these, in points, with its interval and verdict; empty if there is none."""
    rows = rows[rows["difference"].notna()]
    if rows.empty:
        return ""
    least = rows.loc[rows["difference"].idxmin()]
    ends = f"{100 * least['low']:+.1f} to {100 * least['high']:+.1f}"
    return f"{100 * least['difference']:+.1f} ({ends}): {least['verdict']}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
