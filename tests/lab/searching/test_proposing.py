"""Proposals: a sampler that insists on what can't be built doesn't end a search."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from dropover.lab.searching import proposing
from dropover.lab.searching.objectives import Objective
from dropover.lab.searching.space import Space, SpaceError
from dropover.lab.study import Arm
from dropover.methods import Range

SPACE = Space({"dropout": ("fc",)}, {"dropout": {"p": Range(0.0, 0.9)}}, ("constant",))


def proposer(folder: Path, below: float) -> proposing.Proposer:
    def fits(arm: Arm) -> None:
        if arm.settings["p"] >= below:
            raise ValueError(f"p must be below {below:g}, got {arm.settings['p']:g}")

    clean = Objective("clean", "clean", None, higher_is_better=True)
    return proposing.Proposer(SPACE, folder, [clean], "random", 0, "mine", fits)


@pytest.fixture
def insisting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna's own sampler of one value: what fails it is not told, as no sampler is."""

    def fixed(*_: Any) -> Any:
        return optuna.samplers.PartialFixedSampler({"dropout.p": 0.8}, optuna.samplers.RandomSampler(seed=0))

    monkeypatch.setattr(proposing, "_sampler", fixed)


@pytest.mark.usefixtures("insisting")
def test_what_a_sampler_insists_on_and_can_not_be_built_gives_way_to_chance(tmp_path: Path) -> None:
    asking = proposer(tmp_path, below=0.5)
    first, second = asking.ask(), asking.ask()
    assert first.settings["p"] < 0.5
    assert second.settings["p"] < 0.5
    assert first != second


@pytest.mark.usefixtures("insisting")
def test_where_chance_finds_nothing_either_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"200 proposals in a row can't be tried: p must be below 0, got"):
        proposer(tmp_path, below=0.0).ask()
