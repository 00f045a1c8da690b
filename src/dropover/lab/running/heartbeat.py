"""What a run tells those who look at its folder from elsewhere: a small file of its own, written every other second."""

import contextlib
import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import BaseModel, ValidationError

from dropover.lab.blame import one_line
from dropover.lab.records.files import write_text
from dropover.lab.running.events import Ended, Event, Failed, Listener, Moved, Started
from dropover.lab.running.tally import Tally
from dropover.lab.study import Study

FOLDER = "running"
"""Where the files lie in a results' folder, one for each process that has run a study there."""
EVERY = 2.0
"""Seconds between two writings."""
SILENT = 60.0
"""Seconds after which a run that writes nothing is taken to be stopped."""
_FAILURES = 20
"""How many failures are told with their reasons."""


class Moving(BaseModel):
    """A trial that runs: its label, when it was begun, the share of its work that is done, and its last figures."""

    trial: str
    began: float
    done: float = 0.0
    doing: str = "starting"


class Beat(BaseModel):
    """What a run has told last; times are those of its own clock, in seconds since 1970.

    Attributes:
        study: The study's name.
        host: The machine, and `process` the process there.
        began: When it began, and `written` when it told this.
        ended: How it ended, in a word or a line; empty while it runs.
        total: How many trials it is to have; a look of a study that grows has its own.
        finished: How many are finished, of which an earlier run had those `reused`.
        failed: How many failed, now or in an earlier run.
        failures: Some of these by their labels, and why.
        moving: Those that run.
        left: How many more seconds it takes, if that can be told.
    """

    study: str
    host: str
    process: int
    began: float
    written: float
    ended: str
    total: int
    finished: int
    reused: int
    failed: int
    failures: dict[str, str]
    moving: list[Moving]
    left: float | None

    @property
    def silence(self) -> float:
        """Seconds since it told this."""
        return max(time.time() - self.written, 0.0)

    @property
    def standing(self) -> Literal["running", "ended", "gone", "silent"]:
        """Whether it runs, has ended, is gone without a word, or is silent for too long, from whatever machine."""
        if self.ended:
            return "ended"
        if self.host == platform.node() and not _runs(self.process):
            return "gone"
        return "silent" if self.silence > SILENT else "running"


def beats(folder: Path) -> list[Beat]:
    """What the runs in a results' folder have told, the latest last; what can't be read is left out."""
    return sorted((beat for _, beat in _there(folder)), key=lambda beat: beat.written)


class Heartbeat:
    """Passes a run's events on, and has them written while it is entered; where nothing can be written the run goes on.

    Args:
        study: What is run.
        folder: The results' folder.
        total: How many trials the run is to have.
        listener: Where events go on to.
    """

    def __init__(self, study: Study, folder: Path, total: int, listener: Listener) -> None:
        self._study, self._folder, self._listener = study.name, folder, listener
        self._tally = Tally(total)
        self._moving: dict[str, Moving] = {}
        self._failures: dict[str, str] = {}
        self._began = time.time()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_until_over, daemon=True)
        self.ended = ""

    def hear(self, event: Event) -> None:
        """Take an event in, and pass it on."""
        with self._lock:
            self._tally.count(event)
            match event:
                case Started(trial):
                    self._moving[trial.label] = Moving(trial=trial.label, began=time.time())
                case Moved(trial, progress):
                    accuracy = "" if progress.accuracy is None else f", accuracy {progress.accuracy:.4g}"
                    moving = self._moving[trial.label]
                    moving.done, moving.doing = progress.done, f"{progress.stage}{accuracy}"
                case Ended(finished):
                    self._moving.pop(finished.trial.label, None)
                case Failed(trial, reason):
                    self._moving.pop(trial.label, None)
                    if len(self._failures) < _FAILURES:
                        self._failures[trial.label] = reason
        self._listener(event)

    def __enter__(self) -> "Heartbeat":
        with contextlib.suppress(OSError):
            for path, beat in _there(self._folder):
                if beat.standing != "running":
                    path.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(SILENT)
        self.ended = self.ended or ("ended" if error is None else one_line(error))
        self._write()

    def _write_until_over(self) -> None:
        while True:
            self._write()
            if self._over.wait(EVERY):
                return

    def _write(self) -> None:
        beat = self._beat()
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", beat.host)
        with contextlib.suppress(OSError):
            path = self._folder / FOLDER / f"{name}-{beat.process}.json"
            write_text(path, beat.model_dump_json(indent=1), lasting=False)

    def _beat(self) -> Beat:
        with self._lock:
            tally = self._tally
            return Beat(
                study=self._study,
                host=platform.node(),
                process=os.getpid(),
                began=self._began,
                written=time.time(),
                ended=self.ended,
                total=tally.total,
                finished=tally.ended - tally.failed,
                reused=tally.reused,
                failed=tally.failed,
                failures=dict(self._failures),
                moving=[] if self.ended else [self._moving[label].model_copy() for label in tally.moving],
                left=tally.left,
            )


def _there(folder: Path) -> Iterator[tuple[Path, Beat]]:
    for path in sorted((folder / FOLDER).glob("*.json")):
        with contextlib.suppress(OSError, ValidationError):
            yield path, Beat.model_validate_json(path.read_bytes())


def _runs(process: int) -> bool:
    """Whether this machine has such a process, as far as it can be asked without harm."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
