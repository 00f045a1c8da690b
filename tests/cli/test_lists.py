"""Lists and cards read at every width and in a pipe: nothing is cut, and no text is squeezed into a tower of words."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dropover.cli import app
from dropover.lab.data import DATA
from dropover.lab.models import NETWORKS
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.telling.terminal import READABLE, print_list
from dropover.methods import METHODS

LISTS = {
    "reproduce --list": [text for each in REPRODUCTIONS for text in (each.name, each.title, each.shows)],
    "methods": [text for each in METHODS for text in (each.name, each.card.summary)],
    "models": [text for each in NETWORKS for text in (each.name, each.summary, *each.positions)],
    "data": [text for each in DATA for text in (each.name, each.summary)],
    "methods fdd2d": [*METHODS.get("fdd2d").card.sources.values(), *METHODS.get("fdd2d").card.caveats],
}
COMMAND = [sys.executable, "-c", "from dropover.cli import main; main()"]


def is_whole(text: str, contents: list[str]) -> bool:
    words = set(re.split(r"[\s,]+", text))
    return all(word in words for content in contents for word in re.split(r"[\s,]+", content)) and "…" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", LISTS)
def test_nothing_is_cut(command: str, width: int):
    result = CliRunner().invoke(app, command.split(), env={"COLUMNS": str(width)})
    assert result.exit_code == 0
    assert is_whole(result.stdout, LISTS[command])
    # The last line of `data` is one to copy: it is left to the terminal to break.
    assert all(len(line) <= width for line in result.stdout.splitlines() if "`" not in line)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell's pipe")
def test_a_pipe_gets_it_whole_and_may_be_closed():
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    for command, contents in LISTS.items():
        whole = subprocess.run([*COMMAND, *command.split()], capture_output=True, text=True, check=True, env=env)  # noqa: S603 - our own
        assert is_whole(whole.stdout, contents)
    line = f"{shlex.join([*COMMAND, 'methods'])} | true"
    closed = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, env=env)  # noqa: S602 - our own
    assert closed.stderr == ""


TEXT = "seven words that fill more than one line of forty columns"


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["name   text" + " " * 53 + " kind", f"first  {TEXT} a   "]),
        (52, ["name   kind", "first  a", "  seven words that fill more than one line of forty", "  columns"]),
        (10, ["name", "first", "  text:", "  seven", "  words", "  that", "  fill"]),
    ],
)
def test_texts_stand_under_the_name_where_they_would_be_squeezed(
    width: int, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", str(width))
    print_list(("name", "text", "kind"), [("first", TEXT, "a")], wrap=("text",))
    shown = capsys.readouterr().out.splitlines()
    assert [re.sub(" +", " ", line).rstrip() for line in shown[: len(lines)]] == [
        re.sub(" +", " ", line).rstrip() for line in lines
    ]


def test_texts_have_their_readable_width_beside_the_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", str(len("first") + 2 + READABLE))
    rows = [("first", TEXT), ("", "the first goes on")]
    print_list(("name", "text"), rows, wrap=("text",))
    assert "first  seven words" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", str(len("first") + 1 + READABLE))
    print_list(("name", "text"), rows, wrap=("text",))
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "name", "first", "  seven words that fill more than one line of", "  forty columns", "  the first goes on",
    ]  # fmt: skip
