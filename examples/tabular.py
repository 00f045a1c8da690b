"""Which regularizer for a small network on tabular data? Plain PyTorch."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dropover
from dropover import lab

SEEDS, EPOCHS = 6, 40


def train(trial: lab.Trial) -> dict[str, float]:
    x, y = load_breast_cancer(return_X_y=True)
    # Each seed has a split of its own, the same for all arms.
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, stratify=y, random_state=trial.seed)
    scaler = StandardScaler().fit(x_train)
    inputs, targets = torch.tensor(scaler.transform(x_train)).float(), torch.tensor(y_train)
    loader = DataLoader(TensorDataset(inputs, targets), 32, shuffle=True, generator=trial.generator("batches"))

    net = nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    model = trial.regularize(net).to(trial.device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in trial.track(range(EPOCHS)):
        losses = []
        for batch, labels in loader:
            loss = nn.functional.cross_entropy(model(batch.to(trial.device)), labels.to(trial.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        trial.log(epoch, train_loss=sum(losses) / len(losses))

    model.eval()
    with torch.inference_mode():
        logits = model(torch.tensor(scaler.transform(x_test)).float().to(trial.device))
    shares = logits.double().softmax(1)[:, 1].cpu().numpy()
    return {"accuracy": accuracy_score(y_test, shares > 0.5), "log-loss": log_loss(y_test, shares)}


def main() -> lab.Result:
    arms = {
        "none": None,
        "dropout .3": dropover.Dropout(0.3),
        "dropout .5": dropover.Dropout(0.5),
        "flipover .1": dropover.Flipover(0.1),
    }
    return lab.compare(train, arms=arms, at=["1", "3"], seeds=SEEDS, out="results/tabular")


if __name__ == "__main__":
    print(main())
