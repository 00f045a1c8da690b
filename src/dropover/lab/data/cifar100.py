"""CIFAR-100 (Krizhevsky 2009): 60,000 small photographs of a hundred kinds of things."""

from dropover.lab.data import DATA, DataSource
from dropover.lab.data.parts.cifar import Cifar

CIFAR100 = Cifar("cifar100", "CIFAR100", "cifar-100-python", ("train", "test", "meta")).as_set()

DATA.add(
    DataSource(
        "cifar100",
        ("cifar-100",),
        "A hundred kinds of things, 32×32 colour: 50,000 to train, 10,000 to test",
        CIFAR100.load,
        CIFAR100.where,
    )
)
