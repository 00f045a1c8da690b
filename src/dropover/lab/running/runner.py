"""Trials to results: in parallel processes, each trial kept as soon as it is finished."""

import time
from collections import deque
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dropover.lab.records.checkpoints import Pace, checkpoint_path
from dropover.lab.records.stock import take_stock
from dropover.lab.records.store import Finished, table_of, write_table, write_trial
from dropover.lab.records.trials import Place
from dropover.lab.running.calling import run_trial
from dropover.lab.running.events import Ended, Failed, Listener, Moved, Noted, Returned, Started
from dropover.lab.running.here import in_this_process
from dropover.lab.running.starting import OUTPUT, size
from dropover.lab.running.worker import TrialFunction
from dropover.lab.running.workers import in_workers
from dropover.lab.study import Study
from dropover.lab.user_code import is_handed_over

Events = Generator[Started | Moved | Failed | Returned]


@dataclass
class StudyRun:
    """What the run of a study has brought, whole or not.

    Of the finished trials an earlier run had those `reused`; `stop` is what stopped it before its end, if anything did,
    and `printed` the file with what its trials printed, if they did.
    """

    total: int
    finished: list[Finished]
    reused: int
    failed: list[Failed] = field(default_factory=list)
    stop: KeyboardInterrupt | None = None
    printed: Path | None = None
    seconds: float = 0.0


def run_study(
    study: Study,
    folder: Path,
    jobs: int,
    listener: Listener = lambda _: None,
    trial: TrialFunction | None = None,
    store: Path | None = None,
    among: Collection[Place] | None = None,
    time_is_up: Callable[[], bool] = lambda: False,
) -> StudyRun:
    """Run every trial of a study that is not there yet, in `jobs` processes of one thread each.

    Each trial is written when it ends, and results.csv with it. Ctrl-C stops the workers and returns what is
    finished, with `stop` set; running again takes those trials over. A trial that fails, or whose process dies,
    is listed in `failed` and the others go on. What trials print goes to a file of the folder.

    Args:
        study: What to run.
        folder: Where results.csv goes, and the trials with it; made if missing.
        jobs: Number of worker processes, at least 1; they take turns on the study's devices.
        listener: Called in this process with every event.
        trial: The function that runs one trial, importable by the workers.
        store: Where trials are kept that several studies share, instead of in `folder`.
        among: Run these of the study's trials alone.
        time_is_up: Asked before a trial is begun; from then on none is, and those that run come to their end.
    """
    store = folder if store is None else store
    started = time.perf_counter()
    stock = take_stock(store, study, among)
    total = len(study.arms) * len(study.seeds) if among is None else len(among)
    run = StudyRun(total, list(stock.finished), len(stock.finished))
    for line in stock.notes:
        listener(Noted(line))
    for finished in stock.finished:
        listener(Ended(finished, reused=True))
    write_table(table_of(run.finished, study), folder / "results.csv")
    before = size(folder / OUTPUT)
    trial = trial or partial(run_trial, results=store, pace=Pace())
    waiting = deque(stock.missing)
    if study.trial is not None and is_handed_over(study.trial.function):
        events: Events = in_this_process(waiting, study, trial, folder, listener, time_is_up)
    else:
        events = in_workers(waiting, study, trial, folder, jobs, time_is_up)
    try:
        for event in events:
            if isinstance(event, Returned):
                ended = stock.with_twins(write_trial(store, study, event.trial, event.rows, event.seconds))
                checkpoint_path(event.trial, store).unlink(missing_ok=True)
                run.finished += ended
                write_table(table_of(run.finished, study), folder / "results.csv")
                for finished in ended:
                    listener(Ended(finished, reused=False))
            elif isinstance(event, Failed):
                for one in (event.trial, *stock.twins[event.trial.fingerprint]):
                    run.failed.append(Failed(one, event.reason))
                    listener(run.failed[-1])
            else:
                listener(event)
    except KeyboardInterrupt as stop:
        run.stop = stop
    finally:
        events.close()
        run.seconds = time.perf_counter() - started
    run.printed = _printed(folder / OUTPUT, before)
    return run


def _printed(output: Path, before: int) -> Path | None:
    """The file of what trials printed, if it has grown since it had `before` bytes; an empty one goes."""
    after = size(output)
    if not after:
        output.unlink(missing_ok=True)
    return output if after > before else None
