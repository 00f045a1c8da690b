"""Have every bad day for real, and write the table of docs/reliability.md.

python docs/reliability/bad_days.py                 all of them, in half an hour on two cores
python docs/reliability/bad_days.py shared moved    some of them; the other rows stay as they are
python docs/reliability/bad_days.py --moments 9     fewer moments at which runs are killed
"""

import argparse
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import clusters
import disks
import payloads
import stops
from ground import Ground, NotHeldError, Say

PAGE = Path(__file__).parent.parent / "reliability.md"
HEAD = ["| what happens | what must be true | | what was seen |", "|---|---|---|---|"]


@dataclass(frozen=True)
class Day:
    """What happens, what must be true then, and the function that tries it and says in a phrase what was seen."""

    happens: str
    demanded: str
    tried: Callable[[Ground, int, Say], str]


DAYS = {
    "killed": Day(
        "`kill -9` of a worker, of the driver, of all, at random moments",
        "the same command ends with results that are those of an undisturbed run to the bit; nothing that had finished "
        "is run twice; no process is left behind",
        stops.killed,
    ),
    "terminated": Day(
        "SIGTERM, as clusters send before they kill",
        "like Ctrl-C: what is trained is kept, a line, exit code 143",
        stops.terminated,
    ),
    "full": Day("the disk is full", "a line that says so; what was finished stays readable", disks.full),
    "read-only": Day("the folder becomes read-only", "the same", disks.read_only),
    "changed": Day(
        "a result file is cut short, or changed in one bit",
        "it is told by its checksum, named, set aside, and the trial run again",
        disks.changed,
    ),
    "shared": Day("two drivers on one folder", "no trial runs twice; the second one says that it shares", disks.shared),
    "ray": Day(
        "a node of Ray's is removed in the middle of a trial; the head is killed; the driver is",
        "its trials go on elsewhere; a line says what to do; the same command goes on",
        clusters.lost,
    ),
    "payload": Day(
        "a file of weights, or a checkpoint, holds a pickle that would run something",
        "refused; it doesn't run",
        payloads.refused,
    ),
    "clock": Day("the clock is put forward and back", "the same command goes on", disks.other_clock),
    "moved": Day(
        "another working folder, the results moved, another processor",
        "the same command goes on with what is finished",
        disks.moved,
    ),
}


def main() -> None:
    """Have the days asked for, fill the page, and exit with 1 if what must be true wasn't."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(DAYS))
    parser.add_argument("--moments", type=int, default=50, help="at which runs are killed [default: 50]")
    asked = parser.parse_args()
    if strange := [name for name in asked.rows if name not in DAYS]:
        parser.error(f"no row {strange[0]}: there are {', '.join(DAYS)}")
    broken = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no command of ours is left behind
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        for name in asked.rows or DAYS:
            began = time.monotonic()

            def say(line: str, name: str = name, began: float = began) -> None:
                print(f"{name}, {time.monotonic() - began:.0f} s: {line}", file=sys.stderr, flush=True)

            try:
                seen, held = DAYS[name].tried(ground, asked.moments, say), "holds"
            except NotHeldError as error:
                seen, held, broken = " ".join(str(error).split()), "**does not hold**", True
            say(f"{held}: {seen}")
            text = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(filled(text, name, "–" if seen.startswith("not tried") else held, seen), encoding="utf-8")
    sys.exit(broken)


def filled(text: str, name: str, held: str, seen: str) -> str:
    """The page with this row of its table anew, and the other rows as they were."""
    found = re.search("<!-- table -->\n(.*?)<!-- end -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no table between <!-- table --> and <!-- end -->")
    there = {row: line for line in found[1].splitlines() for row, day in DAYS.items() if line.startswith(_begin(day))}
    there[name] = f"{_begin(DAYS[name])} {DAYS[name].demanded} | {held} | {seen.replace('|', '/')} |"
    lines = ["<!-- table -->", *HEAD, *(there[row] for row in DAYS if row in there), "", "<!-- end -->"]
    return text[: found.start()] + "\n".join(lines) + text[found.end() :]


def _begin(day: Day) -> str:
    return f"| {day.happens} |"


if __name__ == "__main__":
    main()
