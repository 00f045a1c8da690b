"""MNIST (LeCun, Bottou, Bengio & Haffner 1998): 70,000 handwritten digits."""

from dropover.lab.data import DATA, DataSource
from dropover.lab.data.parts.idx_set import IdxSet

MNIST = IdxSet("mnist", "MNIST", tuple("0123456789"))

DATA.add(
    DataSource("mnist", (), "Handwritten digits, 28×28 grey: 60,000 to train, 10,000 to test", MNIST.load, MNIST.where)
)
