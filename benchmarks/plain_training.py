"""The peer of `benchmarks/training.py`: the same net and data, trained by the script that a tutorial would write.

One process, torch's default threads, a DataLoader, torch's own optimizer and scheduler; trial after trial.
"""

import argparse
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dropover.lab.data.loading import load_data
from dropover.lab.models import NETWORKS
from dropover.lab.study import DataSettings


def train_one(width: float, epochs: int, seed: int, train: TensorDataset, test: TensorDataset) -> float:
    """Train one net and return its test accuracy after the last epoch."""
    torch.manual_seed(seed)
    model = NETWORKS.get("small-cnn").build(1, 28, 10, width=width)
    loader = DataLoader(train, batch_size=64, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    accuracy = 0.0
    for _ in range(epochs):
        model.train()
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(x).argmax(1) == y).sum()) for x, y in DataLoader(test, batch_size=250))
        accuracy = right / len(test)
    return accuracy


def main() -> None:
    """Train the asked number of trials and print how long all of it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=float, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    options = parser.parse_args()
    started = time.perf_counter()
    data = load_data(DataSettings())
    train = TensorDataset(data.train_images.float() / 255, data.train_labels)
    test = TensorDataset(data.test_images.float() / 255, data.test_labels)
    accuracies = [train_one(options.width, options.epochs, seed, train, test) for seed in range(options.trials)]
    print(f"{time.perf_counter() - started:.2f} s, test accuracy {min(accuracies):.3f} to {max(accuracies):.3f}")


if __name__ == "__main__":
    main()
