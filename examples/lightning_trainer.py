"""Lightning's Trainer, with a rate that rises while it trains."""

import torch
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dropover
from dropover import lab
from dropover.integrations.lightning import AdvanceCallback

SEEDS, EPOCHS = 6, 10


class Classifier(LightningModule):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: list[Tensor]) -> Tensor:
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        images, labels = batch
        logits = self.net(images)
        self.log("test_accuracy", (logits.argmax(1) == labels).float().mean())
        self.log("test_loss", nn.functional.cross_entropy(logits, labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 2e-3)


def train(trial: lab.Trial) -> dict[str, float]:
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16).float().reshape(-1, 1, 8, 8), torch.tensor(digits)
    train_part, test_part = train_test_split(range(len(labels)), test_size=0.5, stratify=digits, random_state=0)
    train_set, test_set = (TensorDataset(images[part], labels[part]) for part in (train_part, test_part))
    train_loader = DataLoader(train_set, 32, shuffle=True, generator=trial.generator("batches"))
    test_loader = DataLoader(test_set, 256)

    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    model = Classifier(trial.regularize(net))
    trainer = Trainer(
        max_epochs=EPOCHS,
        accelerator=trial.device.type,
        devices=1 if trial.device.index is None else [trial.device.index],
        precision="bf16-mixed" if trial.precision == "bf16" else "32-true",
        callbacks=[AdvanceCallback(trial)],  # schedules and progress; logs what the module logs
        default_root_dir=trial.folder,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(model, train_loader, test_loader)
    measured = trainer.callback_metrics  # of the last epoch
    return {"accuracy": float(measured["test_accuracy"]), "log-loss": float(measured["test_loss"])}


def main() -> lab.Result:
    arms = {
        "none": None,
        "dropout .5": dropover.Dropout(0.5),
        "dropout 0 to .5": dropover.Dropout(dropover.LinearSchedule(0.0, 0.5)),
    }
    return lab.compare(train, arms=arms, at="7", seeds=SEEDS, out="results/lightning")


if __name__ == "__main__":
    print(main())
