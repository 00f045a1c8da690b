"""What `make bench` says of its history: like with like, and slower only where the recorded runs could not be."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def history():
    spec = importlib.util.spec_from_file_location("history", BENCHMARKS / "history.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["history"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["history"]


@pytest.fixture
def here(history):
    return history.Circumstances("a processor, AVX2", "cpu", 1, kernels=True, torch="2.6.0")


def test_only_runs_under_the_same_circumstances_are_compared(history, here, tmp_path):
    file = tmp_path / "history.jsonl"
    history.record(here, {"Dropout": 1.2}, file)
    for name, other in {"processor": "another", "threads": 2, "kernels": False, "torch": "2.7.0"}.items():
        history.record(history.Circumstances(**{**vars(here), name: other}), {"Dropout": 9.0}, file)
    assert history.alike(here, file) == [{"Dropout": 1.2}]


def test_what_became_slower_is_named_with_its_figures(history):
    runs = [{"Dropout": value, "Flipover": 1.0 + value / 10} for value in (1.0, 1.02, 0.98, 1.01, 0.99)]
    said = history.verdict({"Dropout": 1.6, "Flipover": 1.1}, runs)
    assert said.startswith("became slower, of 2 figures, against 5 recorded runs")
    assert "Dropout: 1.60, recorded 0.98 to 1.02" in said
    assert "Flipover" not in said
    assert history.verdict({"Dropout": 1.0}, runs).startswith("nothing became slower, of 1 figures")


def test_few_runs_say_nothing(history):
    said = history.verdict({"Dropout": 99.0}, [{"Dropout": 1.0}] * (history.LEAST - 1))
    assert said.startswith("4 recorded runs")
    assert "from 5 on" in said


@pytest.mark.parametrize("runs", [5, 12])
@pytest.mark.parametrize("noise", [0.01, 0.2])
def test_the_limit_keeps_its_false_alarms(history, runs, noise):
    """Of 2,000 histories, each with one run more of the same kind: 5 % promised, 3.5 to 6.5 % allowed (3 sigma)."""
    values = np.exp(np.random.default_rng(runs).normal(0.3, noise, (2000, runs + 1)))
    alarms = sum(row[-1] > history.limit(list(row[:-1]), 0.05) for row in values)
    assert 0.035 < alarms / 2000 < 0.065


def test_a_run_that_is_a_third_slower_is_seen(history):
    """With eight runs of 3 % noise and thirteen figures: the slower one is named 95 times in 100."""
    draw = np.random.default_rng(0)
    seen = 0
    for _ in range(200):
        runs = [{str(k): math.exp(value) for k, value in enumerate(draw.normal(0, 0.03, 13))} for _ in range(8)]
        now = {str(k): math.exp(value) for k, value in enumerate(draw.normal(0, 0.03, 13))}
        now["3"] *= 4 / 3
        seen += "\n  3: " in history.verdict(now, runs)
    assert seen >= 190


def test_what_is_recorded_can_be_read(history):
    for line in (BENCHMARKS / "history.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        floors = entry.pop("floors")
        assert history.Circumstances(**entry).threads >= 1
        assert all(value > 0 for value in floors.values())
