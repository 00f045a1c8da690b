"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): 70,000 pictures of clothes."""

from pathlib import Path

from dropover.lab.data import DATA, DataSource
from dropover.lab.data.parts.idx_set import IdxSet

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

FASHION_MNIST = IdxSet(
    "fashion-mnist",
    "FashionMNIST",
    ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    (DEBIAN_FOLDER,),
    "run apt-get install dataset-fashion-mnist, or ",
)

DATA.add(
    DataSource(
        "fashion-mnist",
        ("fmnist", "fashionmnist"),
        "Clothes, 28×28 grey: 60,000 to train, 10,000 to test",
        FASHION_MNIST.load,
        FASHION_MNIST.where,
    )
)
