"""`dropover status`: what runs in a results' folder, from any machine that sees it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, fail

if TYPE_CHECKING:
    from dropover.lab.running.heartbeat import Beat, Moving

_BELOW = ("", "*", "*/*")
"""Where results' folders lie below the one that is named."""


def status(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="A results' folder, or one of several.")] = RESULTS,
) -> None:
    """Say how far the studies are whose results lie in a folder.

    What is finished, failed and running, with the last figures and the time left, as the runs themselves have told
    it: from any machine that sees the folder. Nothing is changed.
    """
    from dropover.lab.running.heartbeat import FOLDER, beats

    if not folder.is_dir():
        fail(f"{folder}: there is no such folder of results")
    below = sorted({path.parent for place in _BELOW for path in folder.glob(f"{place}/{FOLDER}".lstrip("/"))})
    found = [(each, beat) for each in below for beat in beats(each)]
    for each, beat in found:
        _show(each, beat)
    if not found:
        trials = folder / "trials"
        failed = len(list(trials.glob("*.failed.json")))
        finished = len(list(trials.glob("*.json"))) - failed
        if not finished + failed:
            fail(f"{folder}: no run has told anything here, and it has no trials")
        typer.echo(f"{folder}: no run has told anything here; its trials: {finished} finished, {failed} failed")


def _show(folder: Path, beat: "Beat") -> None:
    from dropover.lab.telling.terminal import say

    counts = [f"{beat.finished} of {beat.total} trials finished"]
    if beat.reused:
        counts[0] += f" ({beat.reused} by an earlier run)"
    if beat.failed:
        counts.append(f"{beat.failed} failed")
    say(f"{beat.study}, in {folder}: {', '.join(counts)}", "bold", wrap=False)
    say(f"  {_standing(beat)}", wrap=False)
    for moving in beat.moving:
        say(f"  {_moving(moving, beat)}", wrap=False)
    for label, reason in beat.failures.items():
        say(f"  {label}: failed: {reason}", wrap=False)
    if beat.failed > len(beat.failures):
        say(f"  and {beat.failed - len(beat.failures)} more failed", wrap=False)


def _standing(beat: "Beat") -> str:
    """Whether a run goes on, and since when or how long it will."""
    from dropover.lab.telling.terminal import clock

    where, ago = f"process {beat.process} on {beat.host}", f"{clock(beat.silence)} ago"
    match beat.standing:
        case "running":
            left = "" if beat.left is None else f", about {clock(beat.left)} left"
            return f"running for {clock(beat.written - beat.began)}{left} ({where}, heard {ago})"
        case "ended":
            return f"{beat.ended} {ago}, after {clock(beat.written - beat.began)} ({where})"
        case "gone":
            return f"gone without a word, last heard {ago} ({where}): the command that ran it goes on from there"
        case "silent":
            return f"silent, last heard {ago} ({where}): what follows is of then; it is stopped, or its machine is"


def _moving(moving: "Moving", beat: "Beat") -> str:
    from dropover.lab.telling.terminal import clock

    was = "running" if beat.standing == "running" else "was running"
    return f"{moving.trial}: {was} for {clock(beat.written - moving.began)}, {100 * moving.done:.0f} %, {moving.doing}"
