"""What bad days come over: two small studies on real images, run by the real command in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
LIMIT = 900
"""Seconds in which a command ends, on a busy machine too."""
MAIN = "import signal as s; s.signal(s.SIGINT, s.default_int_handler); from dropover.cli import main; main()"
FUNCTION = "function.toml"
"""The study of a training function of one's own, which counts its batches."""
IMAGES = "images.toml"
"""The study of the lab's own training, with noise and an attack."""
STUDIES = (FUNCTION, IMAGES)
TRIALS = 6
"""Of each of them."""
BATCHES = 20 * 94
"""That a trial of the function trains on."""

Say = Callable[[str], None]
"""Says in a line how far it is."""


class NotHeldError(AssertionError):
    """Something that must be true on a bad day wasn't."""


def demand(holds: object, what: object) -> None:
    """Raise `NotHeldError` with these words unless it holds."""
    if not holds:
        raise NotHeldError(str(what))


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, what it printed, and the seconds that it took."""

    code: int
    out: str
    err: str
    seconds: float


class Ground:
    """A folder with the studies in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for file in (*STUDIES, "counted.py"):
            shutil.copy(HERE / "studies" / file, folder / file)

    @contextmanager
    def started(self, *arguments: object, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """`dropover` with these arguments and variables of the environment, in a process group of its own."""
        with subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-c", MAIN, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, cwd=self.folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "COUNTED": str(self.folder / "batches"), **variables},
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, *arguments: object, **how: Any) -> Ended:
        """The same, to its end."""
        began = time.monotonic()
        with self.started(*arguments, **how) as process:
            return ended(process, began)

    def compare(self, study: str, out: object, **how: Any) -> Ended:
        """`dropover compare` with two workers."""
        return self.run(*comparing(study, out), **how)

    def whole(self, study: str) -> tuple[Mapping[tuple[Any, ...], float], float]:
        """The figures of a run that nothing came over, and how many seconds it took; run once."""
        took = self.folder / "whole" / study / "took"
        if not took.exists():
            ran = self.compare(study, took.parent)
            demand(ran.code == 0, ran.err)
            took.write_text(str(ran.seconds), encoding="utf-8")
        return self.figures(took.parent), float(took.read_text(encoding="utf-8"))

    def ends_as_undisturbed(self, study: str, out: object, there: Mapping[str, bytes] = {}, **how: Any) -> Ended:
        """Give the command again, and hold what it brings against an undisturbed run's, and what was there before."""
        ran = self.compare(study, out, **how)
        demand(ran.code == 0, f"exit code {ran.code}: {ran.err}")
        demand(self.figures(self.folder / str(out)) == self.whole(study)[0], f"{out} has other results")
        demand(not list(self.trials(out).glob("*.checkpoint")), f"{out} has a checkpoint left")
        self.more_finished(out, there)
        return ran

    def figures(self, out: Path) -> Mapping[tuple[Any, ...], float]:
        """Every value of results.csv but measured times."""
        table = pd.read_csv(out / "results.csv").fillna("")
        return {tuple(row[:-1]): row[-1] for row in _rows(table) if "second" not in row[2]}

    def trials(self, out: object) -> Path:
        """The folder of the trials."""
        return self.folder / str(out) / "trials"

    def finished(self, out: object) -> dict[str, bytes]:
        """The files of finished trials, as they are."""
        files = self.trials(out).glob("*.json")
        return {file.name: file.read_bytes() for file in files if not file.name.endswith(".failed.json")}

    def more_finished(self, out: object, before: Mapping[str, bytes]) -> dict[str, bytes]:
        """The same, with all those from before among them: none was run again."""
        there = self.finished(out)
        demand(before.items() <= there.items(), f"{out}: a finished trial was run again")
        return there

    def batches(self) -> int:
        """How many batches functions have trained on, all together."""
        file = self.folder / "batches"
        return file.stat().st_size if file.exists() else 0

    @contextmanager
    def disk(self, name: str, size: str) -> Iterator[Path]:
        """A small disk, mounted at a folder of that name."""
        folder = self.folder / name
        folder.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607 - our own


def comparing(study: str, out: object) -> tuple[object, ...]:
    """The arguments of the command that every day is about."""
    return ("compare", study, "--jobs", 2, "--out", out)


def mount(*arguments: object) -> None:
    """Mount something; only root may."""
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)  # noqa: S603, S607 - our own


def ended(process: subprocess.Popen[str], began: float) -> Ended:
    """Wait for a command that began then."""
    out, err = process.communicate(timeout=LIMIT)
    return Ended(process.returncode, out, err, time.monotonic() - began)


def until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something holds, while the process runs."""
    while not holds():
        demand(process.poll() is None, "the command ended too early")
        time.sleep(0.02)


def living(group: int) -> dict[int, tuple[int, str]]:
    """The processes of a group that live, each with its parent and its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, its_group = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = (int(parent), line)
        except OSError:
            continue  # gone in between
    return found


def until_gone(group: int) -> None:
    """Wait until no process of a group lives, which it takes them a moment to see that their parent is gone."""
    began = time.monotonic()
    while there := living(group):
        demand(time.monotonic() - began < 30, f"left behind: {there}")
        time.sleep(0.02)


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    last = table.pop("value")
    return ((*row, value) for row, value in zip(table.itertuples(index=False, name=None), last, strict=True))
