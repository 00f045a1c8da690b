"""CIFAR-100 (Krizhevsky 2009): 60,000 small photographs of a hundred kinds of things."""

from dropover.lab.data import DATA
from dropover.lab.data.parts.cifar import Cifar

DATA.add(
    Cifar("cifar100", "CIFAR100", tuple(f"cifar-100-python/{file}" for file in ("train", "test", "meta"))).entry(
        "A hundred kinds of things, 32×32 colour: 50,000 to train, 10,000 to test", "cifar-100"
    )
)
