"""Trials in this very process: for functions that no other process can import, as those of a notebook."""

import time
from collections.abc import Callable

from dropover.lab.blame import logged, one_line
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.engines import Events, Work
from dropover.lab.running.events import Failed, Listener, Moved, Returned, Started
from dropover.lab.running.passing import is_passing
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.queue import ELSEWHERE


class InThisProcess:
    """Runs the trials one by one; progress goes to the listener. What they print stays on the screen."""

    name = "here"

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __call__(self, work: Work) -> Events:
        """Run what the queue gives; see `Engine`."""
        while work.queue:
            key = work.queue.take()
            if key is None:
                time.sleep(ELSEWHERE)
                continue
            yield Started(key)
            started = time.perf_counter()
            try:
                rows = list(work.trial(work.study, key.arm, key.seed, self._teller(key)))
            except KeyboardInterrupt:
                raise
            # Whatever goes wrong in one trial, even code that wants to end the program, the others go on.
            except BaseException as error:
                yield Failed(key, one_line(error) + logged(error, key.label, work.folder), is_passing(error))
            else:
                yield Returned(key, rows, time.perf_counter() - started)

    def _teller(self, key: TrialKey) -> Callable[[TrialProgress], None]:
        return lambda progress: self._listener(Moved(key, progress))
