"""What is printed on a terminal: tables cut to its width, labels as they are."""

import pandas as pd
import pytest

from dropover.lab.judging.answer import Answer
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.events import Failed, Moved, Started
from dropover.lab.running.progress import TrialProgress
from dropover.lab.study import Arm, AttackSettings, EvaluationSettings, Study
from dropover.lab.telling.live import live
from dropover.lab.telling.table import show
from dropover.lab.telling.terminal import fitting

BRACKETS = "drop [bold]"
STUDY = Study(
    seeds=[0, 1],
    arms=[Arm(method="none"), Arm(method="dropout", p=0.5, name=BRACKETS)],
    evaluation=EvaluationSettings(attacks=[AttackSettings(name=name, eps=[0.1]) for name in ("fgsm", "pgd", "apgd")]),
)


@pytest.mark.parametrize(
    ("widths", "room", "parts"),
    [
        ([10, 10, 10], 36, [[0, 1, 2]]),
        ([10, 10, 10], 35, [[0, 1], [2]]),
        ([50, 10, 50], 20, [[0], [1], [2]]),
        ([], 20, []),
    ],
)
def test_columns_are_cut_to_the_room_and_none_is_left_out(widths: list[int], room: int, parts: list[list[int]]):
    assert fitting(widths, room) == parts


def test_a_narrow_terminal_shows_every_column_with_every_arm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    rows = [
        (arm.label, seed, measure, level, 0.9 - 0.1 * place + 0.01 * seed)
        for place, arm in enumerate(STUDY.arms)
        for seed in STUDY.seeds
        for measure, level in (("clean", None), ("fgsm", 0.1), ("pgd", 0.1), ("apgd", 0.1), ("worst", 0.1))
    ]
    table = pd.DataFrame(rows, columns=["arm", "seed", "measure", "level", "value"]).astype({"level": "float64"})
    monkeypatch.setenv("COLUMNS", "50")
    show(Answer(STUDY, table, 100))
    text = capsys.readouterr().out
    assert text.count(BRACKETS) >= 3
    assert text.count("90.5 ± 0.7 *") == text.count("80.5 ± 0.7 ") == 5
    assert all(name in text for name in ("clean", "fgsm", "pgd", "apgd", "worst"))


def test_labels_are_no_markup_in_the_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "120", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    trial = TrialKey(STUDY.arms[1], 0, {})
    with live(STUDY, 1) as listener:
        listener(Started(trial))
        listener(Moved(trial, TrialProgress(0.5, 0.25, "pgd [red]")))
        capsys.readouterr()
    text = capsys.readouterr().out
    assert f"{BRACKETS}, seed 0" in text
    assert "pgd [red], 25.0 %" in text
    with live(STUDY, 1) as listener:
        listener(Failed(trial, "ValueError: no"))
    assert f"[1/4] {BRACKETS}, seed 0: failed: ValueError: no" in capsys.readouterr().out
