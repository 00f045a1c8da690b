"""Trials as Ray tasks, on a cluster or on this machine: Ray places them and runs again those whose worker was lost."""

import multiprocessing.spawn
import os
import pickle
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from dropover.lab.blame import kept, one_line
from dropover.lab.records.fingerprints import surroundings
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.engines import Events, Work
from dropover.lab.running.engines.ray_cluster import RETRIES, Cluster
from dropover.lab.running.engines.ray_worker import MAIN, Broken, Brought, Surroundings, run
from dropover.lab.running.events import Failed, Moved, Returned, Started
from dropover.lab.running.guard import Guarded
from dropover.lab.running.mailbox import Mailbox
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.queue import ELSEWHERE
from dropover.lab.running.starting import OUTPUT
from dropover.lab.running.stopping import stops_held

_AHEAD = 2
"""How many trials wait in Ray for a place, so that none stands empty, and a cluster that can grow knows of them."""
_CANCELLING = 10.0
"""Seconds that cancelled trials have to end."""


@dataclass
class _Task:
    """A trial that was given to Ray, what tells its messages apart, and how often it has begun."""

    key: TrialKey
    token: int
    begun: int = 0


class OnRay:
    """Runs trials on a cluster.

    Args:
        cluster: What this process is connected to.
        cpus: How many CPUs Ray sets apart for a trial, and `gpus` too; a trial itself computes with one thread.
        most: How many trials run at a time; None for as many as there is room for.
    """

    name = "ray"

    def __init__(self, cluster: Cluster, cpus: float, gpus: float, most: int | None) -> None:
        self._cluster, self._most = cluster, most
        ray = cluster.ray
        strategies = ray.util.scheduling_strategies
        here = strategies.NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # Where memory is short Ray may kill it too; what it held then is told with the trials' ends.
        placed = {"num_cpus": 0, "scheduling_strategy": here, "max_restarts": -1, "max_task_retries": -1}
        self._mailbox = ray.remote(Mailbox).options(**placed).remote()
        # By default Ray hands on the number of CPUs as that of threads, and without GPUs leaves all of them visible.
        variables = {"OMP_NUM_THREADS": "1"}
        if not gpus:
            variables |= {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
        self._task = ray.remote(_run).options(
            num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES, runtime_env={"env_vars": variables}
        )
        self._tokens = count()

    def __call__(self, work: Work) -> Events:
        """Run what the queue gives; see `Engine`."""
        tasks: dict[Any, _Task] = {}
        try:
            yield from self._work_off(work, tasks)
        finally:
            with stops_held():
                self._cancel(list(tasks))

    def _work_off(self, work: Work, tasks: dict[Any, _Task]) -> Events:
        """Keep the cluster busy until nothing waits; `tasks` always has those that are Ray's, for the caller."""
        wait, take = self._cluster.ray.wait, self._mailbox.take.remote
        given = self._given(work)
        mail = take()
        while work.queue or tasks:
            room = self._cluster.room
            while len(tasks) < (self._most or room + _AHEAD) and (key := work.queue.take()) is not None:
                task = _Task(key, next(self._tokens))
                with stops_held():  # or one that has begun would be in no list, and go on
                    trial = pickle.dumps((key.arm, key.seed))
                    tasks[self._task.remote(*given, trial, task.token, self._mailbox)] = task
            if work.queue.is_over:
                late = [ref for ref, task in tasks.items() if not task.begun]
                self._cancel(late)
                for ref in late:
                    del tasks[ref]
            if not tasks:
                time.sleep(ELSEWHERE if work.queue else 0)
                continue
            ready, _ = wait([mail, *tasks], timeout=ELSEWHERE)
            if mail in ready:
                yield from self._heard(self._opened(mail), tasks)
                mail = take()
            ready, _ = wait(list(tasks), num_returns=len(tasks), timeout=0) if tasks else ([], [])
            for ref in ready:
                yield from self._ended(ref, tasks[ref], work)
                del tasks[ref]

    def _given(self, work: Work) -> tuple[Surroundings, bytes]:
        """What all tasks of a run get."""
        output = work.folder / OUTPUT
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()
        here = multiprocessing.spawn.get_preparation_data(self.name)
        function = "" if work.study.trial is None else work.study.trial.function
        main = here.get("init_main_from_path") if function.startswith(f"{MAIN}:") else None
        around = Surroundings(os.getcwd(), tuple(here["sys_path"]), str(work.folder.absolute()), main)  # noqa: PTH109
        return around, pickle.dumps((work.study, Guarded(work.trial, surroundings(work.study))))

    def _opened(self, mail: Any) -> list[tuple[int, TrialProgress | None]]:
        """The messages of the mailbox; as it lies on this machine's node, without it there is no going on."""
        try:
            messages = self._cluster.ray.get(mail)
        except self._cluster.ray.exceptions.RayError as error:
            raise self._cluster.lost() from error
        return [pickle.loads(message) for message in messages]  # noqa: S301 - of our own workers

    def _heard(self, messages: list[tuple[int, TrialProgress | None]], tasks: dict[Any, _Task]) -> Events:
        """Tell how far trials are, and give up those that have begun too often."""
        of = {task.token: (ref, task) for ref, task in tasks.items()}
        for token, progress in messages:
            if token not in of:
                continue  # it has ended
            ref, task = of[token]
            if progress is None:
                task.begun += 1
                if task.begun == 1:
                    yield Started(task.key)
                elif task.begun > 1 + RETRIES:
                    # Ray itself would try for ever what it killed for want of memory.
                    self._cancel([ref])
                    del tasks[ref], of[token]
                    yield Failed(task.key, f"its worker was lost {task.begun - 1} times, {_REMEDY}", passing=True)
                else:
                    again = f"{task.key.label}: its worker was lost, and it is run again"
                    yield Moved(task.key, TrialProgress(0.0, None, "starting again", again))
            elif task.begun:
                yield Moved(task.key, progress)

    def _ended(self, ref: Any, task: _Task, work: Work) -> Events:
        """Tell what came of a trial."""
        ray, key = self._cluster.ray, task.key
        try:
            outcome = pickle.loads(ray.get(ref))  # noqa: S301 - of our own workers
        except ray.exceptions.RayError as error:
            self._wait_for_the_head()
            if not task.begun:
                yield Started(key)
            yield Failed(key, _why(ray.exceptions, error), passing=True)
            return
        if not task.begun:
            yield Started(key)
        if isinstance(outcome, Broken):
            logged = kept(outcome.traceback, key.label, work.folder)
            yield Failed(key, outcome.died.reason + logged, outcome.died.passing)
        else:
            assert isinstance(outcome, Brought)
            yield Returned(key, outcome.rows, outcome.seconds, outcome.ran_in)

    def _wait_for_the_head(self) -> None:
        """A trial that was lost with all of the cluster isn't one that failed."""
        while not self._cluster.answers():
            _ = self._cluster.room
            time.sleep(ELSEWHERE)

    def _cancel(self, refs: list[Any]) -> None:
        """End trials at once, wherever they run; where the cluster is gone there is nothing to end."""
        if not refs or not self._cluster.answers():
            return
        for ref in refs:
            self._cluster.ray.cancel(ref, force=True)
        self._cluster.ray.wait(refs, num_returns=len(refs), timeout=_CANCELLING)


_REMEDY = "most likely for want of memory: run the same command again with more --cpus-per-trial or fewer --jobs"


def _run(surroundings: Surroundings, work: bytes, trial: bytes, token: int, mailbox: Any) -> bytes:
    """The task itself."""
    return run(surroundings, work, trial, lambda progress: mailbox.tell.remote(pickle.dumps((token, progress))))


def _why(exceptions: Any, error: BaseException) -> str:
    """Why Ray gave a trial up, in a line."""
    times = f"{1 + RETRIES} times"
    if isinstance(error, exceptions.OutOfMemoryError):
        return f"Ray killed its worker {times}, {_REMEDY}"
    if isinstance(error, exceptions.NodeDiedError):
        return f"its node was lost {times}: run the same command again"
    if isinstance(error, exceptions.WorkerCrashedError):
        return f"its worker died {times}, {_REMEDY}"
    return f"Ray could not run it ({one_line(error)}): its worker needs dropover and Ray as they are installed here"
