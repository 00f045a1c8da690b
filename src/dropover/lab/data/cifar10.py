"""CIFAR-10 (Krizhevsky 2009): 60,000 small photographs of animals and vehicles."""

from dropover.lab.data import DATA, DataSource
from dropover.lab.data.parts.cifar import Cifar

CIFAR10 = Cifar(
    "cifar10",
    "CIFAR10",
    "cifar-10-batches-py",
    (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
).as_set()

DATA.add(
    DataSource(
        "cifar10",
        ("cifar-10",),
        "Animals and vehicles, 32×32 colour: 50,000 to train, 10,000 to test",
        CIFAR10.load,
        CIFAR10.where,
    )
)
