"""What a draw says: which units are hit, or how to find out again."""

from typing import NamedTuple

from torch import Tensor


class Hits(NamedTuple):
    """Which units are hit.

    Attributes:
        key: the call's random key; None in a compiled graph, where the compiler's own random numbers serve.
        margins: float32, to be broadcast over the input, negative where a unit is hit and never 0; or None, where
            every element is hit with the same rate `p`: then the key alone says which.
        p: that rate.
    """

    key: Tensor | None
    margins: Tensor | None
    p: float = 0.0
