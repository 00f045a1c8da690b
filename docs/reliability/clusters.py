"""Ray's bad days, on two nodes of this machine: as the tests have them."""

import re
import subprocess
import sys
from pathlib import Path

from ground import Ground, Say, demand

TESTS = Path(__file__).parents[2] / "tests" / "cli" / "test_on_ray.py"
DAYS = {
    "its_node_is_removed": "the trials of a node that was removed ended on another one",
    "head_is_killed": "with the head killed the command ended in a line, exit code 2",
    "driver_that_is_killed": "a command that was killed left nothing running, and went on",
}


def lost(_ground: Ground, _moments: int, say: Say) -> str:
    """Nodes, the head and the driver are lost, one after the other."""
    for name in DAYS:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "long", "-k", name, str(TESTS)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parents[2])  # noqa: S603
        demand(ran.returncode == 0 and re.search(r"^1 passed", ran.stdout, re.MULTILINE), ran.stdout)
        say(DAYS[name])
    return "; ".join(DAYS.values())
