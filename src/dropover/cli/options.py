"""Options as commands declare them; those that several commands have are said once."""

from typing import Annotated, Any, Literal

import typer

Scale = Literal["smoke", "laptop", "paper"]


def number(text: str) -> Any:
    """An option that takes a number from 1 on."""
    return typer.Option(min=1, metavar="N", help=text)


def directory(text: str) -> Any:
    """An option that takes a folder."""
    return typer.Option(metavar="DIR", help=text)


Jobs = Annotated[int | None, number("Trials at a time, of one thread each. [default: one a core, or one a GPU]")]
Engine = Annotated[
    Literal["local", "ray"], typer.Option(help="Processes of this machine, or Ray, on this machine or a cluster.")
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of the Ray cluster's head, or auto. [default: Ray on this machine]"),
]
CpusPerTrial = Annotated[
    float | None, typer.Option(metavar="N", help="CPUs that Ray sets apart for a trial. [default: 1]")
]
GpusPerTrial = Annotated[
    float | None, typer.Option(metavar="N", help="GPUs, or the share of one such as 0.25. [default: none]")
]
Device = Annotated[
    str | None,
    typer.Option(metavar="DEVICE", help="auto, cpu, cuda, one of several such as cuda:1, or mps. [default: auto]"),
]
DevicesPerTrial = Annotated[
    int | None, number("Train each trial on N devices, which share every batch; on the CPU processes. [default: 1]")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try trials again that failed in an earlier run.")]
Log = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="BOARD", help="Show it on tensorboard or mlflow too; may be given for each."),
]
Precision = Annotated[
    Literal["fp32", "bf16"] | None, typer.Option(help="float32, or mixed with bfloat16. [default: fp32]")
]
