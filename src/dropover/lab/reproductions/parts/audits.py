"""What audits say of a reproduction's figures under attack: one table, beside whatever it shows of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dropover.lab.reproductions.parts.items import Cell, Item, Line, Table

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.studies import Evidence, Run

_NORMS = {"linf": "L∞", "l2": "L2"}
_EPS, _LEFT, _GROUNDS = _ABOUT = "ε", "Left by the audit", "Checks that did not pass"
"""The columns beside those of the attacks."""
_NONE = "–"
"""What stands where every check passed."""


def audit_items(evidence: Evidence) -> list[Item]:
    """The table of every audit: studies and arms down, attacks across with the verdict on each; none without audits."""
    from dropover.lab.judging.soundness import LEGEND

    rows = [row for run in evidence.runs if not run.table.empty for row in _rows(run)]
    if not rows:
        return []
    attacks = dict.fromkeys(attack for _, cells in rows for attack in cells if attack not in _ABOUT)
    columns = [_EPS, *attacks, _LEFT, _GROUNDS]
    return [
        Table(
            "audit",
            "The audit of the attacked nets: shares (%) of all attacked images, each with its verdict",
            ("Study", "Arm", "Norm"),
            columns,
            [Line(heads, tuple(Cell(text=cells.get(column, "")) for column in columns)) for heads, cells in rows],
            notes=(LEGEND, "At one ε of each norm, the middle of those that all its attacks have; at no other."),
        )
    ]


def _rows(run: Run) -> Iterator[tuple[tuple[str, str, str], dict[str, str]]]:
    """The heads and the columns of every arm and norm that was audited."""
    from dropover.lab.judging.comparison import attacks_in
    from dropover.lab.judging.soundness import audit_places, soundness

    for norm, eps in audit_places(run.table):
        by_attack = {
            attack.name.upper(): (run.figures(attack.label, eps), soundness(run.table, run.study, attack.label, eps))
            for attack in attacks_in(run.study, norm)
            if eps in attack.eps
        }
        for arm in run.study.arms:
            there = {name: (of[arm.label], on[arm.label]) for name, (of, on) in by_attack.items() if arm.label in on}
            if there:
                cells = {name: f"{100 * figure.mean:.1f} {sound.mark}" for name, (figure, sound) in there.items()}
                audited = next(sound for _, sound in there.values())
                about = {_EPS: f"{eps:g}", _LEFT: f"{100 * audited.accuracy:.1f}", _GROUNDS: audited.grounds or _NONE}
                yield (run.request.name, arm.label, _NORMS[norm]), {**cells, **about}
