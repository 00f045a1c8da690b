"""What a function of a notebook is told by: every edit of what it rests on, and nothing else."""

import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from dropover.lab.records.live_code import LiveCode, live_code

START = """
import math
import torch

SCALE = 2.0
TABLE = {"a": [1, 2], "b": {"x", "y"}}
WEIGHT = torch.arange(4.0)

def deep(x):
    return x + 1

class Net:
    width = 3
    def __call__(self, x):
        return deep(x) * self.width

class Trainer(Net):
    def __init__(self, rate):
        self.rate = rate
    def fit(self, x):
        return self.rate * x

def chosen(x):
    return x in {"p", "q", "r"}

STEPS = [lambda x: x + 1, chosen]
trainer = Trainer(0.1)

def close(value):
    return lambda x: x * value

first, second = close(1), close(2)

def train(trial, rate=0.5):
    \"\"\"Text.\"\"\"
    # a comment
    return {"a": trainer.fit(SCALE), "b": [step(1) for step in STEPS], "c": TABLE, "d": WEIGHT.sum(), "e": first(1)
            + second(1), "f": math.pi, "g": rate}
"""


def digests(source: str, name: str = "train") -> dict[str, str]:
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(source, space)  # noqa: S102 - ours
    return live_code(space[name], lambda _module: False).digests


EDITS = [
    ("SCALE = 2.0", "SCALE = 2.5"),
    ("[1, 2]", "[1, 3]"),
    ("arange(4.0)", "arange(4.0).flip(0)"),
    ("return x + 1\n", "return x + 2\n"),
    ("width = 3", "width = 4"),
    ("deep(x) * self.width", "deep(x) + self.width"),
    ("self.rate * x", "self.rate / x"),
    ("Trainer(0.1)", "Trainer(0.2)"),
    ("[lambda x: x + 1,", "[lambda x: x + 9,"),
    ('"p", "q"', '"p", "z"'),
    ("close(2)", "close(3)"),
    ("rate=0.5", "rate=0.25"),
    ("x * value", "x / value"),
]


@pytest.mark.parametrize(("old", "new"), EDITS, ids=[new for _, new in EDITS])
def test_every_edit_of_what_it_rests_on_is_seen(old: str, new: str):
    assert START.count(old) == 1
    assert digests(START) != digests(START.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("# a comment", "# another"), ("SCALE = 2.0", "\n\nOTHER = 3\nSCALE = 2.0"), ("WEIGHT.sum()", "WEIGHT . sum( )")],
)
def test_what_changes_nothing_is_not(old: str, new: str):
    assert digests(START) == digests(START.replace(old, new))


def test_a_process_with_other_hashes_tells_the_same_but_for_values_that_are_sets():
    source = START.replace('{"x", "y"}', "[]")
    code = f"from tests.lab.test_live_code import digests; print(sorted(digests({source!r}).items()))"
    told = {
        subprocess.run(  # noqa: S603 - our own
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join([".", *sys.path])},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1


def test_objects_that_are_called_rest_on_their_class():
    called = "def after(x):\n    return x\nobject_called = Net()\n"
    edited = START.replace("deep(x) * self.width", "deep(x) - self.width")
    assert digests(START + called, "object_called") != digests(edited + called, "object_called")


def test_what_cannot_be_told_is_another_each_time():
    source = "lines = (x for x in 'ab')\ndef train(trial):\n    return lines\n"
    assert digests(source) != digests(source)


def test_functions_that_read_each_other_come_to_an_end():
    source = "def a():\n    return b()\ndef b():\n    return a(), ALL\nALL = [a, b]\ntrain = a\n"
    assert {"a", "b", "ALL"} <= set(digests(source))


def test_what_is_installed_is_named_and_not_followed():
    def reading(x: Any) -> Any:
        return torch.relu(x), functools.reduce

    live: LiveCode = live_code(reading, lambda _module: False)
    assert {"torch", "functools"} <= live.installed
    assert len(live.digests) == 1


def test_all_of_a_module_of_the_users_counts(make_module: Callable[[str, str], Any]):
    def told(source: str) -> dict[str, str]:
        module = make_module("read_by_a_cell", source)
        space = {"__name__": "__main__", "module": module}
        exec("def train(trial):\n    return module.one()\n", space)  # noqa: S102 - ours
        return live_code(space["train"], lambda name: name == "read_by_a_cell").digests

    before = told("VALUE = 1\ndef one():\n    return VALUE\n")
    assert told("VALUE = 1\n\ndef one():\n    return VALUE  # as before\n") == before
    assert told("VALUE = 2\ndef one():\n    return VALUE\n") != before
