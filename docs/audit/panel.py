"""Audit nets whose truth is known, and write the table of docs/audit.md.

python docs/audit/panel.py                  all of them, trained first where they aren't there yet
python docs/audit/panel.py plain sap        some of them; the other rows stay as they are
python docs/audit/panel.py --budget full    with more than the quick budget
"""

import argparse
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from panel_nets import ENTRIES
from rows import Seen, seen
from training import BASES, trained

from dropover.lab.auditing.budgets import BUDGETS

PAGE = Path(__file__).parent.parent / "audit.md"
KEPT = Path(__file__).parent / "panel.json"
"""What was seen of every net and seed, from which the page's table is written."""
SEEDS = (0, 1, 2)
HEAD = [
    "| net | ε | truth | true | plain FGSM | plain PGD | AutoAttack's flags | audit | verdict | failed checks |",
    "|---|---|---|---|---|---|---|---|---|---|",
]

Panel = Mapping[str, Sequence[Seen]]


def main() -> None:
    """Train what isn't there, audit what is asked for, write the page, and exit with 1 if a verdict isn't right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ENTRIES))
    parser.add_argument("--budget", choices=BUDGETS, default="quick", help="of the audits [default: quick]")
    asked = parser.parse_args()
    if strange := [name for name in asked.rows if name not in ENTRIES]:
        parser.error(f"no row {strange[0]}: there are {', '.join(ENTRIES)}")
    names = asked.rows or list(ENTRIES)
    bases = [base for base in BASES if any(base in ENTRIES[name].bases for name in names)]
    there: dict[str, dict[int, Seen]] = {name: {} for name in names}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        for done in [pool.submit(trained, base, seed) for seed in SEEDS for base in bases]:
            done.result()
        waiting = {pool.submit(seen, name, seed, asked.budget): (name, seed) for name in names for seed in SEEDS}
        for done in as_completed(waiting):
            name, seed = waiting[done]
            there[name][seed] = done.result()
            print(f"{name}, seed {seed}: {there[name][seed]}", file=sys.stderr, flush=True)
            if len(there[name]) == len(SEEDS):
                keep(name, [there[name][each] for each in SEEDS])
    sys.exit(any(wrong(name, each) for name in names for each in there[name].values()))


def keep(name: str, row: Sequence[Seen]) -> None:
    """Put a net's row among those that are kept, and write the page anew."""
    panel = {**kept(), name: row}
    table = {each: [asdict(one) for one in panel[each]] for each in ENTRIES if each in panel}
    KEPT.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), panel), encoding="utf-8")


def kept() -> Panel:
    """What was seen up to now."""
    if not KEPT.exists():
        return {}
    table = json.loads(KEPT.read_text(encoding="utf-8"))
    return {
        name: [Seen(**{**one, "flags": tuple(one["flags"]), "failed": tuple(one["failed"])}) for one in row]
        for name, row in table.items()
    }


def wrong(name: str, one: Seen) -> bool:
    """Whether a verdict isn't right for the net of that name."""
    return one.verdict not in ENTRIES[name].right


def filled(text: str, panel: Panel) -> str:
    """The page with its table, and the sentence that counts, as the panel says."""
    found = re.search("<!-- table -->\n(.*?)<!-- end -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no table between <!-- table --> and <!-- end -->")
    lines = ["<!-- table -->", *HEAD, *(line(name, panel[name]) for name in ENTRIES if name in panel), ""]
    return text[: found.start()] + "\n".join([*lines, counted(panel), "", "<!-- end -->"]) + text[found.end() :]


def line(name: str, row: Sequence[Seen]) -> str:
    """A row of the table; what differs among the seeds stands in their order."""
    entry = ENTRIES[name]
    verdict = _alike([f"**{one.verdict}**" if wrong(name, one) else one.verdict for one in row], "; ")
    cells = [
        f"`{name}`: {entry.planted}",
        f"{entry.eps:g}",
        f"{entry.truth}: {entry.why}",
        *(_shares([getattr(one, figure) for one in row]) for figure in ("true", "fgsm", "pgd")),
        _named([one.flags for one in row]),
        _shares([one.figure for one in row]),
        verdict,
        _named([one.failed for one in row]),
    ]
    return f"| {' | '.join(cells)} |"


def counted(panel: Panel) -> str:
    """How many verdicts are right, how many sound nets failed, and what the others would have let pass."""
    all_of = [(ENTRIES[name], name, one) for name, row in panel.items() for one in row]
    sound = [wrong(name, one) for entry, name, one in all_of if entry.truth == "sound"]
    others = [one for entry, _, one in all_of if entry.truth != "sound"]
    looked = sum((one.pgd or 0) > max(2 * one.true, 0.2) for one in others)
    silent = sum(not one.flags and (one.pgd or 0) > max(2 * one.true, 0.2) for one in others)
    right = sum(not wrong(name, one) for _, name, one in all_of)
    seconds = sorted(one.seconds for _, _, one in all_of)
    return (
        f"{right} of {len(all_of)} verdicts are right; {sum(sound)} of {len(sound)} sound nets were failed. "
        f"Of the {len(others)} others plain PGD gives {looked} more than twice their true figure, and at least a fifth "
        f"of the images; on {silent} of these no flag of AutoAttack's is raised. An audit took "
        f"{seconds[len(seconds) // 2]:.0f} s in the middle, {seconds[-1]:.0f} s at most."
    )


def _shares(values: Sequence[float | None]) -> str:
    return " · ".join("none" if value is None else f"{100 * value:.1f}" for value in values)


def _named(names: Sequence[tuple[str, ...]]) -> str:
    """Each name, and after it how many of the seeds have it where not all do."""
    counts: Iterator[tuple[str, int]] = (
        (name, sum(name in each for each in names)) for name in dict.fromkeys(sum(names, ()))
    )
    said = ", ".join(name if count == len(names) else f"{name} ({count})" for name, count in counts)
    return said or "–"


def _alike(words: Sequence[str], between: str) -> str:
    return words[0] if len(set(words)) == 1 else between.join(words)


if __name__ == "__main__":
    main()
