"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): 70,000 pictures of clothes."""

from pathlib import Path

from dropover.lab.data import DATA
from dropover.lab.data.parts.idx import IdxSet

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

DATA.add(
    IdxSet(
        "fashion-mnist",
        "FashionMNIST",
        classes=CLASSES,
        elsewhere=(DEBIAN_FOLDER,),
        hint="run apt-get install dataset-fashion-mnist, or ",
    ).entry("Clothes, 28×28 grey: 60,000 to train, 10,000 to test", "fmnist", "fashionmnist")
)
