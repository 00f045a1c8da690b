"""Every block of code in README.md and the docs does what the page says.

A page's blocks are taken one after another, as a reader would, in an empty folder of their own:

- Python runs, in one namespace for the page. A block whose first line is `# NAME.py` is that file, for later blocks.
- What is printed stands in a block of the kind `text` right after it.
- TOML is a study or a search that the lab accepts, tried out as it would be. `# NAME.toml` makes it that file.
- Lines of a block without a kind are commands, whose names, options and files exist; quick ones are run.
- `<!-- test: … -->`, which no reader sees, is Python too: what a page takes for granted, and what it promises.
- `<!-- run -->` before a block of commands has them run, whatever they are.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from dropover.cli import app
from dropover.lab.data import DATA
from dropover.lab.data.parts.loading import source_of
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.running.study_file import read_study, try_out, well_formed
from dropover.lab.searching.reading import planned, search_of
from dropover.lab.study import DataSettings
from dropover.methods import METHODS

ROOT = Path(__file__).parents[1]

PAGES = sorted(
    str(page.relative_to(ROOT))
    for pages in (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "examples").glob("*.md"))
    for page in pages
)
COMMAND_LINE = typer.main.get_command(app)
assert isinstance(COMMAND_LINE, TyperGroup)
COMMANDS = COMMAND_LINE.commands
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"])
NAMED: dict[str, Any] = {"reproduce": REPRODUCTIONS, "methods": METHODS}
QUICK = {"methods", "models", "data", "--list", "--help"}

_FENCE = r"^(?P<indent> *)```(?P<kind>[\w-]*)\n(?P<code>.*?)^(?P=indent)```$"
_ITEM = re.compile(rf"<!-- test:(?P<hidden>.*?)-->|(?P<run><!-- run -->\n+)?{_FENCE}", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w.-]+\.(?:py|toml))\n")
_OF_THE_PACKAGE = "# src/dropover/"


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@dataclass
class Reader:
    """Somebody who follows a page in a folder of their own."""

    page: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    printed: str = ""

    def follow(self) -> None:
        for item in _ITEM.finditer(text_of(self.page)):
            line = text_of(self.page).count("\n", 0, item.start()) + 1
            where = f"{self.page}:{line}"
            if item["hidden"] is not None:
                self.python(item["hidden"].strip(), where)
                continue
            code = re.sub(rf"^{item['indent']}", "", item["code"], flags=re.MULTILINE)
            if item["kind"] == "python" and code.startswith(_OF_THE_PACKAGE):
                continue  # tests/test_architecture.py puts it there
            name = _FILE.match(code)
            file = self.folder / (name[1] if name else "block")
            file.write_text(code, encoding="utf-8")
            if item["kind"] == "toml":
                self.study(file, where)
            elif item["kind"] == "text":
                assert code.strip() in self.printed, f"{where}: is not what the code before it prints:\n{self.printed}"
            elif item["kind"] == "output":
                continue  # of another machine, and of its speed
            elif item["kind"] == "":
                for command in code.splitlines():
                    self.command(shlex.split(command, comments=True), where, run=item["run"] is not None)
            else:
                kinds = "python, toml, text, output or, without a word, commands"
                assert item["kind"] == "python", f"{where}: a block is {kinds}"
                if not name:
                    self.python(code, where)

    def python(self, code: str, where: str) -> None:
        exec(compile(code, where, "exec"), self.names)  # noqa: S102 - the pages are ours
        self.printed = self.capsys.readouterr().out

    def study(self, file: Path, where: str) -> None:
        """At every scale; images that would have to be downloaded are stood in for by those of MNIST that are here."""
        for scale in (None, *tomllib.loads(file.read_text(encoding="utf-8")).get("scales", {})):
            raw = read_study(file, scale)
            if "search" in raw:
                planned(search_of(raw, where), where)
                continue
            study = well_formed(raw, where)
            source = source_of(study.data.name)
            if source.where(study.data.folder) is None and source.name in DATA and source.resized is None:
                study = study.model_copy(update={"data": DataSettings()})
            try_out(study, where)

    def command(self, words: list[str], where: str, *, run: bool) -> None:
        program, *arguments = words
        if program == "dropover":
            # Refuses what the command would refuse, and runs nothing.
            COMMANDS[arguments[0]].make_context(arguments[0], arguments[1:])
            quick = not QUICK.isdisjoint(arguments)
            module = ["-m", "dropover"]
        elif program == "make":
            unknown = [word for word in arguments if "=" not in word and word not in TARGETS]
            assert not unknown, f"{where}: make has no target {unknown[0]}"
            return
        elif program == "pip":
            extras = re.findall(r"dropover\[(.*?)\]", " ".join(arguments))
            assert {extra for group in extras for extra in group.split(",")} <= EXTRAS, where
            return
        else:
            known = ("python", "sbatch")
            assert program in known, (
                f"{where}: a command is one of dropover, make, pip, python and sbatch, got {program}"
            )
            files = [word for word in arguments if word.endswith((".py", ".sbatch"))]
            assert all((self.folder / file).is_file() or (ROOT / file).is_file() for file in files), where
            quick, module = False, []
        if run or quick:
            done = subprocess.run(  # noqa: S603 - our own
                [sys.executable, *module, *arguments], cwd=self.folder, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{where}: {shlex.join(words)}\n{done.stdout}{done.stderr}"
            self.printed = done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_does_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    Reader(page, tmp_path, capsys).follow()
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            monkeypatch.delitem(sys.modules, name)


def spoken_commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        prose = re.sub(_FENCE, "", text_of(page), flags=re.DOTALL | re.MULTILINE)
        yield from ((page, " ".join(span.split())) for span in re.findall(r"`(dropover [^`]*)`", prose))


@pytest.mark.parametrize(("page", "command"), sorted(set(spoken_commands())))
def test_a_command_in_the_text_is_one(page: str, command: str) -> None:
    """It is one of ours, and so are its options and the method or reproduction it names; STUDY may stand for any."""
    name, *rest = re.sub(r"[][…]", " ", command).split()[1:]
    assert name in COMMANDS
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    adds_some = page == "docs/architecture.md"
    if name in NAMED and not adds_some and rest and rest[0].islower() and not rest[0].startswith("-"):
        assert rest[0] in NAMED[name]
    assert {word for word in rest if word.startswith("--")} <= {*known, "--help"}


@pytest.mark.parametrize("page", PAGES)
def test_links_point_somewhere(page: str) -> None:
    prose = re.sub(_FENCE, "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    places = re.findall(r"\]\(((?!\w+:|#)[^)#\s]+)", prose)
    assert [place for place in places if not ((ROOT / page).parent / place).exists()] == []
