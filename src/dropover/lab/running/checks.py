"""What a study asks for that can't be had: found by trying each part on something tiny, before anything is trained."""

import inspect
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dropover.lab import devices
from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import PIXELS, Terms
from dropover.lab.blame import ForeignError, Problem, is_foreign, one_line
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data, source_of
from dropover.lab.models.parts.building import NONE, build_network, place_arm, shown_images
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.models.parts.placed_layers import with_a_rate
from dropover.lab.models.parts.positions import PositionError
from dropover.lab.models.parts.users import layer_of
from dropover.lab.noise import NOISES
from dropover.lab.records.labels import AT_INFERENCE, AUDIT, AUDITED, OF_CORRECT, WORST
from dropover.lab.records.rows import PER_SECOND, of_audit
from dropover.lab.streams import WEIGHTS, generator, seeded
from dropover.lab.study import Arm, AttackSettings, DataSettings, FunctionSettings, Study
from dropover.lab.user_code import factory_named
from dropover.methods import METHODS
from dropover.registry import did_you_mean

# What the other rows of the long table are called.
_MEASURES = {"clean", "train_loss", "test_loss", "test_accuracy", "seconds", "images_per_second", PER_SECOND}


def problems_of(study: Study, *, elsewhere: bool = False) -> list[Problem]:
    """Everything in a study that can't be run, one line each, beginning with its key; empty if all is well.

    The images are read (a missing or damaged file is a problem like any other), every arm's network is built and shown
    two images, and noises and attacks are tried on a single pixel. Where the user's own code fails at it, the problem
    has that error as its cause. The device of a study that is run `elsewhere` is not asked for here.
    """
    check = _Check(study)
    if not elsewhere:
        check.device()
    if study.trial is not None:
        if study.devices_per_trial > 1:
            line = "must be 1 with a function of one's own, [trial], which is called in one process"
            check.say("devices_per_trial", f"{line}, got {study.devices_per_trial}")
        check.function(study.trial)
        return check.problems
    if study.measures:
        check.say("measures", "has no effect: what is measured of images is known; it is for a function, [trial]")
    data = check.data()
    # Without images the rest is checked on two grey ones of MNIST's shape, so that all problems come in one go.
    images = data if data is not None else _stand_in()
    network = check.network(images)
    for index, arm in enumerate(study.arms):
        check.arm(f"arms[{index}]", arm, images, network)
    check.inference_rates()
    check.noises()
    check.attacks(images)
    if data is not None:
        check.batches(data)
    most, asked = 0 if data is None else len(data.test_labels), study.evaluation.attack_images
    if data is not None and asked is not None and asked > most:
        line = f"must be at most {most}, the {study.data.score} images that the study has, got {asked}"
        check.say("evaluation.attack_images", line)
    return check.problems


def _stand_in() -> Data:
    images, labels = torch.full((2, 1, 28, 28), 128, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    return Data(images, labels, images, labels, tuple("0123456789"))


class _Check:
    """Tries the parts of a study, and gathers what is wrong."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.problems: list[Problem] = []

    def say(self, key: str, line: str, cause: BaseException | None = None) -> None:
        self.problems.append(Problem(f"{key}: {line}", cause))

    @contextmanager
    def trying(self, key: str, settings: Collection[str] = (), what: str = "") -> Iterator[None]:
        """Gather a refusal that is raised inside, under the key of the setting that its message names first, if any.

        With the user's code, which is `what` is tried, so is anything else that it may raise, even to end the program;
        but Ctrl-C goes on its way.
        """
        try:
            yield
        except PositionError as error:
            self.say(f"{key}.at", " ".join(str(error).split()), error)
        except (TypeError, ValueError) as error:
            message = one_line(error) if is_foreign(error) and not isinstance(error, ForeignError) else str(error)
            words = message.replace("'", " ").replace(",", " ").split()
            setting = next((f".{word}" for word in words if word in settings), "")
            self.say(f"{key}{setting}", message, error)
        except BaseException as error:
            if not what or isinstance(error, KeyboardInterrupt):
                raise
            self.say(key, f"{what} failed: {one_line(error)}", error)

    def unknown(self, key: str, what: str, names: Iterable[str], settings: Collection[str]) -> bool:
        """Whether some of the names are of no setting."""
        unknown = [name for name in names if name not in settings]
        there_are = f"known are {', '.join(settings)}" if settings else "it has none"
        for name in unknown:
            self.say(f"{key}.{name}", f"{what} has no such setting: {did_you_mean(name, settings, most=2)}{there_are}")
        return bool(unknown)

    def device(self) -> None:
        """Whether this machine has the devices, and these know the precision."""
        try:
            devices.check(self.study.device, self.study.precision, self.study.devices_per_trial)
        except devices.DeviceError as error:
            self.problems.append(Problem(str(error)))

    def data(self) -> Data | None:
        """The images, or None where they can't be had."""
        settings = self.study.data
        with self.trying("data.name"):
            source_of(settings.name)
            with self.trying("data", DataSettings.model_fields, settings.name):
                return load_data(settings)
        return None

    def batches(self, data: Data) -> None:
        """Whether each of a trial's devices has an image of every batch."""
        count, each = len(data.train_images), self.study.devices_per_trial
        smallest = count // self.study.training.batches(count)
        if smallest < each:
            line = f"must leave each of {each} devices an image of every batch, got {smallest} in the smallest"
            self.say("training.batch_size", line)

    def network(self, data: Data) -> nn.Module | None:
        """The network without any arm's layers, or None where it can't be built."""
        name, given = self.study.model.name, self.study.model.settings
        with self.trying("model.name"):
            network = network_named(name)
            settings = network.settings()
            unknown = self.unknown("model", f"network {name}", [] if network.takes_any_setting else given, settings)
            needed = [each for each, default in settings.items() if default is inspect.Parameter.empty]
            missing = [each for each in needed if each not in given]
            for each in missing:
                self.say("model", f"network {name} needs a setting {each!r}")
            if not unknown and not missing:
                with self.trying("model", given, name):
                    return build_network(self.study, 0, data)
        return None

    def arm(self, key: str, arm: Arm, data: Data, network: nn.Module | None) -> None:
        """Make the arm's layers, and place them if there is a network."""
        if arm.method == NONE:
            for name in [*(["at"] if arm.at is not None else []), *arm.settings]:
                self.say(f"{key}.{name}", f"has no effect, since method {NONE!r} places nothing")
            return
        try:
            method = METHODS.get(arm.method)
        except ValueError as error:
            self.say(f"{key}.method", f"{error}, {NONE}")
            return
        if method.kind == "weights":
            self.say(f"{key}.method", f"{method.name} wraps a layer and can't be placed in a study")
            return
        if self.study.evaluation.inference_rates and method.name not in with_a_rate():
            line = f"{method.name} has no rate at inference, which evaluation.inference_rates asks for"
            self.say(f"{key}.method", f"{line}: methods that have one are {', '.join(with_a_rate())}")
        if arm.at == []:
            self.say(f"{key}.at", "is empty: leave it out for the default position, or name one")
        with self.trying(key, arm.settings, f"network {self.study.model.name} with this arm's layers"):
            layer_of(arm, units=8)
            if network is not None and arm.at != []:
                place_arm(network, self.study, arm, shown_images(data)).remove()

    def function(self, settings: FunctionSettings) -> None:
        """The user's own training function, and what goes with it; whether the arms' places exist, it shows itself."""
        for table in ("data", "model", "training"):
            if table in self.study.model_fields_set:
                self.say(table, "has no effect with [trial], whose function has its own: leave one of the two out")
        with self.trying("trial.function"):
            function = factory_named(settings.function)
            try:
                inspect.signature(function).bind("trial")
            except TypeError as error:
                self.say("trial.function", f"{settings.function} must take one argument, the trial: {error}")
        for index, arm in enumerate(self.study.arms):
            if arm.method != NONE:
                with self.trying(f"arms[{index}]", arm.settings):
                    layer_of(arm, units=8)
        self.inference_rates()
        self.noises()
        self.attacks(_stand_in())

    def inference_rates(self) -> None:
        """The rates themselves, and whether any arm has layers for them."""
        key, rates = "evaluation.inference_rates", self.study.evaluation.inference_rates
        if rates and max(rates) > 1:
            self.say(key, f"must be at most 1, got {max(rates):g}")
        if rates and all(arm.method == NONE for arm in self.study.arms):
            self.say(key, f"has no effect, since no arm has another method than {NONE!r}")

    def noises(self) -> None:
        """Every noise at every level, on a single pixel."""
        for name, levels in self.study.evaluation.noise.items():
            with self.trying(f"evaluation.noise.{name}"):
                noise = NOISES.get(name)
                for level in levels:
                    noise.apply(torch.zeros(1, 1, 1, 1), level, generator(0, "check"))

    def attacks(self, data: Data) -> None:
        """Every attack, and whether their labels and units go together."""
        labels: dict[str, int] = {}
        units: dict[str, tuple[int, list[float]]] = {}
        taken = {*_MEASURES, *WORST.values(), *AUDIT.values(), *AUDITED.values(), *NOISES.names()}
        for index, settings in enumerate(self.study.evaluation.attacks):
            key, label = f"evaluation.attacks[{index}]", settings.label
            if label in labels:
                line = f"{label!r} is attacks[{labels[label]}] already: put all eps into one entry"
                self.say(f"{key}.label", f"{line}, or give one of them another label")
            if label in taken or of_audit(label) or label.endswith((OF_CORRECT, AT_INFERENCE)):
                self.say(f"{key}.label", f"{label!r} is what another figure of the results is called")
            labels.setdefault(label, index)
            terms = self.attack(key, settings, data)
            if terms is None:
                continue
            first, stds = units.setdefault(terms.norm, (index, terms.stds))
            if stds != terms.stds:
                line = f"eps are in other units than those of attacks[{first}]"
                self.say(f"{key}.units", f"{line}: the worst case over all attacks in {terms.norm} needs one unit")

    def attack(self, key: str, settings: AttackSettings, data: Data) -> Terms | None:
        """One attack, on a black image at eps = 0, where it checks all and does nothing; its terms, if all is well."""
        image, label = torch.zeros((1, *data.train_images.shape[1:])), torch.zeros(1, dtype=torch.int64)
        with seeded(0, WEIGHTS):
            model = nn.Sequential(nn.Flatten(), nn.Linear(image.numel(), len(data.classes)))
        with self.trying(f"{key}.name"):
            attack = ATTACKS.get(settings.name)
            if self.unknown(key, f"attack {settings.name}", settings.settings, attack.settings):
                return None
            with self.trying(key, settings.settings):
                terms = attack.terms(settings.settings)
                furthest = float(terms.norm_for(image).length(torch.ones_like(image)))
                attack.run(model, image, label, [0.0], generator(0, "check"), **settings.settings)
                if max(settings.eps) <= furthest:
                    return terms
                unit = "in pixels" if terms.units == PIXELS else "in units of the normalised input"
                self.say(f"{key}.eps", f"is {unit}, at most {furthest:g} ({terms.norm}), got {max(settings.eps)}")
        return None
