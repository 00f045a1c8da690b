"""What a draw says: which units are hit, or how to find out again."""

from dataclasses import dataclass

from torch import Tensor

from dropover.compute import masks


@dataclass(eq=False)
class Hits:
    """Which units are hit.

    Attributes:
        key: the call's random key; None in a compiled graph, where the compiler's own random numbers serve.
        margins: float32, to be broadcast over the input, negative where a unit is hit and never 0; or None, where
            every element is hit with the same rate `p`: then the key alone says which.
        p: that rate.
    """

    key: Tensor | None
    margins: Tensor | None = None
    p: float = 0.0

    @property
    def everywhere(self) -> bool:
        """Whether it is certain, without a look at margins, that every element is hit."""
        return self.margins is None and self.p >= 1

    def margins_over(self, shape: tuple[int, ...]) -> Tensor:
        """The margins, to be broadcast over an input of this shape."""
        if self.margins is not None:
            return self.margins
        assert self.key is not None
        return masks.margins(self.key, self.p, shape)
