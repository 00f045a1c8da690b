"""CIFAR-10 (Krizhevsky 2009): 60,000 small photographs of animals and vehicles."""

from dropover.lab.data import DATA
from dropover.lab.data.parts.cifar import Cifar

FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

DATA.add(
    Cifar("cifar10", "CIFAR10", tuple(f"cifar-10-batches-py/{file}" for file in FILES)).entry(
        "Animals and vehicles, 32×32 colour: 50,000 to train, 10,000 to test", "cifar-10"
    )
)
