"""The peer of `benchmarks/training.py`: the same net and data, trained by the script that a tutorial would write.

One process, torch's default threads, a DataLoader, torch's own optimizer and scheduler; trial after trial. The net is
the lab's `small-cnn`, layer by layer as its papers draw it: what the lab does to make its own faster isn't lent.
"""

import argparse
import math
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dropover.lab.data.parts.loading import load_data
from dropover.lab.study import DataSettings


def small_cnn(width: float) -> nn.Sequential:
    """The net for 28×28 grey images of ten classes."""
    first, second, hidden = (math.ceil(count * width) for count in (32, 64, 200))
    net = nn.Sequential(
        nn.Conv2d(1, first, 3),
        nn.ReLU(),
        nn.Conv2d(first, first, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.Conv2d(second, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * 4 * 4, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, 10),
    )
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if layer is net[-1] else "relu")
    return net


def train_one(width: float, epochs: int, seed: int, train: TensorDataset, test: TensorDataset) -> float:
    """Train one net and return its test accuracy after the last epoch."""
    torch.manual_seed(seed)
    model = small_cnn(width)
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
    train = TensorDataset(data.train_images.float() / 127.5 - 1, data.train_labels)
    test = TensorDataset(data.test_images.float() / 127.5 - 1, data.test_labels)
    accuracies = [train_one(options.width, options.epochs, seed, train, test) for seed in range(options.trials)]
    print(f"{time.perf_counter() - started:.2f} s, test accuracy {min(accuracies):.3f} to {max(accuracies):.3f}")


if __name__ == "__main__":
    main()
