"""Training functions that tests import, as a user's module would have them."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dropover import lab

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def digest(*tensors: torch.Tensor) -> float:
    """A number that tells tensors apart."""
    return float(
        sum((tensor.double() * torch.arange(1, tensor.numel() + 1).view_as(tensor)).sum() for tensor in tensors)
    )


def train(trial: lab.Trial) -> dict[str, float]:
    """What decides the pairing goes back as figures: weights, and the order of batches in each epoch."""
    model = trial.regularize(net())
    weights = digest(*(parameter.detach() for parameter in model.parameters()))
    trained = list(model.parameters())
    loader = DataLoader(TensorDataset(X, Y), 16, shuffle=True)
    orders = []
    for epoch in trial.track(range(3)):
        model.train()
        for x, y in loader:
            orders.append(digest(x))
            loss = nn.functional.cross_entropy(model(x), y)
            # By hand: torch.optim takes every worker over a second to import.
            gradients = torch.autograd.grad(loss, trained)
            with torch.no_grad():
                for parameter, gradient in zip(trained, gradients, strict=True):
                    parameter -= 0.1 * gradient
        trial.log(epoch, train_loss=float(loss.detach()))
    model.eval()
    accuracy = (model(X).argmax(1) == Y).double().mean()
    order = digest(torch.tensor(orders, dtype=torch.float64))
    return {"accuracy": accuracy, "weights": weights, "order": order, "extra": float(trial.settings.get("extra", 0))}


def images(trial: lab.Trial) -> tuple[nn.Module, dict[str, float], tuple[torch.Tensor, torch.Tensor]]:
    pixels = torch.rand(20, 1, 6, 6, generator=trial.generator("images"))
    model = trial.regularize(nn.Sequential(nn.Flatten(), nn.Linear(36, 10), nn.ReLU(), nn.Linear(10, 3)))
    return model, {"depth": 2.0}, (pixels, torch.arange(20) % 3)


def nothing(_trial: lab.Trial) -> dict[str, float]:
    return {"accuracy": 0.5}
