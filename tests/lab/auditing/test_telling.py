"""What an audit says on a terminal, and the slice of the loss surface that its page shows."""

import dataclasses
import html
import io

import pytest
import torch
from rich.console import Console

from dropover.lab.auditing.audit import Asked
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.surface import SURFACE
from dropover.lab.auditing.verdict import UPPER_BOUND
from dropover.lab.report.auditing import render
from dropover.lab.telling.auditing import auditing, show

from .test_keeping import Layered, audited


@pytest.fixture(scope="module")
def audit() -> Audit:
    return audited(Layered())


def failing(audit: Audit) -> Audit:
    """The same with a check that failed, and one that could not be made."""
    first, second, *others = audit.checks
    unmade = dataclasses.replace(second, passed=None, figure=None, threshold=None, said="it has too few classes")
    checks = (dataclasses.replace(first, passed=False), unmade, *others)
    return dataclasses.replace(audit, checks=checks, verdict=UPPER_BOUND, reason="a check failed")


def screen(width: int, *, terminal: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, force_terminal=terminal), file


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_check_and_attempt_is_told_and_what_to_do_where_one_failed(audit: Audit, width: int) -> None:
    console, file = screen(width)
    show(failing(audit), console)
    said = " ".join(file.getvalue().split())
    assert "upper bound only at most" in said
    for check in failing(audit).checks:
        assert check.name in said
        assert (" ".join(check.advice.split()) in said) >= (not check.passed)
    assert said.count("FAILED") == said.count("not made") == 1
    for attempt in audit.attacks:
        assert attempt.label in said


@pytest.mark.parametrize("terminal", [False, True])
def test_the_bar_tells_what_is_going_on_on_a_terminal_alone(terminal: bool) -> None:
    console, file = screen(100, terminal=terminal)
    with auditing("a net [bold]", console) as report:
        report(0.5, "attack pgd")
    assert file.getvalue().startswith("a net [bold]\n")
    assert ("attack pgd" in file.getvalue()) is terminal


def test_the_slice_goes_through_the_image_and_along_the_attack(audit: Audit) -> None:
    points = torch.tensor(audit.curves[SURFACE])
    assert points.shape == (21 * 21, 3)
    assert points[:, :2].abs().amax() == 1
    # An affine-like net's margin rises along the way of the attack.
    heights = points[:, 2].reshape(21, 21)
    assert heights[-1].mean() > heights[0].mean()


def test_the_page_says_of_each_check_what_it_found_and_what_to_do(audit: Audit) -> None:
    page = html.unescape(render(failing(audit), "a net", ("one", "two"), {"data": "digits"}, "2026-01-01"))
    for check in failing(audit).checks:
        assert check.said in page
        assert (check.advice in page) >= (not check.passed)
    assert "Upper bound only" in page
    assert "digits" in page


@pytest.mark.parametrize("verdict", ["supported", "upper bound only", "broken"])
def test_the_page_can_be_made_of_whatever_was_found(audit: Audit, verdict: str) -> None:
    curves = {
        "accuracy against ε: pgd": [[0.0, 1.0], [0.1, 0.5]],
        "loss along the steps: pgd": [[0, -1.0], [1, 0.5]],
        "accuracy against ε: one point": [[0.0, 1.0]],
    }
    nothing = torch.zeros(40, dtype=torch.bool)
    other = dataclasses.replace(audit, verdict=verdict, curves=curves)  # type: ignore[arg-type]
    for shown in ({}, {"stands": nothing}, {"stands": nothing, "right": nothing}):
        page = render(dataclasses.replace(other, **shown), "a net", (), {}, "2026-01-01")
        assert "Accuracy against ε" in page
        assert "one point" not in page
    assert "Accuracy against ε" not in render(dataclasses.replace(other, curves={}), "a net", (), {}, "2026-01-01")


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"eps": 8}, "divide by 255"), ({"eps": 0.1, "claim": 45}, "claim must be in"), ({"eps": 0}, "above 0")],
)
def test_what_is_asked_is_checked_at_the_door(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Asked(**settings)  # type: ignore[arg-type]
    assert Asked(8, "l2").eps == 8
