"""What is told of the user's own function, on the page and on the terminal: its measures, and nothing of images."""

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from tests.lab.own import own_answer
from tests.lab.studies import around, turned
from tests.lab.test_report import parsed

from dropover.lab.judging.answer import Answer
from dropover.lab.records.rows import Row
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.report import charts, files
from dropover.lab.report.page import render
from dropover.lab.running.runner import StudyRun
from dropover.lab.telling.table import show

NONE, A, B = around(0.5), turned(around(0.55)), turned(around(0.45), 3)
LOSSES = {"log-loss": {"none": NONE, "a": A, "b": B}, "MSE": {"none": A, "a": NONE, "b": B}}
IMAGES = r"image|attack|noise|accurac|pixel"
COUNTS = {"attacked": 0}


def text_of(found: Answer) -> str:
    page = render(found, StudyRun(24, [], 0), COUNTS, {"cpu": "a CPU"})
    return " ".join(" ".join(parsed(page[page.index("<main>") : page.index("</main>") + 7]).text).split())


def test_of_losses_nothing_is_said_in_points_nor_of_images(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "2000")
    found = own_answer(LOSSES, {"train_loss": 3})
    page = text_of(found)
    show(found)
    for text in (page, capsys.readouterr().out):
        assert not re.search(rf"\bpoints?\b|percent|\bnan\b|{IMAGES}", text, re.IGNORECASE)
        for said in (*found.conclusion.lines, found.legend):
            assert said in text.replace("\u00a0", " ")
        assert "log-loss: lower is better, level is within ±0.005 (1 % of none's mean)." in text.replace("\u00a0", " ")
        assert "0.5500 ± 0.0017" in text
        assert "ratios" in text
        assert "odds" not in text


def test_the_page_says_what_was_run_and_how_its_measures_are_read():
    found = own_answer({**LOSSES, "accuracy": {"none": NONE, "a": A, "b": B}}, command="dropover compare my.toml")
    page = text_of(found)
    for said in (
        "my_module:train",
        "epochs 3",
        "accuracy in percent. Below each figure: its verdict, and the difference from none (of shares in points).",
        "Shares are judged by their logits, losses by their logarithms, and carried back",
        "the margin of its measure",
        "find a true difference of 0.",
        "dropover compare study.toml",
    ):
        assert said in page.replace("\u00a0", " ")
    assert "dropover compare study.toml" not in text_of(own_answer(LOSSES))


def test_there_is_a_picture_for_every_measure_and_for_all_that_was_logged_twice_or_more():
    def pictures(**logged: int) -> tuple[int, list[str]]:
        page = render(own_answer(LOSSES, logged), StudyRun(24, [], 0), COUNTS, {})
        parsed(page)
        return page.count("<figure"), re.findall(r"<h2>(.*? (?:seed|steps))</h2>", page)

    assert pictures() == (2, ["Every seed"])
    assert pictures(lr=3, once=1) == (3, ["Every seed", "Logged over the steps"])
    assert pictures(train_loss=3) == (3, ["Every seed", "Logged over the steps"])
    # Both losses: a picture an arm.
    assert pictures(train_loss=3, test_loss=3, lr=4) == (
        6,
        ["Every seed", "Loss over the steps", "Logged over the steps"],
    )


def test_losses_below_zero_are_drawn_as_they_were_logged():
    found = own_answer(LOSSES, {"train_loss": 3, "test_loss": 3})
    below = found.table["measure"].isin(charts.LOSSES)
    table = found.table.assign(value=found.table["value"].where(~below, -1.0))
    page = render(Answer(found.study, table, 0), StudyRun(24, [], 0), COUNTS, {})
    assert "Loss over the steps" not in page
    assert page.count("<figure") == 4


def test_however_many_steps_were_logged_they_are_drawn():
    found = own_answer({"mse": {"none": NONE, "a": A}}, {"train_loss": 1000})
    assert len(found.table) > 5000  # more than altair draws unasked
    svg = charts.steps(found.table, found.study, "train_loss")
    lines = re.findall(r'aria-roledescription="line mark"|class="mark-line', svg)
    assert lines
    assert len(svg) < 200_000


def test_images_of_a_returned_model_stand_beside_what_was_returned():
    evaluation = {"noise": {"gaussian": [0.1, 0.2]}, "attacks": [{"name": "pgd", "eps": [0.1, 0.2]}]}
    found = own_answer({**LOSSES, "clean": {"none": NONE, "a": A, "b": B}}, evaluation=evaluation)
    rows = [
        (arm, seed, measure, level, 0.5 - level)
        for arm in ("none", "a", "b") for seed in range(8)
        for measure in ("gaussian", "pgd", "worst") for level in (0.1, 0.2)
    ]  # fmt: skip
    more = pd.DataFrame(rows, columns=found.table.columns)
    both = Answer(found.study, pd.concat([found.table, more], ignore_index=True), 0)
    assert [column.measure for column in both.columns] == ["log-loss", "MSE", "clean", "gaussian", "pgd", "worst"]
    page = text_of(both)
    for said in ("Accuracy against ε", "Accuracy against noise", "at one level of each noise", "An attack gives"):
        assert said in page
    assert set(both.verdicts["measure"]) == {"log-loss", "MSE", "clean", "gaussian", "pgd", "worst"}


def test_the_files_of_a_study_of_a_function_ask_for_no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def none(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(files, "load_data", none)
    study = own_answer(LOSSES).study
    finished = [
        Finished(TrialKey(arm, seed, {}), [Row("log-loss", None, 0.5 + 0.01 * seed)], 1.0, {"cpu": "x"})
        for arm in study.arms for seed in study.seeds
    ]  # fmt: skip
    found = files.write_files(tmp_path, study, StudyRun(24, finished, 0), 1, "dropover compare my.toml")
    assert found is not None
    assert [column.measure for column in found.columns] == ["log-loss"]
    assert pd.read_csv(tmp_path / "verdicts.csv")["verdict"].tolist() == ["level", "level"]
    assert tomllib.loads((tmp_path / "study.toml").read_text(encoding="utf-8"))["trial"]["epochs"] == 3
    assert "log-loss" in (tmp_path / "report.html").read_text(encoding="utf-8")
