"""A training of one's own on scikit-learn's handwritten digits, which counts its batches in a file."""

import os
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import TensorDataset

from dropover import lab


def train(trial: lab.Trial) -> dict[str, float]:
    """Train a small net and return its accuracy, its last loss and its weights in one number."""
    pixels, labels = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    x, y = pixels.float() / 16, labels.long()
    model = trial.regularize(nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10)))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loader = trial.loader(TensorDataset(x[:1500], y[:1500]), 16)
    trial.checkpoint(model=model, optimizer=optimizer)
    counted = Path(os.environ["COUNTED"])
    for epoch in trial.track(range(20)):
        model.train()
        for images, wanted in loader:
            loss = nn.functional.cross_entropy(model(images), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with counted.open("ab") as file:
                file.write(b".")
        trial.log(epoch, train_loss=loss.item())
    model.eval()
    weights = sum(parameter.detach().double().square().sum().item() for parameter in model.parameters())
    accuracy = (model(x[1500:]).argmax(1) == y[1500:]).double().mean().item()
    return {"accuracy": accuracy, "train_loss": loss.item(), "weights": weights}
