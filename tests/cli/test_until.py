"""`dropover compare --until-decided`: options that make no sense, and studies that grow, stop and go on."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.cli.until import _seconds

from ..commands import POSIX, stopped

TINY = """
name = "tiny"
scale = "smoke"
seeds = [0, 1]
data = { train_limit = 60, test_limit = 40 }
model = { name = "small-cnn", width = 0.1 }
training = { epochs = 1, lr = 0.01 }
evaluation = { noise = { gaussian = [0.3] } }
[[arms]]
method = "none"
[[arms]]
name = "drop <b>&[bold]"
method = "dropout"
p = 0.5
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


NO_TIMES = ("soon", "45", "0m", "-2h", "1h30m", "")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--margin", 1], "--margin belongs to --until-decided: add that option, or leave this one out"),
        (["--max-seeds", 9], "--max-seeds belongs to --until-decided: add that option, or leave this one out"),
        (["--budget", "9m"], "--budget belongs to --until-decided: add that option, or leave this one out"),
        (["--until-decided", "--seeds", 9], "--seeds says how many seeds every arm gets; with --until-decided say "),
        (["--until-decided", "--max-seeds", 2], "--max-seeds must be at least 3, where the first look is, got 2"),
        (["--until-decided", "--margin", 0], "--margin must be a number of points above 0 and at most 100, got 0"),
        *((["--until-decided", "--budget", text], "--budget must be a time above 0 such as 90s,") for text in NO_TIMES),
    ],
)
def test_options_that_make_no_sense_are_told_in_one_line(study: Path, options: list[object], line: str):
    code, out, err = run(study, "--out", study.parent / "out", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line.replace("STUDY", str(study)))
    assert not (study.parent / "out").exists()


@pytest.mark.parametrize(
    ("change", "options", "line"),
    [
        (
            ("seeds = [0, 1]", "seeds = 5"),
            ["--max-seeds", 4],
            "--max-seeds must be at least 5, the seeds that STUDY has",
        ),
        (
            (TINY[TINY.index("[[arms]]\nname") :], ""),
            [],
            "STUDY: arms: --until-decided compares arms with none, and there is no other arm",
        ),
        (('method = "none"', 'method = "none"\nname = "plain"'), [], "STUDY: reference must be the name of an arm, "),
    ],
)
def test_studies_that_cannot_grow_are_told_in_one_line(
    study: Path, change: tuple[str, str], options: list[object], line: str
):
    study.write_text(TINY.replace(*change), encoding="utf-8")
    code, out, err = run(study, "--out", study.parent / "out", "--until-decided", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(line.replace("STUDY", str(study)))


def test_budgets_are_seconds_minutes_or_hours():
    assert [_seconds(text) for text in ("90s", "45m", "2h", "1.5h", " 3m ")] == [90, 2700, 7200, 5400, 180]


def test_a_study_grows_says_so_in_its_files_and_is_taken_over(study: Path):
    folder = study.parent / "out"
    grows = (study, "--out", folder, "--jobs", 1, "--until-decided", "--max-seeds", 4, "--margin", 0.01)
    code, out, err = run(*grows)
    assert (code, err) == (0, "")
    lines = " ".join(out.split())
    assert "tiny: 2 arms, up to 4 seeds each, until each is decided at a margin of 0.01 points" in lines
    assert "Look 1 of 2 needs 3 seeds of none, drop <b>&[bold]: 6 trials, 1 process; after it at most 2 more" in lines
    assert "After look 2 of 2, at 4 seeds. " in lines
    assert "those at 3, 4 of up to 4 seeds have spent 5 of these 5 %" in lines
    assert set(pd.read_csv(folder / "results.csv")["seed"]) == {0, 1, 2, 3}
    written = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    assert (written["margin"], written["seeds"]) == (0.01, [0, 1, 2, 3])
    grew = written["circumstances"]["until_decided"]
    assert (grew["looks"], grew["most_seeds"], grew["alpha_spent"]) == ([3, 4], 4, 0.05)
    assert grew["seeds_of_arms"] == {"none": 4, "drop <b>&[bold]": 4}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Seeds: none 4, drop &lt;b&gt;&amp;[bold] 4." in page
    assert "2 × up to 4" in page

    code, out, _ = run(*grows)
    assert code == 0
    assert "6 of 6 trials were finished by an earlier run and are taken over." in out
    assert "2 of 2 trials were finished by an earlier run and are taken over." in out
    code, out, _ = run(study, "--out", folder, "--jobs", 1)
    assert "4 of 4 trials were finished by an earlier run and are taken over." in out
    assert "up to" not in (folder / "report.html").read_text(encoding="utf-8")


def test_when_the_time_is_up_at_once_nothing_runs_and_that_is_said(study: Path):
    code, out, err = run(study, "--out", study.parent / "out", "--until-decided", "--budget", "0.000001s")
    assert (code, err) == (0, "")
    assert "The time was up before every arm was decided." in " ".join(out.split())
    assert not (study.parent / "out" / "report.html").exists()


@POSIX
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_stop_keeps_what_is_finished(study: Path, name: str, code: int):
    folder = study.parent / "out"
    options = ["--jobs", 1, "--until-decided", "--margin", 0.01, "--max-seeds", 100]
    exit_code, out, err = stopped("[4/6]", name, "compare", study, "--out", folder, *options)
    assert exit_code == code
    assert "trials are finished and kept. The same command goes on from there: dropover compare" in err
    assert "Traceback" not in out + err
    assert set(pd.read_csv(folder / "results.csv")["arm"]) == {"none", "drop <b>&[bold]"}
    assert "before every arm was decided" in (folder / "report.html").read_text(encoding="utf-8")
