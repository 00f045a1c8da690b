"""Every method as a pure function. The modules of the same names hold settings and do the same."""

from dropover.methods.biased import biased_dropout
from dropover.methods.crossmap import crossmap_dropout
from dropover.methods.density import density_dropout
from dropover.methods.density_flip import density_flipover
from dropover.methods.dropout import dropout
from dropover.methods.flipover import flipover
from dropover.methods.gaussian import gaussian_dropout
from dropover.methods.guided import guided_dropout
from dropover.methods.sap import stochastic_activation_pruning
from dropover.methods.spatial import spatial_dropout
from dropover.regularizer import regularize

__all__ = [
    "biased_dropout",
    "crossmap_dropout",
    "density_dropout",
    "density_flipover",
    "dropout",
    "flipover",
    "gaussian_dropout",
    "guided_dropout",
    "regularize",
    "spatial_dropout",
    "stochastic_activation_pruning",
]
