"""MNIST (LeCun, Bottou, Bengio & Haffner 1998): 70,000 handwritten digits."""

from dropover.lab.data import DATA
from dropover.lab.data.parts.idx import IdxSet

DATA.add(IdxSet("mnist", "MNIST").entry("Handwritten digits, 28×28 grey: 60,000 to train, 10,000 to test"))
