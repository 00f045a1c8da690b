"""Fine-tuning a net of timm on a folder of images; the lab then makes them noisy and attacks them."""

from pathlib import Path

import timm
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, random_split
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

import dropover
from dropover import lab

SEEDS, EPOCHS = 3, 6
FOLDER, SIZE, TEST_SHARE = Path("digits"), 32, 0.3  # your own: FOLDER/CLASS/*.png


def make_images(folder: Path) -> None:
    """scikit-learn's digits as a folder of images."""
    digits = load_digits()
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(digit) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15.9).astype("uint8")).save(path)


def train(trial: lab.Trial) -> tuple[nn.Module, dict[str, float], tuple[Tensor, Tensor]]:
    resized = v2.Compose([v2.ToImage(), v2.Resize((SIZE, SIZE)), v2.ToDtype(torch.float32, scale=True)])
    images = ImageFolder(str(FOLDER), resized)
    # The same images are held out for every seed.
    train_set, test_set = random_split(images, [1 - TEST_SHARE, TEST_SHARE], torch.Generator().manual_seed(0))
    loader = DataLoader(train_set, 64, shuffle=True, generator=trial.generator("batches"), drop_last=True)
    test_images, test_labels = whole(test_set)

    # Random weights, so that this runs offline: `pretrained=True` downloads what is to be fine-tuned.
    net = timm.create_model("test_resnet", pretrained=False, num_classes=len(images.classes))
    # Pixels in [0, 1] go in: attacks are measured in them.
    model = nn.Sequential(v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), trial.regularize(net))
    model = model.to(trial.device)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=EPOCHS * len(loader))
    for epoch in trial.track(range(EPOCHS)):
        model.train()
        for batch, labels in loader:
            loss = nn.functional.cross_entropy(model(batch.to(trial.device)), labels.to(trial.device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
        accuracy, log_loss = scores(model, test_images.to(trial.device), test_labels.to(trial.device))
        trial.log(epoch, train_loss=loss.item(), test_accuracy=accuracy)
    return model, {"log-loss": log_loss}, (test_images, test_labels)  # the lab measures accuracy: "clean"


def whole(images: Subset[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """All images and labels of a set."""
    pairs = [images[index] for index in range(len(images))]
    return torch.stack([image for image, _ in pairs]), torch.tensor([label for _, label in pairs])


@torch.inference_mode()
def scores(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and log-loss."""
    model.eval()
    logits = model(images)
    return (logits.argmax(1) == labels).double().mean().item(), nn.functional.cross_entropy(logits, labels).item()


def main() -> lab.Result:
    if not FOLDER.exists():
        make_images(FOLDER)
    arms = {"none": None, "spatial .1": dropover.SpatialDropout(0.1), "flipover .1": dropover.Flipover(0.1)}
    attacks = [{"name": "pgd", "eps": [0.004]}]
    evaluation = {"noise": {"gaussian": [0.05, 0.1]}, "attacks": attacks, "attack_images": 100}
    return lab.compare(train, arms=arms, at="layer3", seeds=SEEDS, evaluation=evaluation, out="results/timm")


if __name__ == "__main__":
    print(main())
