"""The callbacks move scheduled rates along as their trainers make steps, and tell a trial what goes on."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch import Trainer as LightningTrainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from transformers import Trainer, TrainingArguments

from dropover import Dropout, LinearSchedule, insert, regularizers
from dropover.integrations.following import follow
from dropover.integrations.lightning import AdvanceCallback as LightningCallback
from dropover.integrations.transformers import AdvanceCallback as TransformersCallback
from dropover.lab.running.trial import Trial
from dropover.lab.study import Study

SAMPLES, BATCH, EPOCHS = 24, 4, 3
BATCHES = SAMPLES // BATCH
RISING = LinearSchedule(0.0, 0.5)


class Listening:
    """A trial that keeps what it is told."""

    def __init__(self) -> None:
        self.shared: list[str] = []
        self.fractions: list[float] = []
        self.logged: list[tuple[int, dict[str, float]]] = []

    def share(self, name: str) -> None:
        self.shared.append(name)

    def progress(self, fraction: float) -> None:
        self.fractions.append(fraction)

    def log(self, step: int, /, **values: float) -> None:
        self.logged.append((step, values))


class Net(LightningModule):
    """For both trainers; it notes how far its layers are at each pass in training."""

    def __init__(self, p: object = None) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        if p is not None:
            insert(self.net, {"1": Dropout(p)})
        self.seen: list[float] = []
        self.met: list[tuple[float, ...]] = []

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if self.training:
            self.met.append(tuple(x[:, 0].tolist()))
            self.seen += [layer.progress for layer in regularizers(self)]
        logits = self.net(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    def training_step(self, batch: list[Tensor]) -> Tensor:
        loss = self(*batch)["loss"]
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        self.log("test_loss", self(*batch)["loss"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Endless(IterableDataset):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield torch.randn(2), torch.tensor(0)


def samples_of_two() -> Tensor:
    return torch.randn(SAMPLES, 2, generator=torch.Generator().manual_seed(0))


def with_lightning(model: Net, trial: Listening | None, folder: Path, accumulated: int = 1) -> None:
    samples = TensorDataset(samples_of_two(), torch.randint(2, (SAMPLES,)))
    lightning(folder, trial, max_epochs=EPOCHS, accumulate_grad_batches=accumulated).fit(
        model, DataLoader(samples, BATCH, shuffle=True), DataLoader(samples, BATCH)
    )


def lightning(folder: Path, trial: Listening | None, **settings: object) -> LightningTrainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return LightningTrainer(
        accelerator="cpu", default_root_dir=folder, callbacks=[LightningCallback(trial)], **quiet, **settings
    )


def with_transformers(model: Net, trial: Listening | None, folder: Path, accumulated: int = 1) -> None:
    samples = [{"x": x, "labels": torch.tensor(index % 2)} for index, x in enumerate(samples_of_two())]
    arguments = TrainingArguments(
        str(folder), use_cpu=True, num_train_epochs=EPOCHS, per_device_train_batch_size=BATCH, eval_strategy="epoch",
        gradient_accumulation_steps=accumulated, logging_strategy="epoch", save_strategy="no", report_to="none",
        disable_tqdm=True,
    )  # fmt: skip
    callbacks = [TransformersCallback(trial)]
    Trainer(model, arguments, train_dataset=samples, eval_dataset=samples, callbacks=callbacks).train()


Train = Callable[[Net, Listening | None, Path], None]
both = pytest.mark.parametrize("train", [with_lightning, with_transformers])


@both
@pytest.mark.parametrize("accumulated", [1, 2])
def test_rates_follow_the_optimizer_steps(train: Callable[..., None], accumulated: int, tmp_path: Path) -> None:
    model, trial = Net(RISING), Listening()
    train(model, trial, tmp_path, accumulated)
    a_epoch = BATCHES // accumulated
    steps = [epoch * a_epoch + batch // accumulated for epoch in range(EPOCHS) for batch in range(BATCHES)]
    assert model.seen == pytest.approx([step / (a_epoch * EPOCHS) for step in steps])
    assert sorted(set(trial.fractions)) == pytest.approx(sorted(set(model.seen)))
    assert trial.fractions == sorted(trial.fractions)


@both
def test_a_model_without_schedules_trains_as_it_is(train: Train, tmp_path: Path) -> None:
    model = Net(0.25)
    train(model, None, tmp_path)
    assert model.seen == [0.0] * (BATCHES * EPOCHS)
    assert [layer.p for layer in regularizers(model)] == [0.25]


@both
def test_arms_meet_the_same_batches_in_every_epoch(train: Train, tmp_path: Path) -> None:
    """Though their layers draw from the generator that the loader shuffles with."""
    arms = [{"method": "none"}, {"method": "dropout"}, {"method": "flipover"}]
    study = Study.model_validate({"trial": {"function": "my_module:train", "version": "1"}, "arms": arms})
    orders = set()
    for arm in study.arms:
        trial, model = Trial(study, arm.label, 0, results=tmp_path), Net()
        trial.regularize(model.net)
        train(model, trial, tmp_path)
        orders.add(tuple(model.met))
    (order,) = orders
    epochs = {order[start : start + BATCHES] for start in range(0, len(order), BATCHES)}
    assert len(epochs) == EPOCHS  # each has an order of its own


@both
def test_epochs_begin_with_numbers_that_arms_share(train: Train, tmp_path: Path) -> None:
    trial = Listening()
    train(Net(0.25), trial, tmp_path)
    assert trial.shared == [f"epoch {number}" for number in range(EPOCHS)]


def test_lightnings_metrics_are_logged_by_epoch(tmp_path: Path) -> None:
    trial = Listening()
    with_lightning(Net(0.25), trial, tmp_path)
    assert [step for step, _ in trial.logged] == list(range(EPOCHS))
    assert all(set(values) == {"train_loss", "test_loss"} for _, values in trial.logged)
    assert all(type(value) is float for _, values in trial.logged for value in values.values())


def test_what_transformers_logs_is_logged_by_step_without_clocks_and_counters(tmp_path: Path) -> None:
    trial = Listening()
    with_transformers(Net(0.25), trial, tmp_path)
    for name in ("loss", "eval_loss"):
        steps = [step for step, values in trial.logged if name in values]
        assert steps == [BATCHES * epoch for epoch in range(1, EPOCHS + 1)]
    names = {name for _, values in trial.logged for name in values}
    assert names == {"loss", "eval_loss", "grad_norm", "learning_rate", "train_loss"}


def test_schedules_need_to_know_the_end(tmp_path: Path) -> None:
    trainer = lightning(tmp_path, None, max_epochs=-1, limit_train_batches=2)
    with pytest.raises(ValueError, match=r"scheduled rates need to know the number of training steps, got inf: give "):
        trainer.fit(Net(RISING), DataLoader(Endless(), BATCH))


def test_steps_alone_are_an_end(tmp_path: Path) -> None:
    model = Net(RISING)
    lightning(tmp_path, None, max_steps=4).fit(model, DataLoader(Endless(), BATCH))
    assert model.seen == pytest.approx([0, 0.25, 0.5, 0.75])


def test_more_steps_than_planned_are_the_end() -> None:
    """As several optimizers make them."""
    model, trial = Net(RISING), Listening()
    follow(model, 7, 5, trial)
    assert [layer.progress for layer in regularizers(model)] == trial.fractions == [1.0]


def test_ctrl_c_reaches_who_runs_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    model = Net(0.25)
    monkeypatch.setattr(model, "training_step", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        with_lightning(model, Listening(), tmp_path)
    assert signal.getsignal(signal.SIGINT) == handler


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_without_its_library_the_error_says_what_to_install(name: str) -> None:
    code = f"import sys; sys.modules[{name!r}] = None; import dropover.integrations.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.stderr.splitlines()[-1].endswith(f'pip install "dropover[{name}]"')
    assert f"dropover.integrations.{name} needs" in done.stderr.splitlines()[-1]
