"""`lab.reproduce`: a table or figure of the papers, run and written."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dropover.lab.boards import Board, boards_named
from dropover.lab.reproductions import REPRODUCTIONS
from dropover.lab.reproductions.parts.audits import audit_items
from dropover.lab.reproductions.parts.items import Item
from dropover.lab.reproductions.parts.reproduction import Reproduction
from dropover.lab.reproductions.parts.running import Plan, plan, run
from dropover.lab.reproductions.parts.studies import Evidence
from dropover.lab.reproductions.parts.writing import write_reproduction
from dropover.lab.running.engines import Engine
from dropover.lab.running.engines.choosing import Choice
from dropover.lab.running.events import Listener
from dropover.lab.running.runner import PROCESSES
from dropover.lab.study import Precision, Scale, Study
from dropover.lab.telling.live import live, unseen

RESULTS = Path("results") / "reproduce"
Watched = Callable[[Study, int, int], AbstractContextManager[Listener]]
"""Called before each study with its number and how many there are; gives what listens to it."""


@dataclass(frozen=True, eq=False)
class Reproduced:
    """What came of a reproduction.

    Attributes:
        reproduction: The table or figure.
        evidence: The studies behind it, whole or not.
        items: What is shown: ours beside the printed figures; empty if no trial is finished.
        files: The page first, then pictures and tables.
        missing: A line for each data set that isn't here.
    """

    reproduction: Reproduction
    evidence: Evidence
    items: list[Item]
    files: list[Path]
    missing: list[str]


def reproduce(
    name: str,
    scale: Scale = "laptop",
    *,
    seeds: int | None = None,
    jobs: int | None = None,
    engine: str = "local",
    address: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    retry_failed: bool = False,
    log: str | Sequence[str] = (),
    progress: bool = True,
) -> Reproduced:
    """Run what a table or figure of the papers needs, and put ours beside the printed figures.

    Args:
        name: Which, such as "fdd-table3"; `dropover reproduce --list` lists them.
        scale: "smoke", "laptop" or "paper".
        seeds: How many seeds, instead of the scale's.
        jobs: Processes, of one thread each; by default one a core.
        engine: As for `compare`, and so are `address`, `cpus_per_trial` and `gpus_per_trial`.
        address: See there.
        cpus_per_trial: See there.
        gpus_per_trial: See there.
        out: Where nets, trials and the folder NAME go; by default results/reproduce/SCALE.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "fp32" or "bf16".
        retry_failed: Whether trials are tried again that failed in an earlier run.
        log: Where each study can be watched too: "tensorboard", "mlflow", or both.
        progress: Whether it is shown how far it is.

    Raises:
        UnknownNameError: nothing is called so.
        StudyError, DataError: a study can't be run, or none of its images is here.
        MissingExtraError: packages that `log` needs are missing.
        EngineError: Ray can't be had, or is gone; what was finished is kept.
    """
    reproduction = REPRODUCTIONS.get(name)
    store = Path(out) if out is not None else RESULTS / scale
    boards = boards_named(log)
    choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs)
    show = partial(live, on=choice.words) if progress else unseen
    planned = plan(reproduction, scale, seeds, choice.device(device), precision, elsewhere=choice.is_ray)
    with choice.opened(planned.all) as (trials_on, most):

        def watched(study: Study, _number: int, _count: int) -> AbstractContextManager[Listener]:
            return show(study, most)

        return carry_out(
            reproduction, planned, scale, store, most, watched,
            retry_failed=retry_failed, boards=boards, engine=trials_on,
        )  # fmt: skip


def carry_out(
    reproduction: Reproduction,
    planned: Plan,
    scale: Scale,
    store: Path,
    jobs: int,
    watched: Watched,
    command: str = "",
    retry_failed: bool = False,
    boards: Sequence[Board] = (),
    tell: Callable[[str], object] = lambda _line: None,
    engine: Engine = PROCESSES,
) -> Reproduced:
    """Run what was planned, draw it, and write it to the folder of the reproduction's name below `store`."""
    folder = store / reproduction.name
    folder.mkdir(parents=True, exist_ok=True)
    evidence = run(planned, scale, store, folder, jobs, watched, retry_failed, boards, tell, engine)
    items = [*reproduction.draw(evidence), *audit_items(evidence)] if evidence.runs else []
    files = write_reproduction(folder, reproduction, evidence, items, command) if evidence.runs else []
    return Reproduced(reproduction, evidence, items, files, planned.missing)
