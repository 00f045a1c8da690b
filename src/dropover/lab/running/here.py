"""Trials in this very process: for functions that no other process can import, as those of a notebook."""

import time
from collections import deque
from collections.abc import Callable, Generator
from pathlib import Path

from dropover.lab.blame import logged, one_line
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.events import Failed, Listener, Moved, Returned, Started
from dropover.lab.running.passing import is_passing
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.worker import TrialFunction
from dropover.lab.study import Study


def in_this_process(
    waiting: deque[TrialKey],
    study: Study,
    trial: TrialFunction,
    folder: Path,
    listener: Listener,
    time_is_up: Callable[[], bool],
) -> Generator[Started | Moved | Failed | Returned]:
    """Run the waiting trials one by one; progress goes to the listener. What they print stays on the screen."""
    while waiting and not time_is_up():
        key = waiting.popleft()
        yield Started(key)
        started = time.perf_counter()
        try:
            rows = list(trial(study, key.arm, key.seed, _teller(key, listener)))
        except KeyboardInterrupt:
            raise
        # Whatever goes wrong in one trial, even code that wants to end the program, the others go on.
        except BaseException as error:
            yield Failed(key, one_line(error) + logged(error, key.label, folder), is_passing(error))
        else:
            yield Returned(key, rows, time.perf_counter() - started)


def _teller(key: TrialKey, listener: Listener) -> Callable[[TrialProgress], None]:
    return lambda progress: listener(Moved(key, progress))
