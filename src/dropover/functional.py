"""Every method as a pure function, and `regularize`, which they call. The layers hold settings and do the same.

What all functions take, each with defaults of its own, and what a method's own docstring therefore doesn't repeat:

Args:
    x: activations of a real floating dtype; which shapes are allowed is the method's. Dimension 0 holds the samples.
    training: False returns `x` itself.
    rescale: "none", "mean", "layer" or "balanced"; see `dropover.Regularizer`.
    channel_dim: the dimension of the channels, where a method has to know it: -1 for tokens `(N, T, C)`.
    generator: where the random key comes from; by default torch's own.

Returns:
    A tensor of the shape, dtype and memory layout of `x`.

Raises:
    TypeError: `x` is not a tensor of real floating-point numbers, or a setting is of the wrong kind.
    ValueError: a shape that the method can't mean, a setting outside its range, or a rescaling that is unknown or would
        divide by 0.
"""

from dropover.methods import METHODS
from dropover.regularizer import regularize

globals().update({method.function.__name__: method.function for method in METHODS})

__all__ = sorted({method.function.__name__ for method in METHODS} | {regularize.__name__})
