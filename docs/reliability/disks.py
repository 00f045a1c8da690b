"""Disks that are full or take nothing, files that were changed, and folders that were moved; a clock that is wrong."""

import os
import random
import shutil
import signal
import subprocess
import time
from typing import Any

from ground import (
    BATCHES,
    FUNCTION,
    STUDIES,
    TRIALS,
    Ended,
    Ground,
    Say,
    comparing,
    demand,
    ended,
    mount,
    until,
)

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
"""Another processor, as far as one can be had here."""
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOT_ROOT = "not tried: only root may mount a disk"


def full(ground: Ground, _moments: int, _say: Say) -> str:
    """A disk that holds the results of a few trials only."""
    if not ROOT:
        return NOT_ROOT
    with ground.disk("full", "24k"):
        line = _refused(ground.compare(FUNCTION, "full"), "No space left on device")
        there = ground.finished("full")
        demand(len(there) < TRIALS, "the disk was large enough")
        mount("-o", "remount,size=50m", ground.folder / "full")
        ground.ends_as_undisturbed(FUNCTION, "full", there)
    return f"“{line}”; {len(there)} of {TRIALS} trials stayed, and with more room the others were run"


def read_only(ground: Ground, _moments: int, _say: Say) -> str:
    """A disk that takes nothing any more."""
    if not ROOT:
        return NOT_ROOT
    with ground.disk("read-only", "50m") as folder:
        there = stopped_midway(ground, FUNCTION, "read-only")
        mount("-o", "remount,ro", folder)
        line = _refused(ground.compare(FUNCTION, "read-only"), "Read-only file system")
        mount("-o", "remount,rw", folder)
        ground.ends_as_undisturbed(FUNCTION, "read-only", there)
    return f"“{line}”; {len(there)} of {TRIALS} trials stayed"


def _refused(ran: Ended, reason: str) -> str:
    """The line in which it ended, without the folder."""
    demand((ran.code, ran.err.count("\n")) == (2, 1), f"exit code {ran.code}: {ran.err}")
    demand(ran.err.endswith(f": can't be written ({reason})\n"), ran.err)
    return ran.err.strip().rpartition("/")[2]


def changed(ground: Ground, _moments: int, _say: Say) -> str:
    """Results that are cut short, or have one bit another way."""
    draws = random.Random(2)
    for study in STUDIES:
        out = f"changed-{study}"
        ground.compare(study, out)
        files = sorted(ground.trials(out).glob("*.json"))
        for number, file in enumerate(files):
            content = bytearray(file.read_bytes())
            place = draws.randrange(len(content))
            if number % 2:
                del content[place:]
            else:
                content[place] ^= 1 << draws.randrange(8)
            file.write_bytes(content)
        ran = ground.ends_as_undisturbed(study, out)
        unnamed = [file.name for file in files if f"set aside as {file.name}.damaged" not in ran.out]
        demand(not unnamed, f"{unnamed} not set aside: {ran.out}")
    return f"{2 * TRIALS} of {2 * TRIALS} damaged files were named, set aside and run again"


def shared(ground: Ground, _moments: int, _say: Say) -> str:
    """The same command twice at once."""
    before = ground.batches() if ground.whole(FUNCTION) else 0
    with (
        ground.started(*comparing(FUNCTION, "shared")) as first,
        ground.started(*comparing(FUNCTION, "shared")) as other,
    ):
        both = [ended(process, time.monotonic()) for process in (first, other)]
    demand([ran.code for ran in both] == [0, 0], [ran.err for ran in both])
    demand(any("Shared with process" in ran.out for ran in both), "neither says that it shares")
    trained = ground.batches() - before
    ground.ends_as_undisturbed(FUNCTION, "shared")
    demand(trained == TRIALS * BATCHES, f"{trained} batches instead of {TRIALS * BATCHES}")
    return f"{trained:,} batches by both together, as many as by one alone; “Shared with process …”"


def other_clock(ground: Ground, _moments: int, _say: Say) -> str:
    """A clock that is a year ahead in the second run, and ten years behind in the third."""
    if shutil.which("faketime") is None:
        return "not tried: needs faketime"
    there: dict[str, bytes] = {}
    for clock in ("+0d", "+400d"):
        there = stopped_midway(ground, FUNCTION, "clock", there, **_at(clock))
    ground.ends_as_undisturbed(FUNCTION, "clock", there, **_at("-3650d"))
    return f"runs today, in 400 days and 10 years ago; {len(there)} of {TRIALS} trials were taken over by the last"


def _at(clock: str) -> dict[str, str]:
    """What has a process see another time; `faketime` itself would stand between us and the command."""
    asked = ["faketime", "-f", clock, "printenv", "LD_PRELOAD"]
    library = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own
    return {"LD_PRELOAD": library, "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def moved(ground: Ground, _moments: int, _say: Say) -> str:
    """The results in another place, the command given in another folder, on a processor without AVX-512."""
    said = []
    for study in STUDIES:
        there = stopped_midway(ground, study, f"before-{study}")
        elsewhere = Ground(ground.folder / f"elsewhere-{study}")
        place = elsewhere.folder / "results" / "of another machine"
        place.parent.mkdir()
        shutil.move(ground.folder / f"before-{study}", place)
        ran = elsewhere.compare(study, place, **AVX2)
        demand(ran.code == 0, ran.err)
        demand(f"{len(there)} of {TRIALS} trials were finished by an earlier run" in ran.out, ran.out)
        demand(there.items() <= elsewhere.finished(place).items(), "a finished trial was run again")
        same = elsewhere.figures(place) == ground.whole(study)[0]
        said.append(f"{len(there)} of {TRIALS} taken over, {'the same' if same else 'other'} last bits in the others")
    return f"your function: {said[0]}; images: {said[1]}"


def stopped_midway(
    ground: Ground, study: str, out: object, there: dict[str, bytes] | None = None, **how: Any
) -> dict[str, bytes]:
    """Run until one trial more is finished, and stop; what is finished then."""
    before = there or {}
    with ground.started(*comparing(study, out), **how) as process:
        until(lambda: len(ground.finished(out)) > len(before), process)
        os.killpg(process.pid, signal.SIGTERM)
        stopped = ended(process, time.monotonic())
    demand(stopped.code == 143, stopped.err)
    return ground.more_finished(out, before)
