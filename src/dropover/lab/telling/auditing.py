"""What an audit says on a terminal: how far it is, and then its verdict, the checks and what was tried."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from dropover.lab.auditing.evidence import Attempt
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.progress import Report
from dropover.lab.telling.terminal import Screen, bars, clock, print_list, say

_STYLES = {"supported": "bold green", "upper bound only": "bold yellow", "broken": "bold red"}
_OUTCOMES = {True: "passed", False: "FAILED", None: "not made"}
_TRUSTED = 0.02
"""The share of the work from which on the time left is told."""
_PAUSE = 0.2


@contextmanager
def auditing(what: str, console: Console | None = None) -> Iterator[Report]:
    """A bar that shows how far an audit is, and the time left; one plain line where this is no terminal."""
    console = console or Screen()
    say(what, wrap=False, console=console)
    bar = bars(console)
    task, started, shown = bar.add_task("audit", total=1.0, detail=""), time.monotonic(), 0.0

    def report(share: float, going_on: str) -> None:
        nonlocal shown
        now = time.monotonic()
        # Told after every pass of the model, which may be thousands a second.
        if now - shown >= _PAUSE:
            shown = now
            bar.update(task, completed=share, detail=f"{going_on}, {_times(share, now - started)}")

    with bar:
        yield report


def _times(share: float, gone: float) -> str:
    text = f"{clock(gone)} gone"
    return text if share < _TRUSTED else f"{text}, about {clock(gone * (1 - share) / share)} left"


def show(audit: Audit, console: Console | None = None) -> None:
    """Print the verdict and why, every check, and everything that was tried."""
    console = console or Screen()
    low, high = audit.interval
    at_most = "at most " if audit.verdict == "upper bound only" else ""
    say(f"\n{audit.verdict}", _STYLES[audit.verdict], console=console)
    figure = f"{at_most}{_percent(audit.accuracy)} ({_percent(low)} to {_percent(high)}) right in the worst case"
    claimed = "" if audit.claim is None else f"; claimed {_percent(audit.claim)}"
    say(f"{figure} at ε = {audit.eps:g}, {audit.norm}; {_percent(audit.clean)} clean{claimed}", console=console)
    say(f"{audit.reason[:1].upper()}{audit.reason[1:]}.\n", console=console)
    rows = [(_OUTCOMES[each.passed], each.name, each.said) for each in audit.checks]
    print_list(("", "check", "figure"), rows, wrap=("figure",), console=console)
    for each in audit.checks:
        if not each.passed:
            say(f"• {each.name}: {each.why} {each.advice}", console=console)
    say("", console=console)
    heads = ("tried", "for", "attacked", "felled", "gradients", "passes", "seconds")
    print_list(heads, map(_costs, audit.attacks), wrap=(), console=console)


def _costs(tried: Attempt) -> tuple[str, ...]:
    counts = (tried.attacked, tried.felled, tried.gradients, tried.forwards)
    return tried.label, tried.role, *(f"{count:,}" for count in counts), f"{tried.seconds:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
