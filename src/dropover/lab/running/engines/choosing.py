"""Which engine runs trials, as a user says it: checked once, and opened for as long as trials are run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from dropover.lab.devices import jobs_on
from dropover.lab.records.fingerprints import user_code
from dropover.lab.running.engines import Engine, EngineError
from dropover.lab.running.runner import PROCESSES
from dropover.lab.study import Study
from dropover.lab.user_code import is_handed_over

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class Choice:
    """An engine, and what is said about it.

    Args:
        engine: "local", processes of this machine, or "ray".
        address: HOST:PORT of Ray's head, or "auto"; None for a Ray of our own on this machine.
        cpus_per_trial: How many CPUs Ray sets apart for a trial; by default 1.
        gpus_per_trial: How many GPUs, or what share of one; by default none.
        jobs: How many trials run at a time; by default as many as there is room for.

    Raises:
        EngineError: what is said doesn't go together.
    """

    engine: str = "local"
    address: str | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    jobs: int | None = None

    def __post_init__(self) -> None:
        if self.engine not in get_args(EngineName):
            raise EngineError(f"engine must be {' or '.join(get_args(EngineName))}, got {self.engine!r}")
        for name in ("address", "cpus_per_trial", "gpus_per_trial"):
            value = getattr(self, name)
            if value is not None and not self.is_ray:
                raise EngineError(f"{name} is for the engine ray, and the engine is {self.engine}: got {value!r}")
        if self.cpus_per_trial is not None and not self.cpus_per_trial > 0:
            raise EngineError(f"cpus_per_trial must be above 0, got {self.cpus_per_trial:g}")
        gpus = self._gpus
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise EngineError(f"gpus_per_trial must be a share from 0 to 1, or a whole number, got {gpus:g}")

    @property
    def is_ray(self) -> bool:
        """Whether trials may run on other machines than this."""
        return self.engine == "ray"

    @property
    def words(self) -> str:
        """What is said of where trials run, unless that is in processes of this machine."""
        return "Ray" if self.is_ray else ""

    def device(self, word: str) -> str:
        """The device that a study has there, which this machine needn't have; raises `EngineError` where it can't.

        Ray shares GPUs out, and a trial sees those alone that it was given.
        """
        if not self.is_ray:
            return word
        kind = "cuda" if self._gpus else "cpu"
        if word not in ("auto", kind):
            wanted = "gpus_per_trial says how many GPUs a trial gets" if not self._gpus else "trials get GPUs"
            raise EngineError(f"device must be auto or {kind} with the engine ray, where {wanted}, got {word!r}")
        return kind

    def placed(self, study: Study) -> Study:
        """The study with the device that it has there; raises as `device`."""
        if not self.is_ray:
            return study
        if study.devices_per_trial > 1 and study.devices_per_trial != self._gpus:
            raise EngineError(
                f"gpus_per_trial must be {study.devices_per_trial} with the engine ray, as devices_per_trial is, got "
                f"{self._gpus:g}"
            )
        return study.model_copy(update={"device": self.device(study.device)})

    @contextmanager
    def opened(self, studies: Iterable[Study]) -> Iterator[tuple[Engine, int]]:
        """The engine and how many trials it runs at a time, for studies that are `placed`.

        Raises:
            EngineError: it can't be had, or what it runs on was lost.
        """
        studies = list(studies)
        if not self.is_ray:
            yield PROCESSES, self.jobs or jobs_on(studies[0].device, studies[0].devices_per_trial)
            return
        code = {name for study in studies for name in user_code(study)}
        for name in filter(is_handed_over, code):
            raise EngineError(
                f"engine must be local for {name}, got 'ray': it is defined in a notebook, at a prompt, or inside "
                f"another function, so that other processes can't import it; put it into a module"
            )
        from dropover.lab.running.engines.ray_cluster import connected

        cpus = 1.0 if self.cpus_per_trial is None else self.cpus_per_trial
        with connected(self.address, cpus, self._gpus, self.jobs, code) as cluster:
            from dropover.lab.running.engines.ray import OnRay

            yield OnRay(cluster, cpus, self._gpus, self.jobs), self.jobs or cluster.room

    @property
    def _gpus(self) -> float:
        return self.gpus_per_trial or 0.0
