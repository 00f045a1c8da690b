"""A finished trial's net: read from where it was kept, or trained once more and kept."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data
from dropover.lab.running.study_file import StudyError, read_study, well_formed
from dropover.lab.study import Study
from dropover.lab.training.trained import net_path, trained_net
from dropover.registry import did_you_mean

NETS = "nets"
"""The folder of trained nets, in a results' folder or beside those of a reproduction."""
_FILE = "study.toml"


def is_trial(name: str) -> bool:
    """Whether `name` is that of a trial, RESULTS:ARM/SEED, by there being a study in the folder RESULTS."""
    return (Path(name.partition(":")[0]) / _FILE).is_file()


def trial_net(name: str, tell: Callable[[str], object], device: str | None = None) -> tuple[nn.Module, Data, Study]:
    """The net of a study's trial, in evaluation mode on the study's device; its data; and the study.

    Args:
        name: RESULTS:ARM/SEED: the results' folder, an arm's name, and a seed.
        tell: Called with a line where the net was not kept and is trained again: the same, as all that decides it is.
        device: Instead of the study's.

    Raises:
        StudyError: there is no such arm or seed, or the study's function is the user's own, whose nets only it knows.
    """
    folder, _, trial = name.partition(":")
    study = well_formed(read_study(Path(folder) / _FILE), f"{folder}/{_FILE}")
    if study.trial is not None:
        raise StudyError(
            f"{name}: its nets are made by {study.trial.function}, which keeps them or not: have it save the model's "
            f"state_dict, and give MODULE:FACTORY with --weights FILE"
        )
    if device is not None:
        study = study.model_copy(update={"device": device})
    label, _, number = trial.rpartition("/")
    arms = [arm.label for arm in study.arms]
    if label not in arms:
        hint = did_you_mean(label, arms)
        raise StudyError(f"{name}: {hint}it must be {folder}:ARM/SEED, and the arms are {', '.join(arms)}")
    if number not in map(str, study.seeds):
        raise StudyError(f"{name}: must end with a seed of {', '.join(map(str, study.seeds))}, got {number!r}")
    data, arm, seed = load_data(study.data), study.arm(label), int(number)
    places = [Path(folder) / NETS, Path(folder).parent / NETS, Path(folder).parent.parent / NETS]
    there = next((each for each in places if net_path(each, study, arm, seed).is_file()), None)
    if there is None:
        there = places[0]
        tell(f"{folder} kept no net of {label}, seed {seed}: it is trained once more, and kept in {there}")
    model, _ = trained_net(study, arm, seed, data, there, notify=tell)
    return model, data, study
