"""The lab's main job: a training function, or a study, under several regularizers; run, judged, and told."""

import ast
import contextlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dropover import validation
from dropover.lab.boards import Board, boards_named
from dropover.lab.boards.parts.feeding import on_boards
from dropover.lab.growing import Growth, Limits, Round, grow
from dropover.lab.models.parts.building import NONE
from dropover.lab.models.parts.users import arm_of
from dropover.lab.records.sources import forget_sources
from dropover.lab.result import Result
from dropover.lab.running.engines import Engine
from dropover.lab.running.engines.choosing import Choice
from dropover.lab.running.events import Listener
from dropover.lab.running.runner import PROCESSES, run_study
from dropover.lab.running.study_file import try_out, well_formed
from dropover.lab.running.trial import Trial
from dropover.lab.study import Study
from dropover.lab.telling.live import View, live, unseen
from dropover.lab.telling.terminal import say
from dropover.lab.user_code import is_handed_over, name_of
from dropover.registry import did_you_mean

RESULTS = Path("results")
"""Where results go unless told otherwise."""


def _silent(_line: str) -> None:
    """Say nothing."""


def compare(
    what: Callable[[Trial], Any] | Study,
    arms: Mapping[str, Any] | None = None,
    *,
    at: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] = 3,
    reference: str | None = None,
    higher_is_better: Mapping[str, bool] | None = None,
    margin: Mapping[str, float] | None = None,
    settings: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    name: str = "",
    version: str = "",
    out: str | Path | None = None,
    jobs: int | None = None,
    engine: str = "local",
    address: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    device: str = "auto",
    precision: str = "fp32",
    until_decided: bool = False,
    max_seeds: int = 30,
    budget: float | None = None,
    retry_failed: bool = False,
    log: str | Sequence[str] = (),
    progress: bool = True,
) -> Result:
    """Train under several regularizers with everything else equal, and say what each one does.

    Every trial is kept when it ends. The same call takes trials over that are there already; what has changed since,
    the function's code too, runs again. One that failed is kept as failed, and not tried again. Ctrl-C returns what is
    finished.

    Args:
        what: A training function, called with a `Trial` for every arm and seed. It returns a dictionary of figures; or
            (model, figures); or (model, figures, (test_images, test_labels)), where `evaluation` asks for noise and
            attacks on these images. Or a `Study`: of the other arguments only `out`, `jobs`, those of
            the engine and those from `until_decided` on are for it, and it says the rest itself.
        arms: From names to layers: one of dropover's layers, None for no regularizer, or a table as in a study file.
        at: Where the arms' layers go: modules' paths or patterns, "before " or "after " in front of them. By default
            instead of the dropouts that the model has, else before its last linear layer; see `places`.
        seeds: How many, or which.
        reference: The arm that the others are compared with; by default the first one without a regularizer, else the
            first one.
        higher_is_better: Of figures, by name. By default what is called a loss or an error should be low.
        margin: Of figures, by name: the difference within which arms are level, in the figure's own unit.
        settings: What the function finds in `Trial.settings`.
        evaluation: The table of that name of a study file.
        name: What the study is called; by default as the function.
        version: What this state of the function's code is called. Without it its source decides whether kept trials
            are taken over.
        out: The folder for trials, and for the files of `Result.save`; by default results/NAME.
        jobs: Processes, of one thread each; by default one a core, or one a GPU. A function that other processes can't
            import, of a notebook say, runs in this one.
        engine: "local", for processes of this machine, or "ray".
        address: HOST:PORT of the head of a Ray cluster, or "auto"; by default this machine is used.
        cpus_per_trial: How many CPUs Ray sets apart for a trial; by default 1.
        gpus_per_trial: How many GPUs Ray sets apart for a trial, or what share of one; by default none.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "fp32" or "bf16".
        until_decided: Add seeds where they are needed, until every arm is decided.
        max_seeds: Up to how many.
        budget: After how many seconds no trial is begun.
        retry_failed: Whether trials are tried again that failed in an earlier call.
        log: Where it can be watched too: "tensorboard", "mlflow", or both.
        progress: Whether it is shown how far it is.

    Raises:
        StudyError: a line for everything that is wrong with the study.
        TypeError, ValueError: a wrong argument; packages that `log` needs are missing.
        EngineError: Ray can't be had, or is gone; what was finished is kept. It is a `ValueError`.

    Example:
        >>> result = compare(train, {"none": None, "flipover": dropover.Flipover(0.2)}, seeds=6)
        >>> print(result)
    """
    boards = boards_named(log)
    if isinstance(what, Study):
        if arms is not None:
            raise ValueError("arms are the study's own: leave them out, or give compare a function")
        study = what
    else:
        if taken := {"function", "version"} & {*(settings or {})}:
            raise ValueError(f"settings must have other names than {' and '.join(sorted(taken))}, which the lab takes")
        told = {
            "name": name or getattr(what, "__name__", "").strip("<>") or "study",
            "seeds": seeds if isinstance(seeds, int) else list(seeds),
            "device": device,
            "precision": precision,
            "trial": {**(settings or {}), "function": name_of(what), "version": version},
            "measures": _measures(higher_is_better or {}, margin or {}),
            "evaluation": evaluation or {},
            **_arms(arms or {}, at, reference),
        }
        study = well_formed(told, "compare")
    forget_sources()
    choice = Choice(engine, address, cpus_per_trial, gpus_per_trial, jobs_for(study, jobs))
    study = choice.placed(study)
    try_out(study, "compare", elsewhere=choice.is_ray)
    folder = Path(out) if out is not None else RESULTS / study.name
    limits = Limits(max(max_seeds, len(study.seeds)), budget) if until_decided else None
    view, tell = (partial(live, on=choice.words), say) if progress else (unseen, _silent)
    with choice.opened([study]) as (trials_on, most):
        result = run(
            study, folder, most, view, tell, limits, retry_failed=retry_failed, boards=boards, engine=trials_on
        )
    result.save(folder)
    return result


def run(
    study: Study,
    folder: Path,
    jobs: int,
    view: View = unseen,
    tell: Callable[[str], object] = _silent,
    limits: Limits | None = None,
    command: str = "",
    retry_failed: bool = False,
    boards: Sequence[Board] = (),
    engine: Engine = PROCESSES,
) -> Result:
    """Run a study that has been tried out, as it is or growing within limits.

    Args:
        study: What to run.
        folder: Where its trials are kept, made if missing.
        jobs: How many trials run at a time, where other processes can run them.
        view: Shows how far it is.
        tell: Is told in lines how it grows.
        limits: How far it may grow until it is decided; None to run it as it is.
        command: What runs it, as a reader would type it.
        retry_failed: Whether trials are tried again that failed in an earlier run.
        boards: Where it is shown besides.
        engine: What runs them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with on_boards(boards, study, folder, tell) as beside:
        if limits is None:
            with view(study, jobs) as listener:
                outcome = run_study(study, folder, jobs, beside(listener), retry_failed=retry_failed, engine=engine)
            result = Result(study, outcome, folder, jobs, command)
        else:
            result = _grown(study, folder, jobs, view, tell, limits, command, retry_failed, beside, engine)
    if (line := _never_returned(result)) is not None:
        tell(line)
    return result


def _never_returned(result: Result) -> str | None:
    """Which of the study's measures no trial returned, in a line."""
    there = dict.fromkeys(row.measure for done in result.run.finished for row in done.rows if row.level is None)
    strange = [name for name in result.study.measures if name not in there]
    if not strange or not there:
        return None
    hints = "".join(did_you_mean(name, there, most=1) for name in strange[:1])
    return f"measures: nothing returned {', '.join(strange)}: {hints}returned were {', '.join(there)}"


def _grown(
    study: Study,
    folder: Path,
    jobs: int,
    view: View,
    tell: Callable[[str], object],
    limits: Limits,
    command: str,
    retry_failed: bool,
    beside: Callable[[Listener], Listener],
    engine: Engine,
) -> Result:
    """Let a study grow within limits, and tell what its looks say."""

    @contextmanager
    def watched(growth: Growth, asked: Round) -> Iterator[Listener]:
        if growth.seen:
            tell(growth.standing)
        with view(study, jobs, asked) as listener:
            yield beside(listener)

    most = f"{study.name}: {len(study.arms)} arms, up to {limits.seeds} seeds each"
    # Measures of the user's own have margins of their own, which the answer names.
    margin = "" if study.trial else f" at a margin of {study.margin:g} points"
    tell(f"{most}, until each is decided{margin}")
    growth = grow(study, folder, jobs, limits.seeds, limits.seconds, watched, retry_failed=retry_failed, engine=engine)
    for line in (growth.standing, growth.ending, growth.price):
        tell(line)
    return Result(growth.given, growth.run, folder, jobs, command, growth)


def _arms(arms: Mapping[str, Any], at: str | Sequence[str] | None, reference: str | None) -> dict[str, Any]:
    """The arms as a study file has them, and which one is the reference."""
    if not arms:
        raise ValueError(
            "arms must name at least one layer, such as arms={'none': None, 'dropout': dropover.Dropout(0.3)}"
        )
    where = {} if at is None else {"at": [at] if isinstance(at, str) else list(at)}
    tables = [arm_of(name, layer) for name, layer in arms.items()]
    plain = [table["name"] for table in tables if table.get("method") == NONE]
    return {"arms": [{**where, **table} for table in tables], "reference": reference or [*plain, *arms][0]}


def _measures(higher_is_better: Mapping[str, bool], margin: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    measures: dict[str, dict[str, Any]] = {}
    for key, given in (("higher_is_better", higher_is_better), ("margin", margin)):
        for name, value in given.items():
            measures.setdefault(name, {})[key] = value
    return measures


def jobs_for(study: Study, jobs: int | None) -> int | None:
    """How many trials at a time are asked for; one, where the function can't go to other processes."""
    if study.trial is not None and is_handed_over(study.trial.function):
        if jobs is not None and jobs > 1:
            raise ValueError(
                f"jobs must be 1 for {study.trial.function}, got {jobs}: it is defined in a notebook, at a prompt, or "
                f"inside another function, so that other processes can't import it; put it into a module for more"
            )
        return 1
    _check_script()
    return None if jobs is None else validation.whole("jobs", jobs, 1)


def _check_script() -> None:
    """Raise `ValueError` where the script that is running would start itself again in every process."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if multiprocessing.parent_process() is not None or file is None or not Path(file).is_file():
        return
    with contextlib.suppress(SyntaxError, ValueError):
        top = ast.parse(Path(file).read_bytes()).body
        if not any("__name__" in ast.unparse(each.test) for each in top if isinstance(each, ast.If)):
            raise RuntimeError(
                f"{file}: other processes import the script, which would call compare again in each of them: put the "
                f"call under `if __name__ == '__main__':`"
            )
